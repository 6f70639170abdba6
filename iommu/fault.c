// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults, whoever's unit found them: named, counted per requester, logged with a limit, and silenced
 * when they come as a storm.  /sys/kernel/postern/faults has one line per requester.
 *
 * Runs in interrupt context and allocates nothing: a fixed table holds the first 128 requesters that
 * ever faulted, later ones share one record.  fault_lock guards the table.
 */
#include <stdio.h>

#include "iommu/iommu.h"
#include "kernel/file.h"
#include "kernel/initcall.h"
#include "kernel/thread.h"

#define RECORDS 128
#define WINDOW_NS NS_PER_S
#define LINES_PER_WINDOW 10
#define STORM_PER_WINDOW 1000
#define LINE 256

struct fault_record {
	bool used;
	u16 segment, rid;
	u64 count;
	u64 window_start;
	u32 window_count;
	char last[LINE];
};

static struct spinlock fault_lock = SPINLOCK_INIT;
static struct fault_record records[RECORDS + 1]; /* the last one: all others */
static void (*fault_handler)(const struct iommu_fault *f);

void iommu_set_fault_handler(void (*fn)(const struct iommu_fault *f))
{
	fault_handler = fn;
}

/* The function that sent it: by its own id, or as the one whose alias it is. */
static struct pci_dev *fault_dev(const struct iommu_fault *f)
{
	struct pci_dev *dev = pci_find(f->segment, (u8)(f->rid >> 8), (u8)f->rid);
	struct pci_alias a[PCI_MAX_ALIASES];

	if (dev)
		return dev;
	pci_for_each(dev) {
		unsigned n = dev->group && dev->group->domain && dev->segment == f->segment ? pci_dma_aliases(dev, a) : 0;

		for (unsigned i = 0; i < n; i++)
			if ((u16)(a[i].bus << 8 | a[i].devfn) == f->rid)
				return dev;
	}
	return NULL;
}

static struct fault_record *record_find(const struct iommu_fault *f)
{
	struct fault_record *r = records;

	for (; r < records + RECORDS && r->used; r++)
		if (r->segment == f->segment && r->rid == f->rid)
			return r;
	if (!r->used) {
		r->used = true;
		r->segment = f->segment;
		r->rid = f->rid;
	}
	return r;
}

static void fault_describe(const struct iommu_fault *f, char *buf, size_t n)
{
	const char *owner = f->dev && f->dev->group && f->dev->group->owner[0] ? f->dev->group->owner : "nobody";
	char what[48];

	if (!f->reason) {
		snprintf(buf, n, "%s, owner: %s", f->text, owner);
		return;
	}
	if (f->interrupt)
		snprintf(what, sizeof(what), "interrupt message %u", (unsigned)f->address);
	else
		snprintf(what, sizeof(what), "DMA %s 0x%llx", f->write ? "write to" : "read of",
			 (unsigned long long)f->address);
	snprintf(buf, n, "%s blocked: %s (reason %u), owner: %s", what, f->text, f->reason, owner);
}

static void record_name(const struct fault_record *r, char *buf, size_t n)
{
	if (r == &records[RECORDS])
		snprintf(buf, n, "others");
	else
		snprintf(buf, n, "%04x:%02x:%02x.%x", r->segment, r->rid >> 8, r->rid >> 3 & 31, r->rid & 7);
}

bool iommu_report_fault(struct iommu_fault *f)
{
	struct fault_record *r;
	u32 suppressed = 0;
	bool irq, show, storm, over;
	u64 now = arch_now_ns();
	char name[16], text[LINE];

	f->dev = fault_dev(f);
	fault_describe(f, text, sizeof(text));
	irq = spin_lock(&fault_lock);
	r = record_find(f);
	if (now - r->window_start >= WINDOW_NS) {
		suppressed = r->window_count > LINES_PER_WINDOW ? r->window_count - LINES_PER_WINDOW : 0;
		r->window_start = now;
		r->window_count = 0;
	}
	r->count++;
	show = ++r->window_count <= LINES_PER_WINDOW;
	over = r->window_count >= STORM_PER_WINDOW;
	storm = r->window_count % STORM_PER_WINDOW == 0; /* again when its owner switches it on again */
	memcpy(r->last, text, sizeof(text));
	record_name(r, name, sizeof(name));
	spin_unlock(&fault_lock, irq);

	if (suppressed)
		log_warn("%s: %u more faults were not shown", name, suppressed);
	if (show)
		log_warn("%s %s", name, text);
	if (storm && f->dev) {
		pci_set_master(f->dev, false);
		log_err("%s: %u faults in a second: bus mastering is off", f->dev->name, STORM_PER_WINDOW);
	}
	if (fault_handler)
		fault_handler(f);
	return over;
}

static s64 faults_show(struct node *, char *buf, size_t cap)
{
	size_t at = 0;
	char name[16];

	buf[0] = 0;
	for (unsigned i = 0; i <= RECORDS; i++) {
		int len = 0;

		guard_spin(&fault_lock);
		record_name(&records[i], name, sizeof(name));
		if (records[i].used)
			len = snprintf(buf + at, cap - at, "%s %llu last: %s\n", name,
				       (unsigned long long)records[i].count, records[i].last);
		if (len < 0 || (size_t)len >= cap - at)
			break; /* the buffer is full: whole lines only */
		at += (size_t)len;
	}
	return (s64)at;
}

static const struct node_ops faults_ops = { .show = faults_show, .mode = 0444 };

static int iommu_faults_init(void)
{
	return node_add("/sys/kernel/postern/faults", &faults_ops, NULL) ? 0 : -ENOMEM;
}
INITCALL(INITCALL_DEVICES, iommu_faults_init);
