/* SPDX-License-Identifier: GPL-2.0-only */
/* Between slots.c and nested.c: the nested tables under the slots' lock. */
#ifndef VIRT_NESTED_H
#define VIRT_NESTED_H

#include "virt/slots.h"

/* The slot that covers gpa, or NULL. */
struct slot *slots_at(const struct slots *s, gpa_t gpa);
/* Take [gpa, gpa + size) out of the tables; no vCPU can use it on return. */
void nested_remove(struct slots *s, gpa_t gpa, u64 size);
/* The address space's watch. */
void nested_zap(struct mm_watch *w, uaddr_t addr, u64 len);

#endif
