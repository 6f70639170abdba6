/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VT-d as the manual numbers it (Intel Virtualization Technology for Directed I/O, revision 5.10):
 * registers, descriptors and table entries.  One mask per field; names are the manual's, so that a
 * reader can search there.  Nothing but constants: meaning is given in unit.c (struct vtd_caps) and
 * at the constructors of queue.c, root.c and remap.c.
 */
#ifndef IOMMU_VTD_REGS_H
#define IOMMU_VTD_REGS_H

#include "kernel/base.h"

/* ---- registers, 11.4 ------------------------------------------------------------------------*/
#define VTD_VER 0x00     /* 11.4.1 */
#define VTD_CAP 0x08     /* 11.4.2 */
#define VTD_ECAP 0x10    /* 11.4.3 */
#define VTD_GCMD 0x18    /* 11.4.4.1 */
#define VTD_GSTS 0x1c    /* 11.4.4.2 */
#define VTD_RTADDR 0x20  /* 11.4.5 */
#define VTD_CCMD 0x28    /* 11.4.6.1 */
#define VTD_FSTS 0x34    /* 11.4.7.1 */
#define VTD_FECTL 0x38   /* 11.4.7.2 */
#define VTD_FEDATA 0x3c  /* 11.4.7.3 */
#define VTD_FEADDR 0x40  /* 11.4.7.4 */
#define VTD_FEUADDR 0x44 /* 11.4.7.5 */
#define VTD_PMEN 0x64    /* 11.4.8.1 */
#define VTD_IQH 0x80     /* 11.4.9.1 */
#define VTD_IQT 0x88     /* 11.4.9.2 */
#define VTD_IQA 0x90     /* 11.4.9.3 */
#define VTD_IRTA 0xb8    /* 11.4.10 */

#define VTD_VER_MAX GENMASK(7, 4)
#define VTD_VER_NO_REGISTERS 6 /* from this version on there is no register-based invalidation */

#define VTD_CAP_ND GENMASK(2, 0)
#define VTD_CAP_RWBF BIT(4)
#define VTD_CAP_PLMR BIT(5)
#define VTD_CAP_PHMR BIT(6)
#define VTD_CAP_CM BIT(7)
#define VTD_CAP_SAGAW GENMASK(12, 8)
#define VTD_CAP_MGAW GENMASK(21, 16)
#define VTD_CAP_FRO GENMASK(33, 24)
#define VTD_CAP_SSLPS GENMASK(37, 34)
#define VTD_CAP_PSI BIT(39)
#define VTD_CAP_NFR GENMASK(47, 40)
#define VTD_CAP_MAMV GENMASK(53, 48)
#define VTD_CAP_DWD BIT(54)
#define VTD_CAP_DRD BIT(55)
#define VTD_CAP_FS1GP BIT(56)
#define VTD_CAP_PI BIT(59)

#define VTD_ECAP_C BIT(0)
#define VTD_ECAP_QI BIT(1)
#define VTD_ECAP_DT BIT(2)
#define VTD_ECAP_IR BIT(3)
#define VTD_ECAP_EIM BIT(4)
#define VTD_ECAP_SC BIT(7)
#define VTD_ECAP_DIT BIT(41)
#define VTD_ECAP_SMTS BIT(43)
#define VTD_ECAP_SSTS BIT(46)
#define VTD_ECAP_FSTS BIT(47)
#define VTD_ECAP_SMPWC BIT(48)
#define VTD_ECAP_IRO GENMASK(17, 8)

/* Bits of GCMD and of GSTS that mirror each other. */
#define VTD_G_TE BIT(31)
#define VTD_G_SRTP BIT(30)
#define VTD_G_EAFL BIT(28)
#define VTD_G_WBF BIT(27)
#define VTD_G_QIE BIT(26)
#define VTD_G_IRE BIT(25)
#define VTD_G_SIRTP BIT(24)
#define VTD_G_CFI BIT(23)
/* Status without the one-shot commands, to be written back with a new command (11.4.4.1). */
#define VTD_GSTS_KEEP 0x96ffffffu

