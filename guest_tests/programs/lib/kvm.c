/* SPDX-License-Identifier: BSD-2-Clause */
#include "kvm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define LARGE 0x200000u

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_OSFXSR (1ull << 9)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define CPUID_ECX_TSC_DEADLINE (1u << 24)
#define PTE_TABLE 0x3ull
#define PTE_LARGE 0x83ull

int machine_slot(const struct machine *m, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		 const void *host)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	return ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static uint8_t *memory_get(void)
{
	uint8_t *p = mmap(NULL, MEMORY_SIZE + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	need("guest memory", p != MAP_FAILED);
	return (uint8_t *)(((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
}

static void cpuid_copy(const struct machine *m, int vcpu)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));

	need("memory for CPUID", c != NULL);
	c->nent = 256;
	need("GET_SUPPORTED_CPUID", ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, c) == 0);
	for (uint32_t i = 0; i < c->nent; i++) /* with an interrupt controller there is this mode */
		if (c->entries[i].function == 1)
			c->entries[i].ecx |= CPUID_ECX_TSC_DEADLINE;
	need("SET_CPUID2", ioctl(vcpu, KVM_SET_CPUID2, c) == 0);
	free(c);
}

int machine_add_vcpu(struct machine *m, unsigned int id, struct kvm_run **run)
{
	int vcpu = ioctl(m->vm, KVM_CREATE_VCPU, id);
	int size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	need("CREATE_VCPU", vcpu >= 0);
	*run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	need("mapping of kvm_run", *run != MAP_FAILED);
	cpuid_copy(m, vcpu);
	return vcpu;
}

void machine_create(struct machine *m, int irqchip)
{
	memset(m, 0, sizeof(*m));
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	need("open /dev/kvm", m->kvm >= 0);
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	need("CREATE_VM", m->vm >= 0);
	if (irqchip)
		need("CREATE_IRQCHIP", ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	m->memory = memory_get();
	need("memory slot 0", machine_slot(m, 0, 0, 0, MEMORY_SIZE, m->memory) == 0);
	m->vcpu = machine_add_vcpu(m, 0, &m->run);
}

void machine_destroy(struct machine *m)
{
	munmap(m->run, (size_t)ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(m->vcpu);
	close(m->vm);
	close(m->kvm);
	munmap(m->memory, MEMORY_SIZE);
}

static void start(struct machine *m, const struct kvm_sregs *sregs, const uint8_t *code,
		  const uint8_t *end)
{
	const struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	const struct kvm_regs regs = { .rip = CODE_GPA, .rsp = STACK_GPA, .rflags = 2 };

	/* What the last exit has left unfinished is finished first. */
	m->run->immediate_exit = 1;
	ioctl(m->vcpu, KVM_RUN, 0);
	m->run->immediate_exit = 0;
	memcpy(m->memory + CODE_GPA, code, (size_t)(end - code));
	need("SET_SREGS", ioctl(m->vcpu, KVM_SET_SREGS, sregs) == 0);
	need("SET_MP_STATE", ioctl(m->vcpu, KVM_SET_MP_STATE, &runnable) == 0);
	need("SET_REGS", ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
}

void machine_start_real(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	struct kvm_sregs s;

	need("GET_SREGS", ioctl(m->vcpu, KVM_GET_SREGS, &s) == 0);
	s.cs.base = 0;
	s.cs.selector = 0;
	start(m, &s, code, end);
}

void machine_start_long(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	uint64_t *table = (uint64_t *)(m->memory + TABLES_GPA);
	struct kvm_sregs s;

	table[0] = (TABLES_GPA + 0x1000) | PTE_TABLE;
	for (unsigned int i = 0; i < 4; i++)
		table[512 + i] = (TABLES_GPA + 0x2000 + i * 0x1000) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		table[1024 + i] = i * LARGE | PTE_LARGE;

	need("GET_SREGS", ioctl(m->vcpu, KVM_GET_SREGS, &s) == 0);
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cs = data;
	s.cs.selector = 8;
	s.cs.type = 0xb;
	s.cs.db = 0;
	s.cs.l = 1;
	s.tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1, .selector = 0x18 };
	/* The gates' code segment is read from a descriptor table. */
	((uint64_t *)(m->memory + IDT_GPA - 0x100))[1] = 0x00af9b000000ffffull;
	((uint64_t *)(m->memory + IDT_GPA - 0x100))[2] = 0x00cf93000000ffffull;
	s.gdt.base = IDT_GPA - 0x100;
	s.gdt.limit = 0x17;
	s.idt.base = IDT_GPA;
	s.idt.limit = 0xfff;
	s.cr3 = TABLES_GPA;
	s.cr4 = CR4_PAE | CR4_OSFXSR;
	s.cr0 = CR0_PE | CR0_ET | CR0_PG;
	s.efer = EFER_LME | EFER_LMA;
	start(m, &s, code, end);
}

void machine_gate(struct machine *m, unsigned int vector, uint64_t handler)
{
	uint64_t *gate = (uint64_t *)(m->memory + IDT_GPA) + vector * 2;

	gate[0] = (handler & 0xffff) | 8ull << 16 | 0x8e00ull << 32 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
}

int machine_run(struct machine *m)
{
	return ioctl(m->vcpu, KVM_RUN, 0) < 0 ? -errno : (int)m->run->exit_reason;
}

int machine_run_done(struct machine *m)
{
	int r;

	do
		r = machine_run(m);
	while (r == -EINTR || r == -EAGAIN);
	if (r == KVM_EXIT_IO && m->run->io.port == DONE_PORT &&
	    m->run->io.direction == KVM_EXIT_IO_OUT)
		return 256 + *machine_io(m);
	return r;
}
