// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest may do without leaving: no port, and only the MSRs that VMLOAD and VMSAVE move with
 * the guest (APM 2, 15.10 and 15.11). All vCPUs share the two maps, which never change after start.
 */
#include "arch/x86/svm/svm.h"

/* The map of each range of MSRs takes 2 KiB: two bits per MSR, read and write. */
static const struct {
	u32 first;
	u32 offset;
} msr_ranges[] = {
	{ 0x00000000, 0x0000 },
	{ 0xc0000000, 0x0800 },
	{ 0xc0010000, 0x1000 },
};
#define MSRS_PER_RANGE 0x2000

static const u32 free_msrs[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
};

u8 svm_iopm[SVM_IOPM_SIZE] __attribute__((aligned(4096)));
u8 svm_msrpm[SVM_MSRPM_SIZE] __attribute__((aligned(4096)));

static void msr_free(u32 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(msr_ranges); i++) {
		u32 n = msr - msr_ranges[i].first;

		if (n < MSRS_PER_RANGE)
			svm_msrpm[msr_ranges[i].offset + n / 4] &= (u8)~(3u << (n % 4 * 2));
	}
}

void svm_bitmaps_init(void)
{
	memset(svm_iopm, 0xff, sizeof(svm_iopm));
	memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
	for (size_t i = 0; i < ARRAY_SIZE(free_msrs); i++)
		msr_free(free_msrs[i]);
}