#define VTD_RTADDR_TTM GENMASK(11, 10)
#define VTD_TTM_LEGACY 0
#define VTD_TTM_SCALABLE 1

/* Register-based invalidation, 11.4.6: CCMD, and the IOTLB register 8 bytes above IVA at ECAP.IRO. */
#define VTD_INV_GO BIT(63) /* ICC of CCMD, IVT of IOTLB */
#define VTD_CCMD_CIRG GENMASK(62, 61)
#define VTD_CCMD_CAIG GENMASK(60, 59)
#define VTD_CCMD_SID GENMASK(31, 16)
#define VTD_CCMD_DID GENMASK(15, 0)
#define VTD_IOTLB_IIRG GENMASK(61, 60)
#define VTD_IOTLB_IAIG GENMASK(58, 57)
#define VTD_IOTLB_DR BIT(49)
#define VTD_IOTLB_DW BIT(48)
#define VTD_IOTLB_DID GENMASK(47, 32)

#define VTD_FSTS_PFO BIT(0)
#define VTD_FSTS_PPF BIT(1)
#define VTD_FSTS_IQE BIT(4)
#define VTD_FSTS_ICE BIT(5)
#define VTD_FSTS_ITE BIT(6)
#define VTD_FSTS_FRI GENMASK(15, 8)
#define VTD_FECTL_IM BIT(31)

#define VTD_PMEN_EPM BIT(31)
#define VTD_PMEN_PRS BIT(0)

#define VTD_IQ_OFFSET GENMASK(18, 4) /* in IQH and IQT: 16-byte descriptors */
#define VTD_IQA_DW BIT(11)           /* 32-byte descriptors */
#define VTD_IRTA_S GENMASK(3, 0)     /* 2^(S+1) entries */
#define VTD_IRTA_EIME BIT(11)

/* Fault recording registers, 11.4.7.6: two 64-bit halves each. */
#define VTD_FRCD_SIZE 16
#define VTD_FRCD_FI GENMASK(63, 12)         /* low half */
#define VTD_FRCD_INDEX GENMASK(63, 48)      /* low half, interrupt-remapping faults */
#define VTD_FRCD_F BIT(63)                  /* high half from here */
#define VTD_FRCD_T1 BIT(62)
#define VTD_FRCD_FR GENMASK(39, 32)
#define VTD_FRCD_SID GENMASK(15, 0)

/* ---- invalidation descriptors, 6.5.2 --------------------------------------------------------*/
#define VTD_DESC_CONTEXT 0x1 /* 6.5.2.1 */
#define VTD_DESC_IOTLB 0x2   /* 6.5.2.3 */
#define VTD_DESC_DEVICE_TLB 0x3 /* 6.5.2.5 */
#define VTD_DESC_IEC 0x4     /* 6.5.2.8 */
#define VTD_DESC_WAIT 0x5    /* 6.5.2.9 */
#define VTD_DESC_PIOTLB 0x6  /* 6.5.2.4, PASID-based */
#define VTD_DESC_PASID 0x7   /* 6.5.2.2 */
#define VTD_DESC_TYPE GENMASK(3, 0)
#define VTD_DESC_G GENMASK(5, 4)
#define VTD_G_GLOBAL 1
#define VTD_G_DOMAIN 2
#define VTD_G_SELECTIVE 3 /* a device (context) or pages (IOTLB) */
#define VTD_PASID_GLOBAL 3 /* of PASID-cache descriptors; 0: a domain */
#define VTD_DESC_DID GENMASK(31, 16)
#define VTD_DESC_SID GENMASK(47, 32)  /* context, device TLB */
#define VTD_DESC_DW BIT(6)            /* IOTLB */
#define VTD_DESC_DR BIT(7)            /* IOTLB */
#define VTD_DESC_AM GENMASK(5, 0)     /* IOTLB, high half from here */
#define VTD_DESC_IH BIT(6)
#define VTD_DESC_PFSID_LOW GENMASK(15, 12) /* device TLB */
#define VTD_DESC_MIP GENMASK(20, 16)
#define VTD_DESC_PFSID_HIGH GENMASK(63, 52)
#define VTD_DESC_S BIT(0)             /* device TLB, high half: more than one page */
#define VTD_DESC_IEC_INDEX BIT(4)     /* IEC: index-selective */
#define VTD_DESC_IEC_IM GENMASK(31, 27)
#define VTD_DESC_IEC_IIDX GENMASK(47, 32)
#define VTD_DESC_SW BIT(5)            /* wait: write status */
#define VTD_DESC_STATUS GENMASK(63, 32)

