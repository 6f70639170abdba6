/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Futexes.  A waiter joins its bucket *before* it reads the user's word: a waker changes the word
 * first and looks into the bucket afterwards, so either the read sees the change or the waker sees
 * the waiter.  (The read may fault and sleep, so it cannot be done under the bucket's lock.)
 *
 * Private futexes are keyed by address space and address, shared ones by physical address.
 */
#include <linux/futex.h>

#include "kernel/mm.h"
#include "kernel/program.h"

#define BUCKETS 64u

struct futex_key {
	const void *space;
	u64 addr;
};
struct futex_waiter {
	TAILQ_ENTRY(futex_waiter) link;
	struct futex_key key;
	struct bucket *bucket; /* changes under both buckets' locks when requeued */
	u32 bitset;
	bool woken;
	struct waitq wq;
};
static struct bucket {
	struct spinlock lock;
	TAILQ_HEAD(, futex_waiter) waiters;
	bool ready;
} buckets[BUCKETS];

static bool bucket_lock(struct bucket *b)
{
	bool on = spin_lock(&b->lock);

	if (!b->ready)
		TAILQ_INIT(&b->waiters);
	b->ready = true;
	return on;
}

static struct bucket *bucket_of(const struct futex_key *k)
{
	u64 h = ((u64)(uintptr_t)k->space ^ k->addr) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 58];
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->addr == b->addr;
}

static int key_make(uaddr_t addr, bool shared, struct futex_key *k)
{
	struct mm *mm = process_mm(process_current());
	struct mm_page page;
	u32 word;

	if (addr & 3)
		return -EINVAL;
	*k = (struct futex_key){ mm, addr };
	if (!shared)
		return addr < MM_HIGH ? 0 : -EFAULT;
	if (user_load32(&word, addr) || !mm_peek(mm, addr, &page))
		return -EFAULT;
	*k = (struct futex_key){ NULL, page.pa + (addr - page.addr) };
	return 0;
}

/* The waiter's bucket, locked: it may be moved while we wait for the lock. */
static struct bucket *waiter_lock(struct futex_waiter *w, bool *on)
{
	for (;;) {
		struct bucket *b = READ_ONCE(w->bucket);

		*on = bucket_lock(b);
		if (b == READ_ONCE(w->bucket))
			return b;
		spin_unlock(&b->lock, *on);
	}
}

int futex_wait(uaddr_t addr, u32 val, u32 bitset, bool shared, u64 deadline_ns)
{
	struct futex_waiter w = { .bitset = bitset };
	struct bucket *b;
	u32 word;
	int r;
	bool on;

	if (!bitset)
		return -EINVAL;
	r = key_make(addr, shared, &w.key);
	if (r)
		return r;
	waitq_init(&w.wq);
	w.bucket = bucket_of(&w.key);
	on = bucket_lock(w.bucket);
	TAILQ_INSERT_TAIL(&w.bucket->waiters, &w, link);
	spin_unlock(&w.bucket->lock, on);

	r = user_load32(&word, addr);
	if (!r && word != val)
		r = -EAGAIN;
	if (!r)
		r = wait_event(&w.wq, READ_ONCE(w.woken), deadline_ns);

	b = waiter_lock(&w, &on);
	if (w.woken)
		r = 0;
	else
		TAILQ_REMOVE(&b->waiters, &w, link);
	spin_unlock(&b->lock, on);
	return r;
}

/* The bucket's lock is held. The waiter may be gone as soon as that lock is released. */
static void wake_one(struct bucket *b, struct futex_waiter *w)
{
	TAILQ_REMOVE(&b->waiters, w, link);
	WRITE_ONCE(w->woken, true);
	waitq_wake_all(&w->wq);
}

static bool lock_two(struct bucket *a, struct bucket *b)
{
	bool on = bucket_lock(a < b ? a : b);

	if (a != b)
		(void)bucket_lock(a < b ? b : a);
	return on;
}

static void unlock_two(struct bucket *a, struct bucket *b, bool on)
{
	if (a != b)
		spin_unlock(&(a < b ? b : a)->lock, false);
	spin_unlock(&(a < b ? a : b)->lock, on);
}

