/* SPDX-License-Identifier: BSD-2-Clause */
/* The address space: mmap and its kin, what they refuse and in which order, and what a fault says. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/child.h"

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

/* ---- faults ---- */

static sigjmp_buf back;
static volatile sig_atomic_t fault_code, fault_signal;
static void *volatile fault_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = sig;
	fault_code = info->si_code;
	fault_addr = info->si_addr;
	siglongjmp(back, 1);
}

/* 0, or the code of the SIGSEGV at that very address; 1000 + the signal, if it is another. */
static int touch(volatile uint8_t *p, bool write)
{
	fault_signal = 0;
	if (!sigsetjmp(back, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
		return 0;
	}
	if (fault_signal != SIGSEGV || fault_addr != p)
		return 1000 + fault_signal;
	return fault_code;
}

static uint8_t *map(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, ANON, -1, 0);

	need("mmap", p != MAP_FAILED);
	return p;
}

static long map_result(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return syscall(SYS_mmap, addr, len, prot, flags, fd, off) == -1 ? -1 : 0;
}

static void faults(void)
{
	uint8_t *p = map(4 * PAGE, RW);

	p[PAGE] = 7;
	check_equal("read of PROT_NONE", (mprotect(p, PAGE, PROT_NONE), touch(p, false)), SEGV_ACCERR);
	check_equal("write to PROT_READ", (mprotect(p, PAGE, PROT_READ), touch(p, true)), SEGV_ACCERR);
	check_equal("read of PROT_READ", touch(p, false), 0);
	check_equal("write after PROT_READ|WRITE", (mprotect(p, PAGE, RW), touch(p, true)), 0);
	check_equal("the value before mprotect", p[PAGE], 7);
	munmap(p + 2 * PAGE, PAGE);
	check_equal("read after munmap", touch(p + 2 * PAGE, false), SEGV_MAPERR);
	check_equal("write after munmap", touch(p + 2 * PAGE, true), SEGV_MAPERR);
	check_equal("the page after it", touch(p + 3 * PAGE, true), 0);
	check_equal("the zero page", touch(NULL, false), SEGV_MAPERR);
	check_equal("the kernel's half", touch((uint8_t *)0xffff888000000000ul, false), SEGV_MAPERR);
	munmap(p, 4 * PAGE);
}

/* ---- errors, in order ---- */

