/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first program when Debian's kernel is booted in Postern's place (tools/run-program --linux). It
 * makes what Postern has from the start: /proc, /sys and /dev, the VFIO and KVM modules, and every
 * function that is not a bridge bound to vfio-pci.  Then it runs the program whose words stand in
 * /arguments, each ended by a zero byte, with ttyS3 as standard output and ttyS2 as standard error,
 * and ends the machine; the last line on ttyS0 tells the program's exit status, 125 when it could
 * not be started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT 0xf4 /* isa-debug-exit */
#define CONSOLE_OFF 6  /* klogctl(2) */
#define PCI_DEVICES "/sys/bus/pci/devices"
#define MAX_WORDS 64

/* In the order in which they need each other. */
static const struct {
	const char *name, *options;
} modules[] = {
	{ "irqbypass", "" }, { "vfio", "" }, { "vfio_virqfd", "" }, { "vfio_iommu_type1", "" },
	{ "vfio-pci-core", "" }, { "vfio-pci", "enable_sriov=1" }, { "ccp", "" }, { "kvm", "" }, { "kvm-amd", "" },
};

static _Noreturn void end(int status)
{
	int fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);

	klogctl(CONSOLE_OFF, NULL, 0);
	if (fd >= 0) {
		dprintf(fd, "\nlinux: exit status %d\n", status);
		tcdrain(fd);
	}
	if (!iopl(3))
		outb((unsigned char)status, EXIT_PORT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static _Noreturn void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	fflush(stdout);
	end(125);
}

static void mount_at(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, NULL) && errno != EBUSY)
		fail("mount %s", dir);
}

static void load(const char *name, const char *options)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || (syscall(SYS_finit_module, fd, options, 0) && errno != EEXIST))
		fail("module %s", name);
	close(fd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	/* What cannot be bound is the program's to notice. */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("linux_init: %s to %s: %s\n", text, path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void bind_all(void)
{
	DIR *d = opendir(PCI_DEVICES);
	struct dirent *e;
	char path[512];
	unsigned char type;
	int fd;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", e->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0 || pread(fd, &type, 1, 0x0e) != 1)
			type = 1;
		close(fd);
		if (type & 0x7f)
			continue;
		/* The kernel itself holds drivers for serial ports, some consoles and the like. */
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", e->d_name);
		if (!access(path, W_OK))
			write_file(path, e->d_name);
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", e->d_name);
		write_file(path, "vfio-pci");
		write_file("/sys/bus/pci/drivers_probe", e->d_name);
	}
	if (d)
		closedir(d);
}

/* A serial line that changes no byte, as file descriptor `to`. */
static void serial(const char *path, int to)
{
	int fd = open(path, O_WRONLY | O_NOCTTY);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t))
		fail("%s", path);
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSANOW, &t) || dup2(fd, to) < 0)
		fail("%s", path);
	close(fd);
}

static int run(void)
{
	static char text[65536];
	char *words[MAX_WORDS + 1], *p = text;
	int fd = open("/arguments", O_RDONLY), n = 0, status;
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	pid_t pid;

	if (len <= 0)
		fail("/arguments");
	close(fd);
	for (; p < text + len && n < MAX_WORDS; p += strlen(p) + 1)
		words[n++] = p;
	words[n] = NULL;
	pid = vfork();
	if (!pid) {
		close(0);
		open("/dev/null", O_RDONLY);
		serial("/dev/ttyS3", 1);
		serial("/dev/ttyS2", 2);
		execv(words[0], words);
		_exit(125);
	}
	while (waitpid(pid, &status, 0) != pid)
		;
	for (fd = 2; fd <= 3; fd++) {
		char path[] = "/dev/ttyS0";
		int line;

		path[strlen(path) - 1] = (char)('0' + fd);
		line = open(path, O_WRONLY | O_NOCTTY);
		tcdrain(line);
		close(line);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	int fd;

	mount_at("devtmpfs", "/dev");
	fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);
	dup2(fd, 1);
	dup2(fd, 2);
	setvbuf(stdout, NULL, _IONBF, 0);
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	for (unsigned i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		load(modules[i].name, modules[i].options);
	bind_all();
	end(run());
}
