/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SET_IRQS: MSI and MSI-X vectors to eventfds, and the ERR and REQ notices (4.4); INTx is in pci_intx.c.
 *
 * One mode at a time.  An MSI-X vector takes its CPU vector and remapping entry when an eventfd is
 * attached, at any time; MSI takes all at once, because one message serves them: their count is fixed then.  A vector's eventfd is swapped whole: the interrupt handler reads it once, and
 * the old one is put only after a round of IPIs, and when no handler is left that spins for the
 * eventfd's lock, where it answers IPIs too.
 *
 * Whoever drives a device decides how often it interrupts.  One that would take a CPU for itself loses bus
 * mastering, without which it sends no message of any kind, masked or not, and its INTx stays masked.
 */
#include "passthrough/private.h"

/* More than 262,144 a second to one CPU; the clock is read once in STORM_COUNT interrupts. */
#define STORM_COUNT 32768u
#define STORM_NS (125 * NS_PER_MS)

/* Lock-free: an interrupt handler calls. A program that sets the bit at this moment looks at `silenced` after. */
static void silence(struct vfio_device *v)
{
	if (!__atomic_exchange_n(&v->silenced, true, __ATOMIC_SEQ_CST))
		log_err("vfio-pci %s: more than %llu interrupts a second to CPU %u: bus mastering is off and INTx "
			"masked until the last close", v->pci->name, (unsigned long long)(STORM_COUNT * NS_PER_S / STORM_NS), arch_cpu_id());
	pci_set_master(v->pci, false);
}

void vfio_irqs_hold(struct vfio_device *v)
{
	if (__atomic_load_n(&v->silenced, __ATOMIC_SEQ_CST))
		pci_set_master(v->pci, false);
	vfio_intx_hold(v);
}

static void rate_check(struct vfio_device *v, struct vfio_irq_rate *r) __attribute__((noinline));
static void rate_check(struct vfio_device *v, struct vfio_irq_rate *r)
{
	u64 now = arch_now_ns();

	if (now - r->since < STORM_NS)
		silence(v);
	r->since = now;
	r->count = 0;
}

/* Inlined into the handler below. */
void vfio_irqs_count(struct vfio_device *v, u32 weight)
{
	struct vfio_irq_rate *rate = &v->rate[arch_cpu_id()];

	if (__builtin_expect((rate->count += weight) >= STORM_COUNT, 0))
		rate_check(v, rate);
}

static void vector_handler(void *arg)
{
	struct vfio_vector *vec = arg;
	struct eventfd *ev;

	vfio_irqs_count(vec->device, 1);
	WRITE_ONCE(vec->busy, 1);
	ev = READ_ONCE(vec->ev);
	if (ev)
		eventfd_signal(ev);
	__atomic_store_n(&vec->busy, 0, __ATOMIC_RELEASE);
}

static void nothing(void *)
{
}

/* Replace *slot; after return nobody signals the old one. Takes over new's reference. */
static void eventfd_swap(struct eventfd **slot, struct eventfd *new, const u32 *busy)
{
	struct eventfd *old = *slot;

	WRITE_ONCE(*slot, new);
	if (!old)
		return;
	arch_ipi_all(nothing, NULL);
	while (__atomic_load_n(busy, __ATOMIC_ACQUIRE))
		arch_cpu_relax();
	eventfd_put(old);
}

