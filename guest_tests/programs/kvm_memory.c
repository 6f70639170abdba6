/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory slots: the errors of KVM_SET_USER_MEMORY_REGION, and memory that goes away — slot deleted,
 * slot moved, memory unmapped or replaced — while the guest runs on it. Prints the same on Linux and
 * on Postern.
 */
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

#define EXTRA_GPA 0x40000000u /* 1 GiB */
#define EXTRA_SIZE 0x400000u
#define PAGE 0x1000u

static uint8_t *extra_get(void)
{
	uint8_t *p = mmap(NULL, EXTRA_SIZE * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("extra memory", p != MAP_FAILED);
	return (uint8_t *)(((uintptr_t)p + 0x1fffff) & ~(uintptr_t)0x1fffff);
}

static void test_errors(struct machine *m)
{
	uint8_t *p = extra_get();

	check_errno("slot size not aligned", machine_slot(m, 1, 0, EXTRA_GPA, 0x800, p), -EINVAL);
	check_errno("slot gpa not aligned", machine_slot(m, 1, 0, EXTRA_GPA + 8, PAGE, p), -EINVAL);
	check_errno("slot hva not aligned", machine_slot(m, 1, 0, EXTRA_GPA, PAGE, p + 8), -EINVAL);
	check_errno("slot flags", machine_slot(m, 1, 0x80, EXTRA_GPA, PAGE, p), -EINVAL);
	check_errno("slot number", machine_slot(m, 32764, 0, EXTRA_GPA, PAGE, p), -EINVAL);
	check_errno("slot address space", machine_slot(m, 2 << 16, 0, EXTRA_GPA, PAGE, p), -EINVAL);
	check_errno("slot wraps", machine_slot(m, 1, 0, 0xfffffffffffff000, 0x2000, p), -EINVAL);
	check_errno("absent slot deleted", machine_slot(m, 1, 0, EXTRA_GPA, 0, p), -EINVAL);
	check_errno("slot overlaps", machine_slot(m, 1, 0, MEMORY_SIZE - PAGE, 2 * PAGE, p), -EEXIST);
	check_errno("slot made", machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, p), 0);
	check_errno("slot made again, the same", machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, p), 0);
	check_errno("slot size changed", machine_slot(m, 1, 0, EXTRA_GPA, PAGE, p), -EINVAL);
	check_errno("slot hva changed", machine_slot(m, 1, 0, EXTRA_GPA, EXTRA_SIZE, p + PAGE), -EINVAL);
	check_errno("slot made read-only", machine_slot(m, 1, KVM_MEM_READONLY, EXTRA_GPA, EXTRA_SIZE, p),
		    -EINVAL);
	check_errno("slot moved onto another", machine_slot(m, 1, 0, 0x1000, EXTRA_SIZE, p), -EEXIST);
	check_errno("slot moved", machine_slot(m, 1, 0, EXTRA_GPA * 2, EXTRA_SIZE, p), 0);
	check_errno("the next takes its place", machine_slot(m, 2, 0, EXTRA_GPA, PAGE, p), 0);
	check_errno("slot deleted", machine_slot(m, 1, 0, 0, 0, NULL), 0);
	check_errno("slot 2 deleted", machine_slot(m, 2, 0, 0, 0, NULL), 0);
	check_errno("slot of memory not there yet",
		    machine_slot(m, 1, 0, EXTRA_GPA, PAGE, (void *)0x100000000000), 0);
	check_errno("and deleted", machine_slot(m, 1, 0, 0, 0, NULL), 0);
	munmap(p, EXTRA_SIZE);
}

/* Reads the word at EXTRA_GPA into EBX, writes it plus one, and says so. */
GUEST(64, touch,
      "mov $0x40000000, %edx\n mov (%rdx), %ebx\n lea 1(%rbx), %eax\n mov %eax, (%rdx)\n" GUEST_DONE);

