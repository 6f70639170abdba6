/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM without interrupts: what /dev/kvm answers, and each way out of a guest — halt, ports, device
 * memory, CPUID, MSRs, triple fault, impossible state, immediate_exit — with real-mode and long-mode
 * guests of some instructions each. Prints the same on Linux and on Postern.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/kvm.h"

static void test_api(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	need("open /dev/kvm", kvm >= 0);
	check_equal("api version", ioctl(kvm, KVM_GET_API_VERSION, 0), 12);
	check_errno("api version with an argument", ioctl(kvm, KVM_GET_API_VERSION, 1), -EINVAL);
	check_equal("vcpu mmap size", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), 12288);
	check_errno("vm of an unknown type", ioctl(kvm, KVM_CREATE_VM, 0x7fff), -EINVAL);
	check_equal("unknown extension", ioctl(kvm, KVM_CHECK_EXTENSION, 9999), 0);
	check_true("ioctl number 0", ioctl(kvm, 0, 0) < 0);
	check_true("user memory", ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) > 0);
	check_equal("routes", ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING), 4096);

	struct kvm_cpuid2 few = { .nent = 0 };

	check_errno("cpuid leaves without room", ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &few), -E2BIG);
	close(kvm);
}

GUEST(16, halt, "hlt\n" GUEST_DONE);

static void test_halt(struct machine *m)
{
	machine_start_real(m, halt_start, halt_end);
	check_equal("hlt", machine_run(m), KVM_EXIT_HLT);
	check_equal("after hlt", machine_run_done(m), DONE);
}

GUEST(16, ports,
      "mov $0x1234, %dx\n mov $0xa1, %al\n outb %al, %dx\n"
      "mov $0xb1b2, %ax\n outw %ax, %dx\n"
      "mov $0xc1c2c3c4, %eax\n outl %eax, %dx\n"
      "mov $0xffffffff, %eax\n inb %dx, %al\n mov %eax, %ebx\n"
      "inw %dx, %ax\n inl %dx, %eax\n"
      "mov $0x2000, %si\n mov $3, %cx\n cld\n rep outsb\n"
      "mov $0x2100, %di\n mov $2, %cx\n rep insw\n" GUEST_DONE);

static void test_ports(struct machine *m)
{
	struct kvm_regs regs;

	memcpy(m->memory + 0x2000, "xyz", 3);
	machine_start_real(m, ports_start, ports_end);
	check_equal("outb", machine_run(m), KVM_EXIT_IO);
	check_true("outb port and data", m->run->io.port == 0x1234 && m->run->io.size == 1 &&
		   m->run->io.direction == KVM_EXIT_IO_OUT && m->run->io.count == 1 &&
		   *machine_io(m) == 0xa1);
	check_equal("outw", machine_run(m), KVM_EXIT_IO);
	check_true("outw data", m->run->io.size == 2 && *(uint16_t *)machine_io(m) == 0xb1b2);
	check_equal("outl", machine_run(m), KVM_EXIT_IO);
	check_true("outl data", m->run->io.size == 4 && *(uint32_t *)machine_io(m) == 0xc1c2c3c4);
	check_equal("inb", machine_run(m), KVM_EXIT_IO);
	check_true("inb size", m->run->io.size == 1 && m->run->io.direction == KVM_EXIT_IO_IN);
	*machine_io(m) = 0x77;
	check_equal("inw", machine_run(m), KVM_EXIT_IO);
	*(uint16_t *)machine_io(m) = 0x8899;
	check_equal("inl", machine_run(m), KVM_EXIT_IO);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("inb keeps the rest of eax", (long long)regs.rbx, 0xffffff77);
	check_equal("inw keeps the rest of eax", (long long)regs.rax, 0xffff8899);
	*(uint32_t *)machine_io(m) = 0x01020304;

	char sent[4] = "";
	unsigned int n = 0;
	int r;

	/* How many elements come in one exit is not said. */
	while ((r = machine_run(m)) == KVM_EXIT_IO && m->run->io.direction == KVM_EXIT_IO_OUT &&
	       m->run->io.port == 0x1234 && n < 3)
		for (unsigned int i = 0; i < m->run->io.count && n < 3; i++)
			sent[n++] = (char)machine_io(m)[i];
	check_true("rep outsb", !memcmp(sent, "xyz", 3));
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("inl", (long long)regs.rax, 0x01020304);
	for (n = 0; r == KVM_EXIT_IO && m->run->io.direction == KVM_EXIT_IO_IN && n < 2;
	     r = machine_run(m))
		for (unsigned int i = 0; i < m->run->io.count; i++)
			((uint16_t *)machine_io(m))[i] = (uint16_t)(0x6160 + n++);
	check_true("rep insw", n == 2 && !memcmp(m->memory + 0x2100, "\x60\x61\x61\x61", 4));
	check_true("after the string", r == KVM_EXIT_IO && m->run->io.port == DONE_PORT);
}