u32 vfio_irq_count(const struct vfio_device *v, unsigned index)
{
	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX: /* the pin is 0 where no route is known */
		return vfio_config_shadow(v, PCI_INTERRUPT_LINE, 0xff00) != 0;
	case VFIO_PCI_MSI_IRQ_INDEX:
		return v->pci->cap_msi ? v->pci->msi_vectors : 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return v->pci->msix_vectors;
	case VFIO_PCI_ERR_IRQ_INDEX:
		return v->pci->type != PCI_CONVENTIONAL;
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

static void vector_stop(struct vfio_device *v, unsigned i)
{
	struct vfio_vector *vec = &v->vector[i];

	if (v->irq_mode == VFIO_IRQ_MSIX && vec->irte) {
		pci_msix_set(v->pci, i, NULL);
		iommu_irq_unmap(vec->irte);
		arch_irq_free(&v->irq[i]);
		vec->irte = NULL;
	}
	eventfd_swap(&vec->ev, NULL, &vec->busy);
}

static int vector_alloc(struct vfio_device *v, unsigned i)
{
	int ret;

	v->irq[i] = (struct irq){ .handler = vector_handler, .arg = &v->vector[i] };
	ret = arch_irq_alloc(&v->irq[i], arch_cpu_id());
	return ret ? refuse(ret, "%s: interrupt %u: this CPU has no vector left", v->pci->name, i) : 0;
}

/* Take a CPU vector and a remapping entry for MSI-X vector i, and unmask it. */
static int msix_start(struct vfio_device *v, unsigned i)
{
	struct msi_msg msg;
	int ret;

	if (v->vector[i].irte)
		return 0;
	ret = vector_alloc(v, i);
	if (ret)
		return ret;
	ret = iommu_irq_map(v->pci, &v->irq[i], 1, &v->vector[i].irte, &msg);
	if (ret)
		arch_irq_free(&v->irq[i]);
	else
		pci_msix_set(v->pci, i, &msg);
	return ret;
}

/* fd < 0 clears the vector. */
static int vector_assign(struct vfio_device *v, unsigned i, s32 fd)
{
	struct eventfd *ev;
	int ret;

	if (fd < 0) {
		vector_stop(v, i);
		return 0;
	}
	ret = eventfd_from_fd(fd, &ev);
	if (ret)
		return ret;
	eventfd_swap(&v->vector[i].ev, ev, &v->vector[i].busy);
	ret = v->irq_mode == VFIO_IRQ_MSIX ? msix_start(v, i) : 0;
	if (ret)
		vector_stop(v, i);
	return ret;
}

static void vectors_free(struct vfio_device *v)
{
	kfree(v->vector);
	kfree(v->irq);
	v->vector = NULL;
	v->irq = NULL;
	v->nvectors = 0;
	v->irq_mode = VFIO_IRQ_NONE;
}

static void mode_disable(struct vfio_device *v)
{
	if (v->irq_mode == VFIO_IRQ_INTX)
		vfio_intx_disable(v);
	if (v->irq_mode == VFIO_IRQ_MSI) {
		pci_msi_disable(v->pci);
		iommu_irq_unmap(v->vector[0].irte);
		for (unsigned i = 0; i < 1u << v->msi_log2; i++)
			arch_irq_free(&v->irq[i]);
	}
	for (unsigned i = 0; i < v->nvectors; i++)
		vector_stop(v, i);
	if (v->irq_mode == VFIO_IRQ_MSIX)
		pci_msix_disable(v->pci);
	if (v->irq_mode != VFIO_IRQ_NONE)
		vectors_free(v);
}

/* One message serves 2^log2 vectors: remapping entries in a row, each to a CPU vector of its own. */
static int msi_enable(struct vfio_device *v, unsigned n)
{
	unsigned log2 = n > 1 ? 32 - __builtin_clz(n - 1) : 0, taken;
	struct msi_msg msg;
	int ret = 0;

	for (taken = 0; !ret && taken < 1u << log2; taken += !ret)
		ret = vector_alloc(v, taken);
	if (!ret)
		ret = iommu_irq_map(v->pci, v->irq, 1u << log2, &v->vector[0].irte, &msg);
	if (!ret) {
		ret = pci_msi_enable(v->pci, log2, &msg);
		if (!ret) {
			v->msi_log2 = log2;
			return 0;
		}
		iommu_irq_unmap(v->vector[0].irte);
	}
	while (taken)
		arch_irq_free(&v->irq[--taken]);
	return ret;
}

static int mode_enable(struct vfio_device *v, enum vfio_irq_mode mode, unsigned n)
{
	unsigned room = mode == VFIO_IRQ_MSI ? 1 : v->pci->msix_vectors;
	int ret;

	if (!n)
		return -ERANGE;
	while (room < n)
		room *= 2;
	v->vector = kcalloc(room, sizeof(*v->vector));
	v->irq = kcalloc(room, sizeof(*v->irq));
	if (!v->vector || !v->irq) {
		vectors_free(v);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < room; i++)
		v->vector[i].device = v;
	v->nvectors = mode == VFIO_IRQ_MSI ? n : room;
	ret = mode == VFIO_IRQ_MSI ? msi_enable(v, n) : pci_msix_enable(v->pci);
	if (ret)
		vectors_free(v);
	else
		v->irq_mode = mode;
	return ret;
}

struct irq_data {
	u32 type;      /* VFIO_IRQ_SET_DATA_* */
	const u8 *bytes; /* count bools or s32s; may be unaligned */
};

static s32 data_fd(const struct irq_data *d, unsigned i)
{
	s32 fd;

	memcpy(&fd, d->bytes + i * sizeof(fd), sizeof(fd));
	return fd;
}

/* NONE and BOOL: signal, as if the interrupt had come. */
static void loopback(struct vfio_device *v, const struct vfio_irq_set *s, const struct irq_data *d)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct eventfd *ev = v->vector[s->start + i].ev;

		if (ev && (d->type == VFIO_IRQ_SET_DATA_NONE || d->bytes[i]))
			eventfd_signal(ev);
	}
}

