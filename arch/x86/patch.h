/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * STAC and CLAC (SDM vol. 2) exist only with SMAP: their places hold a three-byte NOP and are listed
 * in .cpu_patch; cpu_patch_smap() puts the real instruction there while the text is still writable.
 */
#ifndef ARCH_X86_PATCH_H
#define ARCH_X86_PATCH_H

	.macro smap_patch opcode
771:	.byte 0x0f, 0x1f, 0x00
	.pushsection .cpu_patch, "a"
	.quad 771b, \opcode
	.popsection
	.endm
	.macro clac_if_smap
	smap_patch 0xca010f
	.endm
	.macro stac_if_smap
	smap_patch 0xcb010f
	.endm

#endif
