/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame allocator: references, 2 MiB frames, and who may have what.  4 KiB pages are cut from
 * split frames in frames_split.c; frames_init.c takes over the firmware's map.
 *
 * A frame is zeroed when it is given out, never when it comes back, unless the last owner says that
 * it is zero.  Who has a reference may take and put more without the lock: the state of a frame does
 * not change while it is out.  Only the last put, and every allocation, take the lock.
 */
#include "kernel/frames_records.h"

struct frames frames;
const struct frames_watch *frames_watch;

static paddr_t take_whole(void)
{
	struct frame *f = TAILQ_FIRST(&frames.free);

	if (!f)
		return FRAME_NONE;
	TAILQ_REMOVE(&frames.free, f, link);
	f->state = FRAME_STATE_WHOLE;
	f->refs = 1;
	frames.free_pages -= FRAME_PAGES;
	return frame_address(f);
}

static paddr_t alloc(unsigned pages, bool zero)
{
	bool on, zeroed = false;
	u64 size = pages * PAGE_SIZE;
	paddr_t pa;
	void *p;

	if (frames_watch && frames_watch->refuse(size))
		return FRAME_NONE;
	on = spin_lock(&frames.lock);
	pa = pages == FRAME_PAGES ? take_whole() : frame_take_pages(pages, &zeroed);
	spin_unlock(&frames.lock, on);
	if (pa == FRAME_NONE)
		return FRAME_NONE;
	p = phys_to_virt(pa);
	if (frames_watch)
		frames_watch->taken(p, size);
	if (zero && !zeroed)
		memset(p, 0, size);
	return pa;
}

paddr_t frame_alloc(u64 size)
{
	return alloc((unsigned)(size >> PAGE_SHIFT), true);
}

paddr_t frame_alloc_dirty(u64 size)
{
	return alloc((unsigned)(size >> PAGE_SHIFT), false);
}

paddr_t frame_alloc_run(unsigned pages)
{
	return pages && pages <= 256 ? alloc(pages, false) : FRAME_NONE;
}

/* The count that covers pa, which must be out. */
static inline u32 *refs_of(paddr_t pa)
{
	struct frame *f = frame_record(pa);

	if (f->state == FRAME_STATE_SPLIT)
		return &frame_split_of(f)->refs[frame_page(pa)];
	BUG_ON(f->state != FRAME_STATE_WHOLE);
	return &f->refs;
}

/* Programs decide how often a frame is pinned. CPUs that look at the same time pass the limit by a few. */
_Static_assert(FRAME_REFS_MAX < FRAME_RUN_TAIL - ARCH_MAX_CPUS, "the mark of a tail is out of reach");

/* false: it has FRAME_REFS_MAX. */
static inline bool get(u32 *refs)
{
	u32 old = READ_ONCE(*refs);

	if (__builtin_expect(old - 1 >= FRAME_REFS_MAX - 1, 0)) {
		BUG_ON(!old || old == FRAME_RUN_TAIL); /* nobody had one, or the tail of a run */
		return false;
	}
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
	return true;
}

/* Nobody has a reference any more: bytes that came free. Lock held. */
static u64 release(paddr_t pa, bool zeroed)
{
	struct frame *f = frame_record(pa);
	unsigned i = frame_page(pa), n = 1;
	const u32 *refs;

	if (f->state == FRAME_STATE_WHOLE) {
		f->state = FRAME_STATE_FREE;
		frames.free_pages += FRAME_PAGES;
		TAILQ_INSERT_HEAD(&frames.free, f, link);
		return SZ_2M;
	}
	refs = frame_split_of(f)->refs;
	while (i + n < FRAME_PAGES && refs[i + n] == FRAME_RUN_TAIL)
		n++;
	/* Last page first: after the last return the frame, and the records in it, may be free. */
	for (i = n; i-- > 0;)
		frame_return_page(pa + i * PAGE_SIZE, zeroed);
	return n * PAGE_SIZE;
}

