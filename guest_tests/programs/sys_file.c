/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files and their descriptors: opening, reading, listing, copying descriptors; /proc/self and /sys as
 * programs read them; what is refused, and in which order.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/check.h"

#define SELF "/proc/self/exe"
#define BAD ((void *)8)

static char name_of_self[4096];

static void opening(void)
{
	char *huge = malloc(8192);
	int dir = open("/proc", O_RDONLY | O_DIRECTORY), file = open(SELF, O_RDONLY), fd;

	need("open /proc and " SELF, dir >= 0 && file >= 0 && huge);
	memset(huge, 'a', 8191);
	huge[8191] = '\0';
	check_errno("nothing there", open("/no/such/file", O_RDONLY), -ENOENT);
	check_errno("an empty path", open("", O_RDONLY), -ENOENT);
	check_errno("a path through a file", open(SELF "/x", O_RDONLY), -ENOTDIR);
	check_errno("a slash after a file", open(SELF "/", O_RDONLY), -ENOTDIR);
	check_errno("O_DIRECTORY of a file", open(SELF, O_RDONLY | O_DIRECTORY), -ENOTDIR);
	check_errno("a directory, to write", open("/proc", O_RDWR), -EISDIR);
	check_errno("O_NOFOLLOW of a link", open(SELF, O_RDONLY | O_NOFOLLOW), -ELOOP);
	check_errno("O_PATH and O_NOFOLLOW of a link", fd = open(SELF, O_PATH | O_NOFOLLOW), 0);
	close(fd);
	check_errno("O_EXCL of what is there", open("/proc", O_CREAT | O_EXCL | O_RDWR, 0600), -EEXIST);
	check_errno("a path of 8 KiB", open(huge, O_RDONLY), -ENAMETOOLONG);
	huge[300] = '\0';
	check_errno("a name of 300 bytes", open(huge, O_RDONLY), -ENAMETOOLONG);
	check_errno("below no descriptor", openat(99, "x", O_RDONLY), -EBADF);
	check_errno("below a file", openat(file, "x", O_RDONLY), -ENOTDIR);
	check_errno("an absolute path, below no descriptor", fd = openat(99, SELF, O_RDONLY), 0);
	close(fd);
	check_errno("below a directory", fd = openat(dir, "self/exe", O_RDONLY), 0);
	close(fd);
	check_errno("dots", fd = open("//proc/./self/../self/exe", O_RDONLY), 0);
	close(fd);
	check_errno("above the root", fd = open("/../../proc/self/exe", O_RDONLY), 0);
	check_equal("the lowest free number", (close(file), fd = dup(dir)), file);
	close(fd);
	close(dir);
	free(huge);
}

/* By a directory's descriptor, and what would change names. */
static void names_at(void)
{
	char a[256] = { 0 }, b[256] = { 0 };
	int dir = open("/proc/self", O_RDONLY | O_DIRECTORY), link = open(SELF, O_PATH | O_NOFOLLOW);

	check_true("readlink and readlinkat agree", readlink(SELF, a, 255) == readlinkat(dir, "exe", b, 255) && !strcmp(a, b));
	memset(b, 0, sizeof(b));
	check_true("the link itself", readlinkat(link, "", b, 255) > 0 && !strcmp(a, b));
	check_errno("readlinkat below no descriptor", readlinkat(99, "exe", b, 255), -EBADF);
	check_errno("access, it can be run", access(SELF, R_OK | X_OK), 0);
	check_errno("access of a directory", access("/proc", X_OK), 0);
	check_errno("access of nothing", access("/no/such/file", F_OK), -ENOENT);
	check_errno("access of no kind", syscall(SYS_access, SELF, 8), -EINVAL);
	check_errno("faccessat below a directory", syscall(SYS_faccessat, dir, "exe", X_OK), 0);
	check_errno("faccessat below no descriptor", syscall(SYS_faccessat, 99, "exe", X_OK), -EBADF);
	check_errno("creat below nothing", creat("/no/such/file", 0600), -ENOENT);
	check_errno("creat of a directory", creat("/proc", 0600), -EISDIR);
	check_errno("mkdir of what is there", mkdir("/proc", 0700), -EEXIST);
	check_errno("symlink over what is there", symlink("x", "/proc"), -EEXIST);
	check_errno("symlink below nothing", symlink("x", "/no/such/file"), -ENOENT);
	check_errno("unlink of nothing", unlink("/no/such/file"), -ENOENT);
	close(dir);
	close(link);
}