/* Of those who wait at `from` for some of the bits: wake nwake, let nmove others wait at `to` (*moved). How many
 * were woken. */
static unsigned serve(const struct futex_key *from, unsigned nwake, u32 bitset, const struct futex_key *to,
		      unsigned nmove, unsigned *moved)
{
	struct bucket *a = bucket_of(from), *b = bucket_of(to);
	struct futex_waiter *w, *next;
	bool on = lock_two(a, b);
	unsigned woken = 0;

	*moved = 0;
	for (w = TAILQ_FIRST(&a->waiters); w && (woken < nwake || *moved < nmove); w = next) {
		next = TAILQ_NEXT(w, link);
		if (!key_equal(&w->key, from) || !(w->bitset & bitset))
			continue;
		if (woken < nwake) {
			wake_one(a, w);
			woken++;
			continue;
		}
		TAILQ_REMOVE(&a->waiters, w, link);
		w->key = *to;
		WRITE_ONCE(w->bucket, b);
		TAILQ_INSERT_TAIL(&b->waiters, w, link);
		++*moved;
		if (key_equal(from, to))
			break;
	}
	unlock_two(a, b, on);
	return woken;
}

int futex_wake(uaddr_t addr, unsigned n, u32 bitset, bool shared)
{
	struct futex_key key;
	unsigned moved;
	int r = bitset ? key_make(addr, shared, &key) : -EINVAL;

	return r ? r : (int)serve(&key, n, bitset, &key, 0, &moved);
}

int futex_requeue(uaddr_t addr, unsigned nwake, unsigned nmove, uaddr_t to, const u32 *cmp, bool shared)
{
	struct futex_key from_key, to_key;
	unsigned woken, moved;
	u32 word;
	int r = key_make(addr, shared, &from_key);

	if (!r)
		r = key_make(to, shared, &to_key);
	if (!r && cmp) {
		r = user_load32(&word, addr);
		if (!r && word != *cmp)
			r = -EAGAIN;
	}
	if (r)
		return r;
	woken = serve(&from_key, nwake, FUTEX_BITSET_MATCH_ANY, &to_key, nmove, &moved);
	return (int)(cmp ? woken + moved : woken);
}

/* ---- the end of a thread ---- */

/* One of each kind: who waits has not told us which it uses. */
static void wake_both(uaddr_t addr)
{
	(void)futex_wake(addr, 1, FUTEX_BITSET_MATCH_ANY, true);
	(void)futex_wake(addr, 1, FUTEX_BITSET_MATCH_ANY, false);
}

static void robust_word_release(const struct thread *t, uaddr_t addr)
{
	u32 word;

	if ((addr & 3) || user_load32(&word, addr) || (word & FUTEX_TID_MASK) != (u32)t->tid)
		return;
	word = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	if (!copy_to_user(addr, &word, sizeof(word)))
		wake_both(addr);
}

static void robust_list_walk(struct thread *t)
{
	struct robust_list_head head;
	uaddr_t entry;

	if (!t->robust_list || copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	entry = (uaddr_t)head.list.next;
	for (unsigned n = 0; entry != t->robust_list && n < ROBUST_LIST_LIMIT; n++) {
		uaddr_t at = entry & ~1ull, next;

		/* The link is read before the lock is given away: its new owner may free it. */
		if (copy_from_user(&next, at, sizeof(next)))
			return;
		if (at != (uaddr_t)head.list_op_pending)
			robust_word_release(t, at + head.futex_offset);
		entry = next;
	}
	if (head.list_op_pending)
		robust_word_release(t, (uaddr_t)head.list_op_pending + head.futex_offset);
}

void futex_thread_exit(struct thread *t)
{
	u32 zero = 0;

	robust_list_walk(t);
	t->robust_list = 0;
	if (t->clear_child_tid && !copy_to_user(t->clear_child_tid, &zero, sizeof(zero)))
		wake_both(t->clear_child_tid);
	t->clear_child_tid = 0;
}