/* ---- tables, chapter 9 ----------------------------------------------------------------------*/
#define VTD_ADDR GENMASK(51, 12)
#define VTD_ROOT_P BIT(0)                /* 9.1 root entry */
#define VTD_CONTEXT_P BIT(0)             /* 9.3 context entry, low half */
#define VTD_CONTEXT_DT BIT(2)            /* TT 01b, scalable DTE. Clear: all but untranslated requests are blocked */
#define VTD_CONTEXT_AW GENMASK(2, 0)     /* high half: levels - 2 */
#define VTD_CONTEXT_DID GENMASK(23, 8)

/* 9.2 and 9.4: a scalable root entry has a table for each half of a bus, a context entry 32 bytes of
 * which the first 8 lead to the PASID directory (PDTS 0: 128 entries) and the rest are 0. */
#define VTD_PASID_P BIT(0)               /* 9.5 directory entry; 9.6 table entry, first 8 bytes */
#define VTD_PASID_AW GENMASK(4, 2)
#define VTD_PASID_PGTT GENMASK(8, 6)
#define VTD_PGTT_FIRST 1
#define VTD_PGTT_SECOND 2
#define VTD_PASID_DID GENMASK(15, 0)     /* second 8 bytes */
#define VTD_PASID_PWSNP BIT(23)
#define VTD_PASID_PGSNP BIT(24)

#define VTD_IRTE_P BIT(0)                /* 9.9 interrupt-remapping table entry, low half */
#define VTD_IRTE_TM BIT(4)
#define VTD_IRTE_V GENMASK(23, 16)
#define VTD_IRTE_DST_XAPIC GENMASK(47, 40)
#define VTD_IRTE_DST_X2APIC GENMASK(63, 32)
#define VTD_IRTE_URG BIT(14)             /* 9.10 posted entry, low half */
#define VTD_IRTE_IM BIT(15)
#define VTD_IRTE_PDA_LOW GENMASK(63, 38) /* bits 31:6 of the descriptor's address */
#define VTD_IRTE_PDA_HIGH GENMASK(63, 32) /* high half */
#define VTD_IRTE_SID GENMASK(15, 0)      /* high half */
#define VTD_IRTE_SVT GENMASK(19, 18)
#define VTD_SVT_SID 1
#define VTD_SVT_BUS_RANGE 2

/* A root, context or interrupt-remapping entry, or a descriptor: 128 bits in two halves. */
struct vtd_entry {
	u64 lo, hi;
};
_Static_assert(sizeof(struct vtd_entry) == 16, "VT-d 9.1, 9.3, 9.9, 6.5.2");

/* Remappable interrupt message, 5.1.2.2. */
#define VTD_MSI_BASE 0xfee00000u
#define VTD_MSI_HANDLE_LOW GENMASK(19, 5)
#define VTD_MSI_REMAPPABLE BIT(4)
#define VTD_MSI_SHV BIT(3)
#define VTD_MSI_HANDLE_15 BIT(2)

#endif
