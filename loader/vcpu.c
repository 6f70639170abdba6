/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual CPU as the guest finds it: the host's CPUID trimmed to one CPU, plus the frequency of
 * the time-stamp counter, and the registers of the PVH entry: 32-bit protected mode, flat segments,
 * no paging, interrupts off, EBX the start info.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "loader/loader.h"

#define CPUID_ENTRIES		100
#define CPUID_ENTRIES_MAX	1600
#define CPUID_SPARE		2

#define CPUID_FEATURES		1u
#define CPUID_TOPOLOGY		0xbu
#define CPUID_TOPOLOGY_V2	0x1fu
#define CPUID_HYPERVISOR	0x40000000u
#define CPUID_TIMING		0x40000010u	/* EAX: kHz of the TSC, EBX: of the LAPIC timer or 0 */

#define FEATURE_ECX_HYPERVISOR	(1u << 31)
#define FEATURE_EBX_APIC_ID	0xff000000u
#define FEATURE_EBX_CPUS	0x00ff0000u

#define CR0_PE			(1u << 0)
#define CR0_ET			(1u << 4)

#define CALIBRATE_NS		20000000ull

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The frequency of the time-stamp counter, measured against the system's clock. */
static uint32_t tsc_khz(void)
{
	uint64_t start = clock_ns(), now;
	uint64_t tsc = __builtin_ia32_rdtsc();

	do
		now = clock_ns();
	while (now - start < CALIBRATE_NS);
	return (uint32_t)((__builtin_ia32_rdtsc() - tsc) * 1000000u / (now - start));
}

static struct kvm_cpuid2 *cpuid_supported(int kvm)
{
	for (unsigned int n = CPUID_ENTRIES; n <= CPUID_ENTRIES_MAX; n *= 2) {
		struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
				(n + CPUID_SPARE) * sizeof(struct kvm_cpuid_entry2));

		if (!cpuid)
			break;
		cpuid->nent = n;
		if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
			return cpuid;
		free(cpuid);
		if (errno != E2BIG)
			break;
	}
	fail(NULL, "cannot get the CPUID leaves that a guest may see");
}

static struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function)
			return &cpuid->entries[i];
	return NULL;
}

/* The first entry of @function; a new empty one if there is none. */
static struct kvm_cpuid_entry2 *cpuid_get(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(cpuid, function);

	if (!entry) {
		entry = &cpuid->entries[cpuid->nent++];
		entry->function = function;
	}
	return entry;
}

static void cpuid_set(const struct vcpu *vcpu, int kvm)
{
	struct kvm_cpuid2 *cpuid = cpuid_supported(kvm);
	struct kvm_cpuid_entry2 *entry = cpuid_find(cpuid, CPUID_FEATURES);

	if (entry) {
		entry->ebx &= ~(FEATURE_EBX_APIC_ID | FEATURE_EBX_CPUS);
		entry->ebx |= 1u << 16;
		entry->ecx |= FEATURE_ECX_HYPERVISOR;
	}
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		entry = &cpuid->entries[i];
		if (entry->function == CPUID_TOPOLOGY || entry->function == CPUID_TOPOLOGY_V2)
			entry->edx = 0;		/* the APIC id */
	}
	entry = cpuid_get(cpuid, CPUID_HYPERVISOR);
	if (entry->eax < CPUID_TIMING)
		entry->eax = CPUID_TIMING;
	cpuid_get(cpuid, CPUID_TIMING)->eax = tsc_khz();
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		fail(NULL, "cannot set the CPUID leaves of the guest");
	free(cpuid);
}

static void registers_set(const struct vcpu *vcpu, uint32_t entry, uint32_t start_info)
{
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 0x10, .type = 3,
		.present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_segment code = data;
	const struct kvm_regs regs = { .rip = entry, .rbx = start_info, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		fail(NULL, "cannot read the registers of the virtual CPU");
	code.selector = 8;
	code.type = 0xb;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1 };
	sregs.ldt = (struct kvm_segment){ .limit = 0xffff, .type = 2, .present = 1 };
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr3 = 0;
	sregs.cr4 = 0;
	sregs.efer = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		fail(NULL, "cannot set the registers of the virtual CPU");
}

void vcpu_create(struct vcpu *vcpu, struct vm *vm, uint32_t entry, uint32_t start_info)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(struct kvm_run))
		fail(NULL, "cannot get the size of a virtual CPU's shared area");
	vcpu->run_size = (size_t)size;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vcpu->fd < 0)
		fail(NULL, "cannot create the virtual CPU");
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		fail(NULL, "cannot map the shared area of the virtual CPU");
	cpuid_set(vcpu, vm->kvm);
	registers_set(vcpu, entry, start_info);
}
