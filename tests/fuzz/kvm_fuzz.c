/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that makes any calls on /dev/kvm, VMs and vCPUs, short of entering a guest: slots over its
 * memory, routes, irqfds, registers, with descriptors passed where others belong and memory that runs
 * out.  The engine is one that keeps a little state and never runs.  When the program has died nothing may be
 * left over.
 */
#include <linux/kvm.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/x86/vcpu.h"
#include "kernel/mm.h"
#include "kernel/program.h"
#include "kernel/pt.h"
#include "tests/host/vfio_rig.h"
#include "virt/virt.h"

#define MAX_OPS 200
#define MEMORY_PAGES 64
#define ARG_SIZE 2048u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* ---- an engine that is never entered ---- */

static struct arch_vcpu *create(paddr_t root)
{
	(void)root;
	return calloc(1, sizeof(struct arch_vcpu));
}
static void destroy(struct arch_vcpu *v) { free(v); }
static void nothing(struct arch_vcpu *v) { (void)v; }
static void get_mode(const struct arch_vcpu *v, struct vcpu_mode *m) { (void)v; memset(m, 0, sizeof(*m)); }
static void get_segment(const struct arch_vcpu *v, enum vcpu_seg s, struct vcpu_segment *out)
{
	(void)v, (void)s;
	memset(out, 0, sizeof(*out));
}
static void get_sregs(const struct arch_vcpu *v, struct vcpu_sregs *s) { (void)v; memset(s, 0, sizeof(*s)); }
static int set_sregs(struct arch_vcpu *v, const struct vcpu_sregs *s) { (void)v; return s->cr0 & BIT(63) ? -EINVAL : 0; }
static int set_cr4(struct arch_vcpu *v, u64 x) { (void)v; return x & BIT(63) ? -EINVAL : 0; }
static bool get_msr(const struct arch_vcpu *v, u32 msr, u64 *x) { (void)v; *x = 0; return msr & 1; }
static int set_msr(struct arch_vcpu *v, u32 msr, u64 x) { (void)v, (void)x; return msr & 1 ? 0 : -ENOENT; }

static void cpuid(u32 leaf, u32 sub, u32 out[4]) { (void)sub; out[0] = leaf & BIT(31) ? 0x80000008 : 0xd; out[1] = out[2] = out[3] = ~0u; }

static const struct vcpu_ops engine = {
	.name = "none", .table_format = &pt_x86, .table_levels = 4, .table_max_leaf = 2, .table_prot = PT_USER,
	.create = create, .destroy = destroy, .reset = nothing, .run = nothing, .get_mode = get_mode,
	.get_segment = get_segment, .get_sregs = get_sregs, .set_sregs = set_sregs, .set_cr4 = set_cr4,
	.get_msr = get_msr, .set_msr = set_msr, .cpuid = cpuid,
};

const struct vcpu_ops *arch_vcpu_ops(const char **why)
{
	*why = "";
	return &engine;
}

/* ---- input ---- */

static const u8 *in;
static size_t left;
static uaddr_t memory, argument;

static u8 take8(void)
{
	if (!left)
		return 0;
	left--;
	return *in++;
}

static u64 number(void)
{
	u8 how = take8();

	switch (how & 3) {
	case 0: return how >> 2;
	case 1: return (u64)(how >> 2) << 12;
	case 2: return memory + (u64)(how >> 2) * PAGE_SIZE;
	default: return ~0ull << (how >> 2);
	}
}

static int descriptor(void)
{
	u8 v = take8();

	return v < 250 ? v % 10 : (int)(v - 252);
}