static void reading(void)
{
	int fd = open(SELF, O_RDONLY), path = open(SELF, O_PATH), dir = open("/proc", O_RDONLY);
	char a[64], b[64];
	struct iovec v[2] = { { a, 1 }, { b, 3 } }, wrong = { a, -1ul };
	struct stat st;
	off_t end;

	check_equal("read", read(fd, a, 4) == 4 && !memcmp(a, "\177ELF", 4), 1);
	check_equal("the position moved", lseek(fd, 0, SEEK_CUR), 4);
	check_equal("pread", pread(fd, a, 3, 1) == 3 && !memcmp(a, "ELF", 3), 1);
	check_equal("the position did not", lseek(fd, 0, SEEK_CUR), 4);
	end = lseek(fd, 0, SEEK_END);
	check_true("its size", fstat(fd, &st) == 0 && st.st_size == end && end > 4096);
	check_equal("read at the end", read(fd, a, 4), 0);
	check_equal("pread across the end", pread(fd, a, 64, end - 8), 8);
	check_equal("pread beyond the end", pread(fd, a, 8, end + 4096), 0);
	check_equal("lseek beyond the end", lseek(fd, 5, SEEK_END), end + 5);
	check_errno("lseek before the start", lseek(fd, -1, SEEK_SET), -EINVAL);
	check_errno("lseek from nowhere", lseek(fd, 0, 9), -EINVAL);
	check_errno("pread before the start", pread(fd, a, 8, -1), -EINVAL);
	check_errno("pread before the start, no descriptor", pread(99, a, 8, -1), -EINVAL);
	check_equal("readv", lseek(fd, 0, SEEK_SET) == 0 ? readv(fd, v, 2) : -1, 4);
	check_true("in order", a[0] == 0x7f && !memcmp(b, "ELF", 3));
	check_errno("readv of a negative length", readv(fd, &wrong, 1), -EINVAL);
	check_errno("readv of too many", readv(fd, v, 1025), -EINVAL);
	check_equal("readv of none", readv(fd, v, 0), 0);
	check_errno("write to what was opened for reading", write(fd, a, 1), -EBADF);
	check_errno("before the address is looked at", write(fd, BAD, 1), -EBADF);
	check_errno("read to a bad address", (lseek(fd, 0, SEEK_SET), read(fd, BAD, 4)), -EFAULT);
	check_equal("read of 0 bytes", read(fd, a, 0), 0);
	check_errno("read of O_PATH", read(path, a, 1), -EBADF);
	check_errno("ioctl of O_PATH", syscall(SYS_ioctl, path, 0x1234, 0), -EBADF);
	check_errno("ioctl of a file", syscall(SYS_ioctl, fd, 0x1234, 0), -ENOTTY);
	check_errno("read of a directory", read(dir, a, 1), -EISDIR);
	check_errno("read of no descriptor", read(99, BAD, 1), -EBADF);
	check_errno("ftruncate of what was opened for reading", ftruncate(fd, 0), -EINVAL);
	check_errno("ftruncate to a negative size", ftruncate(99, -1), -EINVAL);
	close(fd);
	close(path);
	close(dir);
}

