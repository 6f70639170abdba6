/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attack may not change, and how one knows: a pattern in memory of this program that is not
 * mapped for the device, the same in another program, the kernel's canary page, its audit, and the
 * IOMMU's fault records.
 */
#ifndef PROGRAMS_ATTACK_H
#define PROGRAMS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTACK_VICTIM "victim" /* argv[1] of the other program */
#define ATTACK_BYTES (4u << 20)

/* First in main(): when this process is the victim, plays it and does not return. */
void attack_victim(int argc, char **argv);
/* Starts the victim and fills the patterns. */
void attack_start(void);
/* Physical address of a byte of our own pattern; 0: the system does not tell. */
uint64_t attack_own_address(size_t offset);
/* The kernel's canary page; 0: there is none. */
uint64_t attack_canary_address(void);
/* True when the pattern's first `n` bytes from `offset` stand at `p`. */
bool attack_is_pattern(const void *p, size_t offset, size_t n);
/* Faults that the IOMMU has counted for a requester (SSSS:BB:DD.F); 0: none. */
long long attack_faults(const char *device);
/* Our pattern, canary and audit, one line each; again and again if one likes. */
void attack_check(const char *after);
/* Ends the victim and judges by its exit status. */
void attack_end(void);

#endif