static void put_last(paddr_t pa, bool zeroed)
{
	paddr_t start = ALIGN_DOWN(pa, frame_size(pa));
	u64 n;

	guard_spin(&frames.lock);
	n = release(start, zeroed);
	if (frames_watch)
		frames_watch->freed(phys_to_virt(start), n, zeroed);
}

static inline void put(u32 *refs, paddr_t pa, bool zeroed)
{
	u32 left = __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL);

	if (__builtin_expect(left - 1 < FRAME_RUN_TAIL - 2, 1))
		return;
	BUG_ON(left); /* nobody had one, or the tail of a run */
	put_last(pa, zeroed);
}

int frame_get(paddr_t pa)
{
	return get(refs_of(pa)) ? 0 : -ENOMEM;
}

void frame_put(paddr_t pa)
{
	put(refs_of(pa), pa, false);
}

void frame_put_zeroed(paddr_t pa)
{
	BUG_ON(frame_record(pa)->state != FRAME_STATE_SPLIT);
	put(refs_of(pa), pa, true);
}

/* The bound by which get and put go through a range: frames of one kind, at most 512 of them. */
static inline __attribute__((always_inline)) u64 run_each(paddr_t pa, u64 len,
							  bool (*step)(u32 *refs, paddr_t pa))
{
	struct frame *f = frame_record(pa);
	paddr_t end = pa + len;
	u64 n, i;

	if (f->state == FRAME_STATE_SPLIT) {
		u32 *refs = refs_of(pa);

		/* The records of a split frame live as long as one of its pages is out: until the last put. */
		end = MIN(end, ALIGN_DOWN(pa, SZ_2M) + SZ_2M);
		n = (end - pa) >> PAGE_SHIFT;
		for (i = 0; i < n && step(&refs[i], pa + i * PAGE_SIZE); i++)
			;
		return i * PAGE_SIZE;
	}
	BUG_ON(f->state != FRAME_STATE_WHOLE);
	n = MIN(((end - 1) >> 21) - (pa >> 21) + 1, 512ull);
	for (i = 0; i < n && f[i].state == FRAME_STATE_WHOLE && step(&f[i].refs, pa + i * SZ_2M); i++)
		;
	return !i ? 0 : MIN(ALIGN_DOWN(pa, SZ_2M) + i * SZ_2M, end) - pa;
}

static inline bool get_step(u32 *refs, paddr_t)
{
	return get(refs);
}

static inline bool put_step(u32 *refs, paddr_t pa)
{
	put(refs, pa, false);
	return true;
}

u64 frame_get_run(paddr_t pa, u64 len)
{
	return run_each(pa, len, get_step);
}

u64 frame_put_run(paddr_t pa, u64 len)
{
	return run_each(pa, len, put_step);
}

u32 frame_refs(paddr_t pa)
{
	return __atomic_load_n(refs_of(pa), __ATOMIC_ACQUIRE);
}

u64 frame_size(paddr_t pa)
{
	return frame_record(pa)->state == FRAME_STATE_WHOLE ? SZ_2M : SZ_4K;
}

bool frame_is_ram(paddr_t pa)
{
	struct frame *f = frame_record(pa);
	unsigned i = frame_page(pa);

	if (pa >= frames.top || f->state == FRAME_STATE_NONE)
		return false;
	if (f->state != FRAME_STATE_SPLIT)
		return true;
	return frame_split_of(f)->ram[i / 64] & BIT(i % 64);
}

bool frame_in_use(paddr_t pa)
{
	struct frame *f = frame_record(pa);

	if (pa >= frames.top)
		return false;
	guard_spin(&frames.lock);
	if (f->state == FRAME_STATE_SPLIT)
		return frame_split_of(f)->refs[frame_page(pa)] != 0;
	return f->state == FRAME_STATE_WHOLE;
}

u64 frames_total(void)
{
	return frames.total_pages * PAGE_SIZE;
}

u64 frames_free(void)
{
	return READ_ONCE(frames.free_pages) * PAGE_SIZE;
}