static s64 msi_trigger(struct vfio_device *v, const struct vfio_irq_set *s, const struct irq_data *d)
{
	enum vfio_irq_mode mode = s->index == VFIO_PCI_MSI_IRQ_INDEX ? VFIO_IRQ_MSI : VFIO_IRQ_MSIX;
	bool first = v->irq_mode == VFIO_IRQ_NONE;
	u32 end = s->start + s->count;
	int ret = 0;

	if (v->irq_mode == mode && !s->count && d->type == VFIO_IRQ_SET_DATA_NONE) {
		mode_disable(v);
		return 0;
	}
	if (v->irq_mode != mode && !(first && d->type == VFIO_IRQ_SET_DATA_EVENTFD))
		return refuse(-EINVAL, "%s: SET_IRQS: %s is not enabled%s", v->pci->name,
			      mode == VFIO_IRQ_MSI ? "MSI" : "MSI-X", first ? "" : ", another kind is");
	if (first)
		ret = mode_enable(v, mode, end);
	else if (end > v->nvectors)
		return refuse(-EINVAL, "%s: SET_IRQS: %u vectors are enabled; tear down to have more", v->pci->name,
			      v->nvectors);
	if (ret)
		return ret;
	if (d->type != VFIO_IRQ_SET_DATA_EVENTFD) {
		loopback(v, s, d);
		return 0;
	}
	for (unsigned i = 0; i < s->count && !ret; i++) {
		ret = vector_assign(v, s->start + i, data_fd(d, i));
		for (unsigned k = 0; ret && k <= i; k++)
			vector_stop(v, s->start + k);
	}
	if (ret && first)
		mode_disable(v);
	return ret;
}

/* ERR and REQ: one eventfd, no hardware. */
static s64 notice_trigger(struct eventfd **slot, const struct vfio_irq_set *s, const struct irq_data *d)
{
	struct eventfd *ev = NULL;
	int ret = 0;

	if (d->type == VFIO_IRQ_SET_DATA_EVENTFD && s->count == 1) {
		s32 fd = data_fd(d, 0);

		if (fd < -1)
			return 0;
		if (fd >= 0)
			ret = eventfd_from_fd(fd, &ev);
		if (!ret)
			eventfd_swap(slot, ev, &vfio_faults_busy);
		return ret;
	}
	if (d->type == VFIO_IRQ_SET_DATA_NONE && *slot) {
		if (s->count)
			eventfd_signal(*slot);
		else
			eventfd_swap(slot, NULL, &vfio_faults_busy);
		return 0;
	}
	if (d->type == VFIO_IRQ_SET_DATA_BOOL && s->count == 1 && *slot) {
		if (d->bytes[0])
			eventfd_signal(*slot);
		return 0;
	}
	return refuse(-EINVAL, "SET_IRQS: index %u: no eventfd is registered, or a bad count", s->index);
}