static void memory_file(void)
{
	int fd = memfd_create("m", MFD_CLOEXEC), again;
	char b[8] = "abcdefg", path[64];
	struct iovec v = { b, 1 };
	struct stat st;

	need("memfd_create", fd >= 0);
	check_errno("memfd_create, unknown flag", syscall(SYS_memfd_create, "m", 0x4000), -EINVAL);
	check_equal("memfd, write", write(fd, b, 7), 7);
	check_equal("pwrite beyond the end", pwrite(fd, b, 7, 10000), 7);
	check_true("its size", fstat(fd, &st) == 0 && st.st_size == 10007 && S_ISREG(st.st_mode));
	check_true("a hole is zero", pread(fd, b, 7, 5000) == 7 && !b[0] && !b[6]);
	check_errno("ftruncate", ftruncate(fd, 3), 0);
	check_equal("what is left", pread(fd, b, 8, 0), 3);
	check_errno("ftruncate", ftruncate(fd, 7), 0);
	check_true("what was cut off is zero", pread(fd, b, 8, 0) == 7 && b[2] == 'c' && !b[3] && !b[6]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check_true("its name", readlink(path, b, 7) == 7 && !memcmp(b, "/memfd:", 7));
	again = dup(fd);
	check_true("a copy shares the position", lseek(fd, 2, SEEK_SET) == 2 && lseek(again, 0, SEEK_CUR) == 2);
	check_errno("O_APPEND", fcntl(fd, F_SETFL, O_APPEND), 0);
	check_true("writes go to the end", write(again, "z", 1) == 1 && pread(fd, b, 8, 0) == 8 && b[7] == 'z');
	check_true("also those of a vector", lseek(fd, 0, SEEK_SET) == 0 && writev(fd, &v, 1) == 1 && pread(fd, b, 8, 8) == 1);
	check_errno("preadv before the beginning of nothing", preadv(99, &v, 1, -1), -EINVAL);
	close(fd);
	close(again);
}

static void copying(void)
{
	int e = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), f;
	struct rlimit limit, small;

	check_equal("FD_CLOEXEC", fcntl(e, F_GETFD), FD_CLOEXEC);
	check_equal("F_GETFL", fcntl(e, F_GETFL), O_RDWR | O_NONBLOCK);
	check_equal("dup", (f = dup(e), fcntl(f, F_GETFD)), 0);
	check_equal("F_DUPFD_CLOEXEC", fcntl(e, F_DUPFD_CLOEXEC, 50), 50);
	check_equal("which closes on exec", fcntl(50, F_GETFD), FD_CLOEXEC);
	check_equal("F_DUPFD takes the next", fcntl(e, F_DUPFD, 50), 51);
	check_equal("dup2 replaces", dup2(e, 51), 51);
	check_equal("dup2 onto itself", dup2(e, e), e);
	check_equal("which changes nothing", fcntl(e, F_GETFD), FD_CLOEXEC);
	check_errno("dup2 of nothing onto itself", dup2(99, 99), -EBADF);
	check_errno("dup2 of nothing", dup2(99, 51), -EBADF);
	check_errno("dup3 onto itself", syscall(SYS_dup3, e, e, 0), -EINVAL);
	check_errno("dup3, unknown flag", syscall(SYS_dup3, e, 51, 1), -EINVAL);
	check_errno("dup2 too high", dup2(e, 1 << 30), -EBADF);
	check_errno("F_DUPFD too high", fcntl(e, F_DUPFD, 1 << 30), -EINVAL);
	check_errno("dup2 onto -1", dup2(e, -1), -EBADF);
	check_errno("fcntl, unknown", fcntl(e, 77), -EINVAL);
	check_errno("fcntl of nothing", fcntl(99, F_GETFD), -EBADF);
	check_errno("F_SETFL", fcntl(e, F_SETFL, 0), 0);
	check_equal("is shared by copies", fcntl(51, F_GETFL), O_RDWR);
	check_errno("close_range", syscall(SYS_close_range, 50, 60, 0), 0);
	check_errno("closed", fcntl(51, F_GETFD), -EBADF);
	check_errno("close_range backwards", syscall(SYS_close_range, 60, 50, 0), -EINVAL);
	check_errno("close twice", (close(f), close(f)), -EBADF);
	check_errno("close of -1", close(-1), -EBADF);
	need("getrlimit", getrlimit(RLIMIT_NOFILE, &limit) == 0);
	small = (struct rlimit){ (rlim_t)e + 1, limit.rlim_max };
	check_errno("a limit", setrlimit(RLIMIT_NOFILE, &small), 0);
	check_errno("no more descriptors", dup(e), -EMFILE);
	check_errno("nor of other kinds", epoll_create1(0), -EMFILE);
	check_errno("F_DUPFD at the limit", fcntl(e, F_DUPFD, e + 1), -EINVAL);
	setrlimit(RLIMIT_NOFILE, &limit);
	close(e);
}

static void naming(void)
{
	int file = open(SELF, O_RDONLY);
	struct stat a, b;
	struct statx x;
	char buf[4096];

	check_true("readlink of " SELF, readlink(SELF, buf, sizeof(buf)) > 0 && buf[0] == '/');
	check_equal("is cut without a word", readlink(SELF, buf, 1), 1);
	check_errno("readlink into 0 bytes", syscall(SYS_readlink, SELF, buf, 0), -EINVAL);
	check_errno("readlink of a directory", readlink("/proc", buf, sizeof(buf)), -EINVAL);
	check_errno("readlink of nothing", readlink("/no/such", buf, sizeof(buf)), -ENOENT);
	check_true("stat and fstat agree", !stat(SELF, &a) && !fstat(file, &b) && a.st_ino == b.st_ino && a.st_size == b.st_size);
	check_true("a regular file", S_ISREG(a.st_mode) && (a.st_mode & 0111) && a.st_blksize >= 512);
	check_true("lstat sees the link", !lstat(SELF, &b) && S_ISLNK(b.st_mode));
	check_true("a directory", !stat("/proc", &a) && S_ISDIR(a.st_mode));
	check_errno("stat of nothing", stat("/no/such", &a), -ENOENT);
	check_errno("fstatat, unknown flag", syscall(SYS_newfstatat, AT_FDCWD, SELF, &a, 0x40000000), -EINVAL);
	check_true("an empty path", !fstatat(file, "", &a, AT_EMPTY_PATH) && !fstat(file, &b) && a.st_ino == b.st_ino);
	check_errno("without the flag", syscall(SYS_newfstatat, file, "", &a, 0), -ENOENT);
	check_true("statx", !syscall(SYS_statx, AT_FDCWD, SELF, 0, STATX_BASIC_STATS, &x) && x.stx_size == (uint64_t)b.st_size);
	check_errno("access", access(SELF, R_OK | X_OK), 0);
	check_errno("access of nothing", access("/no/such", F_OK), -ENOENT);
	check_errno("access, unknown mode", access(SELF, 8), -EINVAL);
	check_errno("getcwd into 1 byte", syscall(SYS_getcwd, buf, 1), -ERANGE);
	check_errno("chdir to nothing", chdir("/no/such"), -ENOENT);
	check_errno("chdir to a file", chdir(SELF), -ENOTDIR);
	check_errno("mkdir of what is there", mkdir("/proc", 0700), -EEXIST);
	check_errno("unlink of nothing", unlink("/no/such"), -ENOENT);
	close(file);
}