GUEST(64, mmio,
      "mov $0xd0000000, %ebx\n mov $0x1122334455667788, %rax\n"
      "mov %al, 1(%rbx)\n mov %ah, 2(%rbx)\n mov %ax, (%rbx)\n mov %eax, (%rbx)\n mov %rax, (%rbx)\n"
      "movl $0xcafe, 0x10(%rbx)\n"
      "mov (%rbx), %rcx\n movzbl 3(%rbx), %edx\n movslq (%rbx), %rsi\n"
      "orl $0x10, 4(%rbx)\n cmpb $7, (%rbx)\n sete %r8b\n"
      "lea 0x20(%rbx), %rdi\n mov $2, %ecx\n mov $0x99, %eax\n cld\n rep stosl\n"
      "mov $0x9999, %r9d\n xchg %r9d, (%rbx)\n" GUEST_DONE);

static int mmio_is_write(struct machine *m, uint64_t addr, uint64_t value, uint32_t len)
{
	uint64_t got = 0;

	if (machine_run(m) != KVM_EXIT_MMIO)
		return 0;
	memcpy(&got, m->run->mmio.data, 8);
	return m->run->mmio.is_write && m->run->mmio.phys_addr == addr && m->run->mmio.len == len &&
	       (len == 8 ? got : got & ((1ull << len * 8) - 1)) == value;
}

static int mmio_is_read(struct machine *m, uint64_t addr, uint64_t answer, uint32_t len)
{
	if (machine_run(m) != KVM_EXIT_MMIO || m->run->mmio.is_write ||
	    m->run->mmio.phys_addr != addr || m->run->mmio.len != len)
		return 0;
	memcpy(m->run->mmio.data, &answer, 8);
	return 1;
}

static void test_mmio(struct machine *m)
{
	const uint64_t at = MMIO_GPA;
	struct kvm_regs regs;

	machine_start_long(m, mmio_start, mmio_end);
	check_true("mmio mov al", mmio_is_write(m, at + 1, 0x88, 1));
	check_true("mmio mov ah", mmio_is_write(m, at + 2, 0x77, 1));
	check_true("mmio mov ax", mmio_is_write(m, at, 0x7788, 2));
	check_true("mmio mov eax", mmio_is_write(m, at, 0x55667788, 4));
	check_true("mmio mov rax", mmio_is_write(m, at, 0x1122334455667788, 8));
	check_true("mmio mov immediate", mmio_is_write(m, at + 16, 0xcafe, 4));
	check_true("mmio load 8", mmio_is_read(m, at, 0x8877665544332211, 8));
	check_true("mmio movzx", mmio_is_read(m, at + 3, 0xf3, 1));
	check_true("mmio movsxd", mmio_is_read(m, at, 0x80000001, 4));
	check_true("mmio or: read", mmio_is_read(m, at + 4, 0x3, 4));
	check_true("mmio or: write", mmio_is_write(m, at + 4, 0x13, 4));
	check_true("mmio cmp", mmio_is_read(m, at, 7, 1));
	check_true("mmio stos 1", mmio_is_write(m, at + 0x20, 0x99, 4));
	check_true("mmio stos 2", mmio_is_write(m, at + 0x24, 0x99, 4));
	check_true("mmio xchg: read", mmio_is_read(m, at, 0x1234, 4));
	check_true("mmio xchg: write", mmio_is_write(m, at, 0x9999, 4));
	check_equal("after mmio", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("mmio load 8: value", regs.rcx == 0 && regs.r8 == 1);
	check_equal("mmio movzx: value", (long long)regs.rdx, 0xf3);
	check_equal("mmio movsxd: value", (long long)regs.rsi, (int)0x80000001);
	check_equal("mmio xchg: value", (long long)regs.r9, 0x1234);
}

GUEST(64, cpuid,
      "mov $0x40000010, %eax\n xor %ecx, %ecx\n .byte 0x66\n cpuid\n mov %eax, %esi\n mov %ebx, %edi\n"
      "mov $0x0, %eax\n xor %ecx, %ecx\n cpuid\n" GUEST_DONE);

static void test_cpuid(struct machine *m)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 2 * sizeof(c->entries[0]));
	struct kvm_regs regs;

	c->nent = 2;
	c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 1, .ebx = 0x11, .edx = 0x22 };
	c->entries[1] = (struct kvm_cpuid_entry2){ .function = 0x40000010, .eax = 0x33, .ebx = 0x44 };
	/* A vCPU that has run keeps its table on newer Linux: a machine of its own. */
	check_errno("set cpuid", ioctl(m->vcpu, KVM_SET_CPUID2, c), 0);
	check_true("ioctl number 0 of a vcpu and a vm", ioctl(m->vcpu, 0, 0) < 0 && ioctl(m->vm, 0, 0) < 0);
	free(c);
	machine_start_long(m, cpuid_start, cpuid_end);
	check_equal("cpuid", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("cpuid of the table, with a prefix", regs.rsi == 0x33 && regs.rdi == 0x44);
	check_true("cpuid leaf 0", regs.rbx == 0x11 && regs.rdx == 0x22);
}