static void op_ioctl(void)
{
	static const u32 numbers[] = {
		KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_CHECK_EXTENSION, KVM_GET_VCPU_MMAP_SIZE, KVM_CREATE_VCPU,
		KVM_SET_USER_MEMORY_REGION, KVM_CREATE_IRQCHIP, KVM_IRQ_LINE, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD,
		KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID2,
		KVM_GET_SUPPORTED_CPUID, KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SIGNAL_MSI, KVM_GET_MP_STATE, KVM_SET_MP_STATE,
		KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR, KVM_ENABLE_CAP, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_MSR_INDEX_LIST,
		KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_DIRTY_LOG, KVM_SET_SIGNAL_MASK, KVM_CREATE_PIT2,
	};
	int fd = descriptor();
	u32 nr = numbers[take8() % ARRAY_SIZE(numbers)];
	u8 how = take8(), words = take8() % 32;
	u32 buf[ARG_SIZE / 4] = { 0 };

	for (unsigned i = 0; i < words; i++) {
		u64 v = how & 1 ? number() : take8();

		memcpy(&buf[how & 2 ? 2 * i : i], &v, how & 2 ? 8 : 4);
	}
	(void)!copy_to_user(argument, buf, sizeof(buf));
	(void)vr_ioctl(fd, nr, how >= 250 ? number() : how & 4 ? how >> 3 : argument);
}

static void op_slot(void)
{
	u8 v = take8();
	struct kvm_userspace_memory_region r = { .slot = v & 3, .guest_phys_addr = (u64)take8() << 12,
		.memory_size = (u64)(take8() % MEMORY_PAGES) << 12, .userspace_addr = memory + ((u64)(v >> 4) << 12) };

	(void)vr_call(descriptor(), KVM_SET_USER_MEMORY_REGION, &r, sizeof(r));
}

static void op_irqfd(void)
{
	struct kvm_irqfd f = { .fd = (u32)descriptor(), .gsi = take8() % 32, .flags = take8() & 3,
			       .resamplefd = (u32)descriptor() };
	struct {
		u32 nr, flags; /* struct kvm_irq_routing */
		struct kvm_irq_routing_entry e[2];
	} t = { .nr = take8() % 3 };

	for (unsigned i = 0; i < 2; i++) {
		t.e[i] = (struct kvm_irq_routing_entry){ .gsi = take8() % 32, .type = take8() % 4 };
		t.e[i].u.msi.address_lo = 0xfee00000u | (u32)take8() << 12;
		t.e[i].u.msi.data = take8();
	}
	if (f.flags & 2)
		(void)vr_call(descriptor(), KVM_SET_GSI_ROUTING, &t, sizeof(t));
	else
		(void)vr_call(descriptor(), KVM_IRQFD, &f, sizeof(f));
}

static void op_ready(void)
{
	int kvm = vr_open("/dev/kvm"), vm = kvm < 0 ? -1 : (int)vr_ioctl(kvm, KVM_CREATE_VM, 0);

	(void)vr_ioctl(vm, KVM_CREATE_IRQCHIP, 0);
	(void)vr_ioctl(vm, KVM_CREATE_VCPU, take8() & 3);
}

static void step(void)
{
	u64 one = 1;
	u8 how;

	switch (take8() % 10) {
	case 0: op_ready(); break;
	case 1: (void)vr_eventfd(); break;
	case 2: op_slot(); break;
	case 3: op_irqfd(); break;
	case 4: (void)vr_write(descriptor(), 0, &one, sizeof(one)); break;
	case 5: (void)fd_close((unsigned)descriptor()); break;
	case 6:
		how = take8();
		if (how & 1)
			host_alloc_fail_at(1 + how / 8);
		else
			host_efault_at(1 + how / 32);
		break;
	case 7: (void)!mm_unmap(host_mm(), memory + take8() % MEMORY_PAGES * PAGE_SIZE, PAGE_SIZE); break;
	case 8: (void)vr_mmap(descriptor(), (u64)(take8() % 4) << 12, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED); break;
	default: op_ioctl();
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool started;
	const char *what;

	if (!started) {
		vr_start(false);
		if (kvm_init())
			abort();
	}
	started = true;
	in = data;
	left = size;
	vr_begin();
	memory = host_user_alloc(MEMORY_PAGES * PAGE_SIZE);
	argument = host_user_alloc(2 * ARG_SIZE);
	for (unsigned i = 0; i < MAX_OPS && left; i++)
		step();
	host_alloc_fail_at(0);
	host_efault_at(0);
	what = vr_end();
	if (what) {
		fprintf(stderr, "left over: %s\n", what);
		abort();
	}
	return 0;
}