/* Header checks, all before anything else happens. Returns the bytes of data that follow, or -errno. */
static s64 irq_set_check(const struct vfio_device *v, const struct vfio_irq_set *s)
{
	const size_t minsz = offsetof(struct vfio_irq_set, data);
	u32 n, type = s->flags & VFIO_IRQ_SET_DATA_TYPE_MASK, size;

	if (s->argsz < minsz || s->index >= VFIO_PCI_NUM_IRQS || s->count >= ~0u - s->start ||
	    (s->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)))
		return refuse(-EINVAL, "%s: SET_IRQS: argsz %u index %u start %u count %u flags 0x%x", v->pci->name,
			      s->argsz, s->index, s->start, s->count, s->flags);
	n = vfio_irq_count(v, s->index);
	if (!n && s->index == VFIO_PCI_INTX_IRQ_INDEX)
		return vfio_intx_absent(v, -EINVAL);
	if (s->start >= n || s->start + s->count > n)
		return refuse(-EINVAL, "%s: SET_IRQS: interrupts %u+%u of index %u, which has %u", v->pci->name, s->start,
			      s->count, s->index, n);
	if (type == VFIO_IRQ_SET_DATA_NONE)
		return 0;
	if (type != VFIO_IRQ_SET_DATA_BOOL && type != VFIO_IRQ_SET_DATA_EVENTFD)
		return refuse(-EINVAL, "%s: SET_IRQS: exactly one of NONE, BOOL, EVENTFD", v->pci->name);
	size = type == VFIO_IRQ_SET_DATA_BOOL ? 1 : sizeof(s32);
	if ((s->argsz - minsz) / size < s->count)
		return refuse(-EINVAL, "%s: SET_IRQS: argsz %u is too small for %u interrupts", v->pci->name, s->argsz,
			      s->count);
	return (s64)s->count * size;
}

static s64 irq_set_perform(struct vfio_device *v, const struct vfio_irq_set *s, const struct irq_data *d)
{
	u32 action = s->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

	if (!action || (action & (action - 1)) ||
	    (action != VFIO_IRQ_SET_ACTION_TRIGGER && s->index != VFIO_PCI_INTX_IRQ_INDEX))
		return -ENOTTY; /* MASK and UNMASK belong to INTx */
	switch (s->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return vfio_intx_perform(v, s, d->type == VFIO_IRQ_SET_DATA_EVENTFD && s->count ? data_fd(d, 0) :
						d->type == VFIO_IRQ_SET_DATA_BOOL && s->count ? d->bytes[0] : 1);
	case VFIO_PCI_MSI_IRQ_INDEX:
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return msi_trigger(v, s, d);
	case VFIO_PCI_ERR_IRQ_INDEX:
		return notice_trigger(&v->err, s, d);
	default:
		return notice_trigger(&v->req, s, d);
	}
}

s64 vfio_irqs_ioctl(struct vfio_device *v, uaddr_t arg)
{
	const size_t minsz = offsetof(struct vfio_irq_set, data);
	struct vfio_irq_set s;
	struct irq_data d = { 0 };
	u8 *bytes = NULL;
	s64 ret, len;

	if (copy_from_user(&s, arg, minsz))
		return -EFAULT;
	len = irq_set_check(v, &s);
	if (len < 0)
		return len;
	if (len) {
		bytes = kmalloc((size_t)len);
		if (!bytes)
			return -ENOMEM;
		if (copy_from_user(bytes, arg + minsz, (size_t)len)) {
			kfree(bytes);
			return -EFAULT;
		}
	}
	d.type = s.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	d.bytes = bytes;
	mutex_lock(&v->lock);
	ret = irq_set_perform(v, &s, &d);
	mutex_unlock(&v->lock);
	kfree(bytes);
	return ret;
}

void vfio_irqs_teardown(struct vfio_device *v)
{
	mode_disable(v);
	eventfd_swap(&v->err, NULL, &vfio_faults_busy);
	eventfd_swap(&v->req, NULL, &vfio_faults_busy);
}