static void map_errors(void)
{
	int file = open("/proc/self/exe", O_RDONLY), path = open("/proc/self/exe", O_PATH), ends[2];
	uint8_t *p = map(PAGE, RW);

	need("open /proc/self/exe and a pipe", file >= 0 && path >= 0 && pipe(ends) == 0);
	check_errno("length 0", map_result(NULL, 0, RW, ANON, -1, 0), -EINVAL);
	check_errno("length 0 of no file", map_result(NULL, 0, RW, MAP_PRIVATE, 99, 0), -EBADF);
	check_errno("offset inside a page", map_result(NULL, PAGE, RW, MAP_PRIVATE, 99, 8), -EINVAL);
	check_errno("no file", map_result(NULL, PAGE, RW, MAP_PRIVATE, 99, 0), -EBADF);
	check_errno("neither shared nor private", map_result(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
	check_errno("a file, neither", map_result(NULL, PAGE, PROT_READ, 0, file, 0), -EINVAL);
	check_errno("O_PATH", map_result(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0), -EBADF);
	check_errno("a pipe", map_result(NULL, PAGE, PROT_READ, MAP_SHARED, ends[0], 0), -ENODEV);
	check_errno("a pipe opened for writing", map_result(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[1], 0), -EACCES);
	check_errno("shared and writable of a read-only file", map_result(NULL, PAGE, RW, MAP_SHARED, file, 0), -EACCES);
	check_errno("offset overflow", map_result(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, file, -PAGE), -EOVERFLOW);
	check_errno("length overflow", map_result(NULL, -1ul, RW, ANON, -1, 0), -ENOMEM);
	check_errno("length of the whole half", map_result(NULL, 1ul << 47, RW, ANON, -1, 0), -ENOMEM);
	check_errno("fixed, inside a page", map_result(p + 8, PAGE, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
	check_errno("fixed, too high", map_result((void *)(1ul << 56), PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	check_errno("fixed, in the kernel", map_result((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	check_errno("fixed, no replacement", map_result(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), -EEXIST);
	close(file);
	close(path);
	close(ends[0]);
	close(ends[1]);
	munmap(p, PAGE);
}

static void change_errors(void)
{
	uint8_t *p = map(3 * PAGE, RW);

	check_errno("munmap inside a page", munmap(p + 8, PAGE), -EINVAL);
	check_errno("munmap of 0 bytes", munmap(p, 0), -EINVAL);
	check_errno("munmap too high", munmap((void *)(1ul << 56), PAGE), -EINVAL);
	check_errno("munmap past the end", munmap(p, -PAGE), -EINVAL);
	check_errno("munmap", munmap(p + PAGE, PAGE), 0);
	check_errno("munmap of a hole", munmap(p + PAGE, PAGE), 0);
	check_errno("mprotect inside a page", syscall(SYS_mprotect, p + 8, PAGE, PROT_READ), -EINVAL);
	check_errno("mprotect of 0 bytes", mprotect(p, 0, PROT_READ), 0);
	check_errno("mprotect of a hole", mprotect(p + PAGE, PAGE, PROT_READ), -ENOMEM);
	check_errno("mprotect over a hole", mprotect(p, 3 * PAGE, PROT_READ), -ENOMEM);
	check_equal("the part after the hole", touch(p + 2 * PAGE, true), 0);
	check_errno("mprotect overflow", mprotect(p, -PAGE, PROT_READ), -ENOMEM);
	check_errno("mprotect, unknown rights", syscall(SYS_mprotect, p, PAGE, 0x40), -EINVAL);
	check_errno("madvise inside a page", madvise(p + 8, PAGE, MADV_DONTNEED), -EINVAL);
	check_errno("madvise of 0 bytes", madvise(p, 0, MADV_DONTNEED), 0);
	check_errno("madvise of a hole", madvise(p + PAGE, PAGE, MADV_DONTNEED), -ENOMEM);
	check_errno("madvise, unknown", madvise(p, PAGE, 77), -EINVAL);
	check_errno("madvise, unknown, of 0 bytes", madvise(p, 0, 77), -EINVAL);
	check_errno("msync, both ways", msync(p, PAGE, MS_SYNC | MS_ASYNC), -EINVAL);
	check_errno("msync inside a page", msync(p + 8, PAGE, MS_SYNC), -EINVAL);
	check_errno("msync of a hole", msync(p + PAGE, PAGE, MS_SYNC), -ENOMEM);
	check_errno("mlock of a hole", mlock(p + PAGE, PAGE), -ENOMEM);
	munmap(p, 3 * PAGE);
}

/* ---- what is in the pages ---- */

static void contents(void)
{
	size_t large = 4ul << 20;
	uint8_t *p = map(large, RW), *q;
	uint64_t sum = 0;

	for (size_t i = 0; i < large; i += PAGE)
		sum += p[i];
	check_equal("fresh memory is zero", sum, 0);
	memset(p, 0x5a, large);
	check_errno("MADV_DONTNEED", madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
	check_equal("its page is zero", p[PAGE] | p[2 * PAGE - 1], 0);
	check_equal("its neighbours are not", (p[PAGE - 1] << 8) | p[2 * PAGE], 0x5a5a);
	q = mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	check_true("MAP_FIXED replaces", q == p + 2 * PAGE && q[0] == 0 && q[PAGE] == 0x5a);
	q = mmap(p + 8, PAGE, RW, ANON, -1, 0);
	check_true("a hint that is taken goes elsewhere", q != MAP_FAILED && (q < p || q >= p + large));
	munmap(q, PAGE);
	q = mmap(p, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	q[0] = 9;
	check_errno("MADV_DONTNEED of shared memory", madvise(q, PAGE, MADV_DONTNEED), 0);
	check_equal("which keeps it", q[0], 9);
	munmap(p, large);
}

static void file_memory(void)
{
	int exe = open("/proc/self/exe", O_RDONLY), fd = memfd_create("m", 0);
	uint8_t *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, exe, 0), *q, *s, byte = 0;

	need("private mapping of a file", p != MAP_FAILED);
	check_true("its contents", !memcmp(p, "\177ELF", 4));
	p[0] = 'x';
	q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, exe, 0);
	check_true("a change stays private", q != MAP_FAILED && q[0] == 0x7f && p[0] == 'x');
	close(exe);
	check_equal("after close", q[1], 'E');

	need("memfd", fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	s = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	need("shared mapping", s != MAP_FAILED);
	s[5] = 42;
	check_equal("a shared write is read", pread(fd, &byte, 1, 5) == 1 ? byte : -1, 42);
	byte = 43;
	check_equal("a write is seen", pwrite(fd, &byte, 1, PAGE) == 1 ? s[PAGE] : -1, 43);
	check_equal("a page past the end", touch(s + 2 * PAGE, false), 1000 + SIGBUS);
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	q[5] = 1;
	check_equal("a private copy", s[5], 42);
	munmap(q, PAGE);
	munmap(s, 3 * PAGE);
	close(fd);
}

/* ---- mremap and brk ---- */

static void remap(void)
{
	uint8_t *p = map(8 * PAGE, RW), *q, *hole = map(8 * PAGE, PROT_NONE);

	p[0] = 1;
	p[3 * PAGE] = 4;
	check_errno("mremap inside a page", syscall(SYS_mremap, p + 8, PAGE, PAGE, 0), -EINVAL);
	check_errno("mremap to 0 bytes", syscall(SYS_mremap, p, PAGE, 0, 0), -EINVAL);
	check_errno("mremap, unknown flag", syscall(SYS_mremap, p, PAGE, PAGE, 64), -EINVAL);
	check_errno("mremap fixed without may-move", syscall(SYS_mremap, p, PAGE, PAGE, 2, hole), -EINVAL);
	check_errno("mremap fixed onto itself", syscall(SYS_mremap, p, 2 * PAGE, 2 * PAGE, 3, p + PAGE), -EINVAL);
	check_true("mremap to the same size", mremap(p, 8 * PAGE, 8 * PAGE, 0) == p);
	check_true("mremap shrinks", mremap(p, 8 * PAGE, 4 * PAGE, 0) == p);
	check_equal("what was cut off", touch(p + 4 * PAGE, false), SEGV_MAPERR);
	need("a page in the way", mmap(p + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 4 * PAGE);
	mprotect(p + 4 * PAGE, PAGE, PROT_READ);
	check_errno("mremap cannot grow", syscall(SYS_mremap, p, 4 * PAGE, 8 * PAGE, 0), -ENOMEM);
	munmap(p, 5 * PAGE);
	p = map(4 * PAGE, RW);
	p[0] = 1;
	p[3 * PAGE] = 4;
	need("a page in the way", mmap(p + 4 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 4 * PAGE);
	q = mremap(p, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	check_true("mremap moves", q != MAP_FAILED && q != p && q[0] == 1 && q[3 * PAGE] == 4 && q[15 * PAGE] == 0);
	check_equal("the old place", touch(p, false), SEGV_MAPERR);
	check_true("mremap to a place", mremap(q, 4 * PAGE, 4 * PAGE, 3, hole) == hole && hole[3 * PAGE] == 4);
	check_equal("whose rights moved along", touch(hole, true), 0);
	check_errno("mremap of a hole", syscall(SYS_mremap, q, PAGE, 2 * PAGE, 1), -EFAULT);
	munmap(q, 16 * PAGE);
	munmap(hole, 8 * PAGE);
	munmap(p + 4 * PAGE, PAGE);
}

static void heap(void)
{
	uint8_t *start = (uint8_t *)syscall(SYS_brk, 0), *top = start + 64 * PAGE;

	check_true("brk grows", (uint8_t *)syscall(SYS_brk, top) == top);
	check_equal("the last byte", (top[-1] = 3, touch(top - 1, true)), 0);
	check_true("brk below its start changes nothing", (uint8_t *)syscall(SYS_brk, PAGE) == top);
	check_true("brk into the kernel neither", (uint8_t *)syscall(SYS_brk, 0xffff800000000000ul) == top);
	check_true("brk shrinks", (uint8_t *)syscall(SYS_brk, start) == start);
	check_equal("the place is gone", touch(top - 1, false), SEGV_MAPERR);
	check_true("brk grows again", (uint8_t *)syscall(SYS_brk, top) == top);
	check_equal("and is zero", top[-1], 0);
	(void)syscall(SYS_brk, start);
}

static int child_main(const char *what)
{
	volatile uint8_t *p = map(PAGE, *what == 'n' ? PROT_NONE : RW);

	if (*what == 'u')
		munmap((void *)p, PAGE);
	return *p;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	if (argc > 2)
		return child_main(argv[2]);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	faults();
	map_errors();
	change_errors();
	contents();
	file_memory();
	remap();
	heap();
	check_equal("a child that reads PROT_NONE", child_run("fault", "none"), 128 + SIGSEGV);
	check_equal("a child that reads what it unmapped", child_run("fault", "unmapped"), 128 + SIGSEGV);
	check_equal("a child that reads its memory", child_run("fault", "mapped"), 0);
	return check_result();
}