/* ---- directories ---- */

/* Lists DIR through a buffer of SIZE bytes: how many entries, and how many were called NAME. */
static int list(const char *path, size_t size, const char *name, int *type)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_DIRECTORY), found = 0;
	long n;

	need(path, fd >= 0);
	while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0)
		for (long at = 0; at < n;) {
			struct dirent *d = (struct dirent *)(buf + at);

			if (!strcmp(d->d_name, name)) {
				found++;
				*type = d->d_type;
			}
			at += d->d_reclen;
		}
	close(fd);
	return n < 0 ? -errno : found;
}

static void listing(void)
{
	int type = 0, fd = open("/proc", O_RDONLY), e = eventfd(0, 0);
	char buf[64];

	check_equal("getdents64 finds it once", list("/proc", 4096, "self", &type), 1);
	check_equal("and in small pieces", list("/proc", 280, "self", &type), 1);
	check_equal("a directory's own name", list("/sys", 4096, ".", &type), 1);
	check_equal("of that type", type, DT_DIR);
	check_equal("the name of its parent", list("/sys", 4096, "..", &type), 1);
	snprintf(buf, sizeof(buf), "%d", e);
	check_equal("an open descriptor", list("/proc/self/fd", 4096, buf, &type), 1);
	check_equal("is a link", type, DT_LNK);
	check_errno("too small a buffer", syscall(SYS_getdents64, fd, buf, 8), -EINVAL);
	check_errno("getdents64 of an eventfd", syscall(SYS_getdents64, e, buf, 64), -ENOTDIR);
	check_errno("getdents64 of nothing", syscall(SYS_getdents64, 99, buf, 64), -EBADF);
	close(fd);
	close(e);
}

/* ---- /proc and /sys ---- */

static bool file_says(const char *path, const char *what)
{
	static char text[65536];
	size_t n;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return strstr(text, what) != NULL;
}

static void about_self(const char *argv0)
{
	int e = eventfd(0, 0), mem = open("/proc/self/pagemap", O_RDONLY);
	char path[64], target[64] = "", line[64];
	uint64_t frame = 0;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("mmap", page != MAP_FAILED);
	check_true("cmdline", file_says("/proc/self/cmdline", argv0));
	check_true("comm", file_says("/proc/self/comm", "sys_file"));
	snprintf(line, sizeof(line), "Pid:\t%d\n", getpid());
	check_true("status", file_says("/proc/self/status", line) && file_says("/proc/self/status", "Threads:\t1\n"));
	check_true("maps, the stack", file_says("/proc/self/maps", "rw-p 00000000"));
	check_true("maps, the program", file_says("/proc/self/maps", name_of_self));
	check_equal("pagemap, before a page is touched",
		    pread(mem, &frame, 8, (off_t)page >> 9) == 8 ? (long)(frame >> 63) : -1, 0);
	*(volatile char *)page = 1;
	check_equal("pagemap, after it",
		    pread(mem, &frame, 8, (off_t)page >> 9) == 8 ? (long)(frame >> 63) : -1, 1);
	check_errno("pagemap inside a word", pread(mem, &frame, 8, 4), -EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", e);
	check_true("the name of an eventfd", readlink(path, target, sizeof(target)) > 0 && !strcmp(target, "anon_inode:[eventfd]"));
	close(e);
	check_errno("after close", readlink(path, target, sizeof(target)), -ENOENT);
	check_true("meminfo", file_says("/proc/meminfo", "MemTotal:") && file_says("/proc/meminfo", "Hugepagesize:"));
	check_true("cpuinfo", file_says("/proc/cpuinfo", "processor\t: 0"));
	check_true("the CPUs", file_says("/sys/devices/system/cpu/online", "0"));
	check_true("/sys/bus/pci/devices", !access("/sys/bus/pci/devices", F_OK));
	check_errno("write to what cannot be written", open("/sys/bus/pci/devices/x", O_WRONLY), -ENOENT);
	munmap(page, 4096);
	close(mem);
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	need("readlink " SELF, readlink(SELF, name_of_self, sizeof(name_of_self) - 1) > 0);
	opening();
	names_at();
	reading();
	memory_file();
	copying();
	naming();
	listing();
	about_self(argv[0]);
	return check_result();
}
