/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address space.  mmap makes the memory object (anonymous, or the file's), kernel/mm.c the view.
 * Checks come in Linux's order: length, offset, descriptor, sharing type, rights of the file.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/linux/linux.h"
#include "kernel/mm.h"

#define USER_PROT (PROT_READ | PROT_WRITE | PROT_EXEC)
#define HUGE_SHIFT_2M 21u
#define HUGE_SHIFT_1G 30u

static struct mm *current_mm(void)
{
	return thread_self()->process->mm;
}

/* MAP_HUGETLB: whole 2 MiB pages; 1 GiB pages are not kept in stock. */
static int huge_check(int flags, u64 *len)
{
	unsigned shift = ((unsigned)flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;

	if (!(flags & MAP_HUGETLB))
		return 0;
	if (shift == HUGE_SHIFT_1G)
		return refuse(-ENOMEM, "mmap: pages of 1 GiB are not offered; use MAP_HUGE_2MB");
	if (shift && shift != HUGE_SHIFT_2M)
		return -EINVAL;
	*len = ALIGN_UP(*len, SZ_2M);
	return 0;
}

/* May f be mapped like this? */
static int file_check(const struct file *f, int prot, int flags)
{
	unsigned mode = f->flags & O_ACCMODE, type = flags & MAP_TYPE;

	if (f->flags & O_PATH)
		return -EBADF;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type != MAP_PRIVATE && (prot & PROT_WRITE) && mode != O_RDWR)
		return -EACCES;
	if (mode == O_WRONLY)
		return -EACCES;
	return f->ops->mmap ? 0 : -ENODEV;
}

/* MAP_POPULATE: errors are not reported, as on Linux. */
static void populate(uaddr_t addr, u64 len, int prot)
{
	struct mm *mm = current_mm();
	unsigned access = prot & PROT_WRITE ? ARCH_FAULT_WRITE : ARCH_FAULT_READ;
	struct mm_page page;

	for (uaddr_t at = addr; at < addr + len && !thread_interrupted(); at = page.addr + page.size) {
		if (mm_fault(mm, at, access) || !mm_peek(mm, at, &page))
			return;
		resched_point();
	}
}

static s64 map_object(struct mm_map_args *a)
{
	s64 at = mm_map(current_mm(), a);

	mobj_put(a->obj);
	if (at >= 0 && (a->flags & (MAP_POPULATE | MAP_LOCKED)) && (a->prot & USER_PROT))
		populate((uaddr_t)at, a->len, a->prot);
	return at;
}

static s64 map_anonymous(struct mm_map_args *a)
{
	unsigned type = a->flags & MAP_TYPE;
	int e = type != MAP_SHARED && type != MAP_PRIVATE ? -EINVAL : huge_check(a->flags, &a->len);

	if (e)
		return e;
	a->off = 0;
	a->obj = mobj_create_anon(a->len, false);
	return a->obj ? map_object(a) : -ENOMEM;
}

static s64 map_file(struct mm_map_args *a, struct file *f)
{
	int e = file_check(f, a->prot, a->flags);

	if (!e)
		e = f->ops->mmap(f, a->off, a->len, a->prot, a->flags, &a->obj, &a->off);
	if (e)
		return e;
	a->file = f;
	return map_object(a);
}

s64 sys_mmap(struct user_regs *r)
{
	struct mm_map_args a = {
		.addr = ARG0(r), .len = ALIGN_UP(ARG1(r), PAGE_SIZE), .prot = (int)ARG2(r), .flags = (int)ARG3(r),
		.off = ARG5(r),
	};
	struct file *f;
	s64 at;

	if (a.off & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!ARG1(r))
		return (a.flags & MAP_ANONYMOUS) || fd_cloexec_get((unsigned)ARG4(r)) >= 0 ? -EINVAL : -EBADF;
	if (a.len < ARG1(r) || a.len > MM_HIGH)
		return -ENOMEM;
	if (a.off + a.len < a.off)
		return -EOVERFLOW;
	if (a.flags & MAP_ANONYMOUS)
		return map_anonymous(&a);
	f = file_from_fd((int)ARG4(r));
	if (!f)
		return -EBADF;
	at = map_file(&a, f);
	file_put(f);
	return at;
}

/* A page-aligned range from address and length; *len rounded up. */
static int range_check(uaddr_t addr, u64 *len)
{
	u64 n = ALIGN_UP(*len, PAGE_SIZE);

	if ((addr & (PAGE_SIZE - 1)) || n < *len || addr + n < addr || addr + n > MM_HIGH)
		return -EINVAL;
	*len = n;
	return 0;
}

s64 sys_munmap(struct user_regs *r)
{
	u64 len = ARG1(r);

	if (!len || range_check(ARG0(r), &len))
		return -EINVAL;
	return mm_unmap(current_mm(), ARG0(r), len);
}

s64 sys_mprotect(struct user_regs *r)
{
	u64 len = ARG1(r);

	if (ARG0(r) & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!len)
		return 0;
	if (range_check(ARG0(r), &len))
		return -ENOMEM;
	if (ARG2(r) & ~(u64)USER_PROT)
		return -EINVAL;
	return mm_protect(current_mm(), ARG0(r), len, (int)ARG2(r));
}

s64 sys_mremap(struct user_regs *r)
{
	u64 old_len = ALIGN_UP(ARG1(r), PAGE_SIZE), new_len = ALIGN_UP(ARG2(r), PAGE_SIZE);
	int flags = (int)ARG3(r);

	if ((ARG0(r) & (PAGE_SIZE - 1)) || !new_len || (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)))
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && (!(flags & MREMAP_MAYMOVE) || (ARG4(r) & (PAGE_SIZE - 1))))
		return -EINVAL;
	return mm_remap(current_mm(), ARG0(r), old_len, new_len, flags, ARG4(r));
}

s64 sys_madvise(struct user_regs *r)
{
	u64 len = ARG1(r);

	if (range_check(ARG0(r), &len))
		return -EINVAL;
	return mm_advise(current_mm(), ARG0(r), len, (int)ARG2(r));
}

s64 sys_brk(struct user_regs *r)
{
	return (s64)mm_brk(current_mm(), ARG0(r));
}

/* Nothing is ever swapped or written back: what is left of these calls is that the range is mapped. */
static s64 mapped_check(uaddr_t addr, u64 len)
{
	u64 inside = addr & (PAGE_SIZE - 1);

	if (len + inside < len)
		return -ENOMEM;
	len += inside;
	addr -= inside;
	if (range_check(addr, &len))
		return -ENOMEM;
	return mm_advise(current_mm(), addr, len, MADV_NORMAL);
}

s64 sys_msync(struct user_regs *r)
{
	if ((ARG0(r) & (PAGE_SIZE - 1)) || (ARG2(r) & ~7ull) || (ARG2(r) & 5) == 5)
		return -EINVAL;
	return mapped_check(ARG0(r), ARG1(r));
}

s64 sys_mlock(struct user_regs *r)
{
	return mapped_check(ARG0(r), ARG1(r));
}

s64 sys_mlock2(struct user_regs *r)
{
	return (ARG2(r) & ~1ull) ? -EINVAL : mapped_check(ARG0(r), ARG1(r));
}

s64 sys_mlockall(struct user_regs *r)
{
	return !ARG0(r) || (ARG0(r) & ~7ull) ? -EINVAL : 0;
}
