/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest loader: a small virtual machine monitor, an ordinary static Linux program. It uses the
 * KVM and VFIO calls of Linux and nothing else, so the same binary runs on Linux and on Postern.
 *
 * One guest, one vCPU, one thread. Objects and their owners: the options (options.c), the guest's
 * memory (memory.c), the VM with its slots, routes and irqfds (vm.c), the vCPU (vcpu.c, run.c), the
 * PCI bus of the guest (pci_host.c) and on it the passed-through devices (device.c, config.c, bar.c,
 * msi.c), whose host side is the container, group and device of VFIO (vfio.c).
 *
 * Set-up either succeeds or ends the program with one clear message (report.c).
 */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>

#define PAGE_BYTES	4096ULL
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)

/* The guest's physical address space. RAM fills [0, RAM_LOW_END) and goes on at 4 GiB. */
#define RAM_LOW_END	(3 * GIB)
#define RAM_HIGH_BASE	(4 * GIB)
#define MMIO_LOW_BASE	RAM_LOW_END		/* BARs, below the interrupt controllers */
#define MMIO_LOW_END	0xfec00000ULL
#define MMIO_HIGH_ALIGN	(64 * GIB)		/* 64-bit BARs that do not fit below */
#define GPA_END		(1ULL << 46)

#define MAX_DEVICES	8
#define MAX_SLOTS	64
#define MAX_ROUTES	1024
#define FIRST_GSI	24			/* above the pins of the interrupt controllers */
#define NUM_BARS	6

/* ---- options.c ---- */

struct options {
	uint64_t memory;			/* bytes */
	const char *kernel;
	const char *append;
	char device[MAX_DEVICES][16];		/* "0000:01:00.0" */
	unsigned int devices;
	bool serial;				/* COM1 goes to standard output */
};

void options_parse(struct options *opt, int argc, char **argv);

/* ---- report.c ---- */

/* One progress line on standard output. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Ends the program with status 1: the message, errno's text when errno is not 0, and the system's own
 * reason if it has one, else @cure, what the user can do (may be NULL).
 */
void fail(const char *cure, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Writes everything to standard output. */
void output_write(const char *text, size_t len);

/* ---- memory.c ---- */

struct memory_bank {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
};

struct guest_memory {
	struct memory_bank bank[2];
	unsigned int banks;
};

void memory_create(struct guest_memory *mem, uint64_t size);
/* The host address of [gpa, gpa + len), NULL if not all of it is RAM of one bank. */
void *memory_at(const struct guest_memory *mem, uint64_t gpa, uint64_t len);
uint64_t memory_end(const struct guest_memory *mem);

/* ---- elf.c, boot.c ---- */

/* Loads the guest; returns its 32-bit PVH entry point. */
uint32_t elf_load(const struct guest_memory *mem, const char *path);
/* Writes the PVH start info; returns its address. */
uint32_t boot_info_write(const struct guest_memory *mem, const char *cmdline);

/* Guest pages below this address belong to the start info. */
#define BOOT_INFO_END	0x10000ULL

/* ---- vm.c ---- */

struct vm {
	int kvm;
	int fd;
	bool slot_used[MAX_SLOTS];
	unsigned int gsis;			/* given out, from FIRST_GSI on */
	bool route_used[MAX_ROUTES];
	struct kvm_irq_routing_entry route[MAX_ROUTES];
};

void vm_create(struct vm *vm);
/* A slot number, or a negative errno. */
int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host);
void vm_slot_remove(struct vm *vm, int slot);
/* Reserves @count consecutive interrupt numbers; returns the first. */
unsigned int vm_gsi_reserve(struct vm *vm, unsigned int count);
/* Routes become effective with vm_routes_commit(). */
bool vm_route_set(struct vm *vm, unsigned int gsi, uint64_t addr, uint32_t data);
void vm_routes_commit(struct vm *vm);
void vm_irqfd(struct vm *vm, int eventfd, unsigned int gsi, bool attach);

/* ---- vfio.c ---- */

struct vfio_region {
	uint64_t offset;			/* in the device file */
	uint64_t size;
	bool mappable;
	unsigned int areas;			/* sparse areas; 0: all of it, if mappable */
	struct {
		uint64_t offset;
		uint64_t size;
	} area[4];
};

int vfio_container_open(void);
void vfio_group_attach(int container, const char *bdf, bool first);
void vfio_memory_map(int container, const struct guest_memory *mem);
int vfio_device_open(const char *bdf);
void vfio_region_info(int device, const char *bdf, unsigned int index, struct vfio_region *region);
unsigned int vfio_irq_count(int device, unsigned int index);
/* Eventfds for vectors 0..count-1; count 0 tears the index down. Fails by ending the program. */
void vfio_irqs_set(int device, const char *bdf, unsigned int index, const int *fds,
		   unsigned int count);