static long long guest_ebx(struct machine *m)
{
	struct kvm_regs regs;

	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	return (long long)regs.rbx;
}

/* Where the system can look at its own tables, with a VM alive: all must be in order. */
static void test_audit(void)
{
	FILE *f = fopen("/sys/kernel/postern/audit", "r");
	char line[200] = "";
	bool clean = true;

	if (f) {
		clean = fgets(line, sizeof(line), f) && strstr(line, "clean");
		fclose(f);
	}
	check_true("audit", clean);
}

static void test_use(struct machine *m)
{
	uint8_t *p = extra_get();
	uint32_t *word = (uint32_t *)(p + 0x200000);

	*word = 100;
	machine_slot(m, 1, 0, EXTRA_GPA, 0x200000, word);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest uses the slot", machine_run_done(m), DONE);
	check_equal("what it read", guest_ebx(m), 100);
	check_equal("what it wrote", *word, 101);

	/* New memory at the same place of the program: the guest sees the new. */
	need("fixed mapping", mmap(word, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)word);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest after the memory was replaced", machine_run_done(m), DONE);
	check_equal("it reads the new", guest_ebx(m), 0);
	check_equal("and writes it", *word, 1);

	/* Contents thrown away. */
	madvise(word, PAGE, MADV_DONTNEED);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest after MADV_DONTNEED", machine_run_done(m), DONE);
	check_equal("it reads zero", guest_ebx(m), 0);

	machine_slot(m, 1, 0, 0, 0, NULL);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest after the slot was deleted", machine_run(m), KVM_EXIT_MMIO);
	check_true("it reads the device there", !m->run->mmio.is_write &&
		   m->run->mmio.phys_addr == EXTRA_GPA && m->run->mmio.len == 4);

	*word = 7;
	machine_slot(m, 1, KVM_MEM_READONLY, EXTRA_GPA, 0x200000, word);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest writes read-only memory", machine_run(m), KVM_EXIT_MMIO);
	check_true("as a device", m->run->mmio.is_write && m->run->mmio.phys_addr == EXTRA_GPA &&
		   m->run->mmio.data[0] == 8);
	check_equal("which stays as it was", *word, 7);
	machine_slot(m, 1, 0, 0, 0, NULL);

	machine_slot(m, 1, 0, EXTRA_GPA, 0x200000, word);
	need("read-only mapping", mprotect(word, PAGE, PROT_READ) == 0);
	machine_start_long(m, touch_start, touch_end);
	check_equal("the program may not write: nor may the guest", machine_run(m), -EFAULT);
	need("writable mapping", mprotect(word, PAGE, PROT_READ | PROT_WRITE) == 0);
	check_equal("until it may", machine_run_done(m), DONE);
	check_equal("what it wrote then", *word, 8);
	test_audit();
	munmap(word, 0x200000);
	machine_start_long(m, touch_start, touch_end);
	check_equal("guest after munmap", machine_run(m), -EFAULT);
	machine_slot(m, 1, 0, 0, 0, NULL);
	munmap(p, 0x200000);
}

/* String I/O, whose operands the system and not the CPU looks up in the guest's page tables. */
GUEST(64, string_io,
      "mov $0x600000, %esi\n mov $0x1234, %edx\n mov $4, %ecx\n cld\n rep outsb\n"
      "mov $0x600000, %edi\n mov $1, %ecx\n rep insb\n" GUEST_DONE);
#define PTE_ACCESSED_DIRTY 0x60u

