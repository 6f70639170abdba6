/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's interrupt vectors, for C and assembly: 32 exceptions, then the vectors that devices
 * take one after the other, then the timer's and the LAPIC's spurious one.
 */
#ifndef UNIKERNEL_TRAP_VECTORS_H
#define UNIKERNEL_TRAP_VECTORS_H

#define TRAP_VECTORS		64
#define TRAP_STUB_BYTES		16

#define VECTOR_DEVICE_FIRST	32
#define VECTOR_DEVICE_END	62
#define VECTOR_TIMER		62
#define VECTOR_SPURIOUS		63

#endif
