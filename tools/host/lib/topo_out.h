/* SPDX-License-Identifier: GPL-2.0-only */
/* A grouped machine (topo.h) as text, JSON, and a drawing. rule: "safe" or "linux". */
#ifndef TOOLS_HOST_LIB_TOPO_OUT_H
#define TOOLS_HOST_LIB_TOPO_OUT_H

#include "tools/host/lib/topo.h"

void topo_print_text(FILE *out, const struct topo *t, const char *rule);
void topo_print_json(FILE *out, const struct topo *t, const char *rule);
void topo_print_svg(FILE *out, const struct topo *t, const char *rule);

/* Functions of a group, those behind a VMD included. */
unsigned topo_group_size(const struct topo *t, const struct iommu_group *g);
/* Why they share it: the kernel's reason, and the VMD's. In one buffer. */
const char *topo_group_reason(const struct topo *t, const struct iommu_group *g);

#endif