static void test_tables(struct machine *m)
{
	const volatile uint64_t *entry = (uint64_t *)(m->memory + TABLES_GPA) + 1024 + 3;
	int r;

	machine_start_long(m, string_io_start, string_io_end);
	check_true("outs", machine_run(m) == KVM_EXIT_IO && m->run->io.direction == KVM_EXIT_IO_OUT);
	check_equal("marks its page accessed", (long long)(*entry & PTE_ACCESSED_DIRTY), 0x20);
	while ((r = machine_run(m)) == KVM_EXIT_IO && m->run->io.direction == KVM_EXIT_IO_OUT &&
	       m->run->io.port != DONE_PORT)
		;
	check_true("ins", r == KVM_EXIT_IO && m->run->io.direction == KVM_EXIT_IO_IN);
	*machine_io(m) = 0x42;
	check_equal("after ins", machine_run_done(m), DONE);
	check_equal("ins marks its page dirty", (long long)(*entry & PTE_ACCESSED_DIRTY), 0x60);
	check_equal("and wrote it", m->memory[0x600000], 0x42);
}

/* Counts up in memory at EXTRA_GPA for ever, in the second page too. */
GUEST(64, count,
      "mov $0x40000000, %edx\n"
      "1: mov (%rdx), %eax\n inc %eax\n mov %eax, (%rdx)\n mov %eax, 0x1000(%rdx)\n jmp 1b\n");

struct runner {
	struct machine *m;
	int result;
};

static void *runner_main(void *arg)
{
	struct runner *r = arg;

	do
		r->result = machine_run(r->m);
	while (r->result == -EINTR);
	return NULL;
}

static void wait_for_count(volatile uint32_t *word, uint32_t from)
{
	while (*word - from < 1000)
		usleep(100);
}

/* Takes the memory away under the running guest; says how the run ended. */
static int run_and(struct machine *m, uint8_t *p, void (*take_away)(struct machine *, uint8_t *),
		   uint32_t *last)
{
	struct runner r = { .m = m };
	volatile uint32_t *word = (volatile uint32_t *)p;
	pthread_t t;

	machine_slot(m, 1, 0, EXTRA_GPA, 0x200000, p);
	machine_start_long(m, count_start, count_end);
	need("thread", pthread_create(&t, NULL, runner_main, &r) == 0);
	wait_for_count(word, *word);
	take_away(m, p);
	*last = word[PAGE / 4]; /* nobody may write any more */
	pthread_join(t, NULL);
	machine_slot(m, 1, 0, 0, 0, NULL);
	return r.result;
}

static void delete_slot(struct machine *m, uint8_t *p)
{
	(void)p;
	machine_slot(m, 1, 0, 0, 0, NULL);
}

static void unmap_first_page(struct machine *m, uint8_t *p)
{
	(void)m;
	munmap(p, PAGE);
}

static void discard_pages(struct machine *m, uint8_t *p)
{
	(void)m;
	for (unsigned int i = 0; i < 50; i++) {
		madvise(p, PAGE, MADV_DONTNEED);
		usleep(200);
	}
	munmap(p, PAGE);
}

static void test_running(struct machine *m)
{
	uint8_t *p = extra_get();
	uint32_t last;

	check_equal("slot deleted under the guest", run_and(m, p, delete_slot, &last), KVM_EXIT_MMIO);
	check_equal("nothing written afterwards", *(uint32_t *)(p + PAGE), last);
	check_equal("memory unmapped under the guest", run_and(m, p, unmap_first_page, &last), -EFAULT);
	check_equal("nothing written after that", *(uint32_t *)(p + PAGE), last);
	check_equal("memory discarded under the guest",
		    run_and(m, p + 0x200000, discard_pages, &last), -EFAULT);
	munmap(p + PAGE, EXTRA_SIZE - PAGE);
}

static void test_close(void)
{
	struct machine m;

	/* The mapping of kvm_run outlives the descriptors. */
	machine_create(&m, 0);
	close(m.vcpu);
	m.run->immediate_exit = 1;
	close(m.vm);
	check_true("kvm_run after close", m.run->immediate_exit == 1);
	munmap(m.memory, MEMORY_SIZE);
	close(m.kvm);
}

int main(void)
{
	struct machine m;

	machine_create(&m, 0);
	test_errors(&m);
	test_use(&m);
	test_tables(&m);
	test_running(&m);
	machine_destroy(&m);
	test_close();
	return check_result();
}