/* LSTAR travels with the guest; EFER, TSC and the PAT are looked at by the hypervisor. */
GUEST(64, msrs,
      "mov $0xc0000082, %ecx\n mov $0x12345678, %eax\n xor %edx, %edx\n wrmsr\n"
      "mov $0xc0000080, %ecx\n rdmsr\n or $1, %eax\n wrmsr\n rdmsr\n mov %eax, %esi\n"
      "mov $0x277, %ecx\n rdmsr\n mov %edx, %edi\n"
      "mov $0x10, %ecx\n xor %eax, %eax\n mov $0x100, %edx\n wrmsr\n rdmsr\n mov %edx, %ebx\n"
      "rdtsc\n mov %edx, %ebp\n" GUEST_DONE);
GUEST(64, msr_bad, "mov $0x12345, %ecx\n rdmsr\n" GUEST_DONE);
/* The handler of #GP: its error code, then done. */
GUEST(64, fault, "pop %rbx\n mov $0x5a, %al\n outb %al, $0xf4\n");

static void test_msrs(struct machine *m)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[2];
	} msrs = { .head.nmsrs = 2, .e = { { .index = 0xc0000082 }, { .index = 0x12345 } } };
	struct kvm_regs regs;

	machine_start_long(m, msrs_start, msrs_end);
	check_equal("msrs", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("efer read back", (long long)regs.rsi, 0x501);
	check_equal("pat", (long long)regs.rdi, 0x00070406);
	check_equal("tsc written", (long long)regs.rbx, 0x100);
	check_equal("rdtsc agrees", (long long)regs.rbp, 0x100);
	check_equal("get msrs stops at the unknown", ioctl(m->vcpu, KVM_GET_MSRS, &msrs), 1);
	check_equal("get lstar", (long long)msrs.e[0].data, 0x12345678);
	msrs.e[0].data = 0x4000;
	check_equal("set msrs", ioctl(m->vcpu, KVM_SET_MSRS, &msrs), 1);
	check_equal("get msrs again", ioctl(m->vcpu, KVM_GET_MSRS, &msrs), 1);
	check_equal("lstar set", (long long)msrs.e[0].data, 0x4000);

	machine_start_long(m, msr_bad_start, msr_bad_end);
	memcpy(m->memory + 0x3100, fault_start, (size_t)(fault_end - fault_start));
	machine_gate(m, 13, 0x3100);
	check_equal("unknown msr faults", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("at its handler", regs.rip >= 0x3100 && regs.rip < 0x3200 && regs.rbx == 0);
}

GUEST(64, vmrun, "mov $0x1000, %eax\n vmrun\n" GUEST_DONE);
GUEST(64, xmm, "movq %xmm1, %rax\n inc %rax\n movq %rax, %xmm2\n" GUEST_DONE);

static void test_faults(struct machine *m)
{
	machine_start_long(m, vmrun_start, vmrun_end);
	memcpy(m->memory + 0x3100, fault_start, (size_t)(fault_end - fault_start));
	machine_gate(m, 6, 0x3100);
	check_equal("no nested guests", machine_run_done(m), DONE);
}

/* CR4 takes features that the CPU has for guests (PGE here), and not those that CPUID does not name. */
GUEST(64, cr4_good, "mov %cr4, %r9\n or $0x80, %r9\n mov %r9, %cr4\n mov %cr4, %rbx\n" GUEST_DONE);
GUEST(64, cr4_keys, "mov %cr4, %rax\n or $0x400000, %eax\n mov %rax, %cr4\n" GUEST_DONE);
GUEST(64, cr4_pae, "mov %cr4, %rax\n and $~0x20, %eax\n mov %rax, %cr4\n" GUEST_DONE);
GUEST(16, cr4_real, "mov $0x10, %eax\n mov %eax, %cr4\n mov %cr4, %ebx\n" GUEST_DONE);

static void cr4_faults(struct machine *m, const char *name, const uint8_t *code, const uint8_t *end)
{
	struct kvm_regs regs;

	machine_start_long(m, code, end);
	memcpy(m->memory + 0x3100, fault_start, (size_t)(fault_end - fault_start));
	machine_gate(m, 13, 0x3100);
	check_equal(name, machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("at the handler of #GP", regs.rip >= 0x3100 && regs.rip < 0x3200 && regs.rbx == 0);
}

static void test_cr4(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + sizeof(c->entries[0]));
	struct machine own, *m = &own;
	struct kvm_regs regs;
	struct kvm_sregs s;

	machine_create(m, 0);
	c->nent = 1;
	check_errno("cpuid without features", ioctl(m->vcpu, KVM_SET_CPUID2, c), 0);
	free(c);
	machine_start_long(m, cr4_good_start, cr4_good_end);
	check_equal("cr4 write", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_true("cr4 read back", (regs.rbx & 0xa0) == 0xa0 && regs.rbx == regs.r9);
	ioctl(m->vcpu, KVM_GET_SREGS, &s);
	check_equal("cr4 for the VMM", (long long)s.cr4, (long long)regs.rbx);
	cr4_faults(m, "protection keys without CPUID bit", cr4_keys_start, cr4_keys_end);
	cr4_faults(m, "long mode without PAE", cr4_pae_start, cr4_pae_end);
	s.cr4 |= 1u << 22;
	check_errno("set sregs with protection keys", ioctl(m->vcpu, KVM_SET_SREGS, &s), -EINVAL);
	machine_destroy(m);
	machine_create(m, 0);
	machine_start_real(m, cr4_real_start, cr4_real_end);
	check_equal("cr4 write in real mode", machine_run_done(m), DONE);
	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	check_equal("cr4 read back in real mode", (long long)(uint32_t)regs.rbx, 0x10);
	machine_destroy(m);
}

static void test_fpu(struct machine *m)
{
	struct kvm_fpu fpu;
	uint64_t v = 0x1122334455667788;

	check_errno("get fpu", ioctl(m->vcpu, KVM_GET_FPU, &fpu), 0);
	check_equal("initial control word", fpu.fcw, 0x37f);
	memcpy(fpu.xmm[1], &v, 8);
	check_errno("set fpu", ioctl(m->vcpu, KVM_SET_FPU, &fpu), 0);
	machine_start_long(m, xmm_start, xmm_end);
	check_equal("sse guest", machine_run_done(m), DONE);
	check_errno("get fpu after", ioctl(m->vcpu, KVM_GET_FPU, &fpu), 0);
	memcpy(&v, fpu.xmm[2], 8);
	check_true("sse result", v == 0x1122334455667789);
}

static void test_immediate_exit(struct machine *m)
{
	machine_start_real(m, halt_start, halt_end);
	m->run->immediate_exit = 1;
	check_equal("immediate exit", machine_run(m), -EINTR);
	m->run->immediate_exit = 0;
	check_equal("and on", machine_run(m), KVM_EXIT_HLT);
}

GUEST(64, triple, "ud2\n");

static void test_death(void)
{
	struct machine m;
	struct kvm_sregs s;
	int r;

	machine_create(&m, 0);
	machine_start_long(&m, triple_start, triple_end);
	check_equal("triple fault", machine_run(&m), KVM_EXIT_SHUTDOWN);
	machine_destroy(&m);

	/* CS.L with CS.D in long mode: refused at once or by the CPU. */
	machine_create(&m, 0);
	machine_start_long(&m, triple_start, triple_end);
	ioctl(m.vcpu, KVM_GET_SREGS, &s);
	s.cs.db = 1;
	r = ioctl(m.vcpu, KVM_SET_SREGS, &s);
	check_true("impossible code segment", r < 0 || machine_run(&m) == KVM_EXIT_FAIL_ENTRY);
	s.cs.db = 0;
	s.efer &= ~0x400ull;
	check_errno("efer without lma", ioctl(m.vcpu, KVM_SET_SREGS, &s), -EINVAL);
	machine_destroy(&m);

	/* Without registers set it starts at the reset vector, where there is no memory. */
	machine_create(&m, 0);
	check_equal("reset vector", machine_run(&m), KVM_EXIT_INTERNAL_ERROR);
	machine_destroy(&m);
}

int main(void)
{
	struct machine m;

	test_api();
	machine_create(&m, 0);
	test_cpuid(&m);
	machine_destroy(&m);
	machine_create(&m, 0);
	test_halt(&m);
	test_ports(&m);
	test_mmio(&m);
	test_msrs(&m);
	test_faults(&m);
	test_fpu(&m);
	test_immediate_exit(&m);
	machine_destroy(&m);
	test_cr4();
	test_death();
	return check_result();
}