/* ---- device.c: a passed-through PCI function ---- */

struct bar {
	uint64_t size;				/* 0: not there */
	bool io;
	bool is64;
	uint64_t addr;				/* where the guest has put it */
	bool live;				/* decoded at live_addr */
	uint64_t live_addr;
	unsigned int segments;			/* mapped parts; the rest is trapped */
	struct {
		uint64_t offset;
		uint64_t size;
		void *host;
		int slot;			/* negative: none */
	} segment[5];
};

struct irq_vector {
	int eventfd;
	bool attached;				/* it is an irqfd now */
};

enum irq_mode { IRQ_NONE, IRQ_MSI, IRQ_MSIX };

struct device {
	const char *bdf;			/* on the host */
	int fd;
	unsigned int slot;			/* device number on the guest's bus 0 */
	struct vm *vm;
	struct vfio_region region[NUM_BARS];
	struct vfio_region config;
	struct bar bar[NUM_BARS];
	/* Config space: bits set in own[] are the loader's, of which those in writable[] the guest's. */
	uint8_t value[256];
	uint8_t own[256];
	uint8_t writable[256];
	unsigned int msi_cap;			/* offsets, 0: none */
	unsigned int msi_vectors;
	unsigned int msix_cap;
	unsigned int msix_vectors;
	unsigned int msix_bar;
	uint32_t msix_offset;			/* of the table in its BAR */
	uint32_t *msix_table;			/* four words per vector */
	enum irq_mode irq_mode;
	unsigned int irqs_enabled;		/* vectors with an eventfd */
	unsigned int first_gsi;
	struct irq_vector *irq;
};

/* Opens the host's device and builds the function the guest sees. */
void device_create(struct device *dev, struct vm *vm, const char *bdf, unsigned int slot);

/* ---- config.c ---- */

void config_init(struct device *dev);
uint32_t config_read(struct device *dev, unsigned int offset, unsigned int len);
void config_write(struct device *dev, unsigned int offset, unsigned int len, uint32_t value);

/* ---- bar.c ---- */

/* Sizes, addresses and mappings of all BARs of all devices. */
void bars_init(struct device *devs, unsigned int count, const struct guest_memory *mem);
/* Brings the memory slots in line with the command and BAR registers. */
void bars_update(struct device *dev);
/* False when no BAR of @dev decodes the address. */
bool bar_access(struct device *dev, bool io, uint64_t addr, void *data, unsigned int len,
		bool write);

/* ---- msi.c ---- */

void msi_init(struct device *dev);
/* Brings eventfds, routes and irqfds in line with the MSI and MSI-X registers. */
void msi_update(struct device *dev);
bool msix_table_hit(const struct device *dev, unsigned int bar, uint64_t offset);
void msix_table_access(struct device *dev, uint64_t offset, void *data, unsigned int len,
		       bool write);

/* ---- pci_host.c ---- */

void pci_host_init(struct device *devs, unsigned int count);
void pci_host_port(unsigned int port, void *data, unsigned int len, bool write);

/* ---- serial.c ---- */

void serial_init(bool enabled);
void serial_port(unsigned int reg, uint8_t *data, bool write);
void serial_flush(void);

/* ---- exits.c: what brought the guest out ---- */

enum exit_kind {
	EXIT_SERIAL, EXIT_PCI, EXIT_PORT, EXIT_TABLE, EXIT_INTERRUPTED, EXIT_KINDS
};

/* The system's own counters, by name; none where it does not show them. */
struct system_exits {
	unsigned int kinds;
	struct {
		char name[24];
		uint64_t count;
	} kind[16];
};

struct exits {
	uint64_t count[EXIT_KINDS];		/* came to the loader */
	uint64_t mark[EXIT_KINDS];		/* when the measured stretch began */
	struct system_exits system_mark;
};

/* Begins a measured stretch (0), or prints the exits of one that ends after so many I/Os. */
void exits_measure(struct exits *exits, uint32_t operations);
void exits_print(const struct exits *exits);

/* ---- vcpu.c, run.c ---- */

struct vcpu {
	int fd;
	struct kvm_run *run;
	size_t run_size;
};

void vcpu_create(struct vcpu *vcpu, struct vm *vm, uint32_t entry, uint32_t start_info);
/* Runs the guest to its end; returns the exit status that it chose. */
int vcpu_run(struct vcpu *vcpu, struct device *devs, unsigned int count);

#endif
