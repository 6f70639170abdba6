/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime of a unikernel guest: what a program with main(argc, argv) finds besides picolibc.
 * 64-bit, one CPU, identity-mapped memory, a serial console at COM1, interrupts by message. It needs
 * no firmware: only a PVH start, PCI mechanism #1, a local APIC and a time-stamp counter.
 *
 * main's arguments are the words of the command line; what it returns is the exit status.
 */
#ifndef UNIKERNEL_H
#define UNIKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES	4096u

/* ---- ports and registers of devices ---- */

static inline void port_write8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" :: "a"(value), "Nd"(port) : "memory");
}

static inline void port_write32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" :: "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t port_read8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t port_read32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* One plain mov each, which every instruction decoder of a hypervisor knows. */
static inline uint32_t mmio_read32(const volatile void *at)
{
	uint32_t value;

	__asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void mmio_write32(volatile void *at, uint32_t value)
{
	__asm__ volatile("movl %0, (%1)" :: "r"(value), "r"(at) : "memory");
}

static inline void mmio_write64(volatile void *at, uint64_t value)
{
	mmio_write32(at, (uint32_t)value);
	mmio_write32((volatile uint8_t *)at + 4, (uint32_t)(value >> 32));
}

static inline uint64_t mmio_read64(const volatile void *at)
{
	uint32_t low = mmio_read32(at);

	return low | (uint64_t)mmio_read32((const volatile uint8_t *)at + 4) << 32;
}

/* ---- runtime.c ---- */

/* Ends the guest: the loader exits with this status. */
void guest_exit(int status) __attribute__((noreturn));
/* Tells the loader that a measured stretch begins (0), or ends after so many operations. */
void guest_measure(uint32_t operations);

/* ---- memory.c ---- */

void memory_init(uint64_t ram_end);
/* Zeroed pages for devices, never freed; the address is also the DMA address. NULL: none left. */
void *dma_alloc(size_t bytes);
/* Makes a device's registers accessible, uncached. NULL: no memory for tables. */
volatile void *mmio_map(uint64_t phys, size_t bytes);

/* ---- trap.c, lapic.c ---- */

void trap_init(void);
/* Takes a free vector for a device; 0 when there is none. The handler runs with interrupts off. */
unsigned int irq_register(void (*handler)(void *), void *arg);
/* Sets the handler of a fixed vector. */
void irq_handler_set(unsigned int vector, void (*handler)(void *), void *arg);
void lapic_init(void);
void lapic_eoi(void);
uint32_t lapic_id(void);

/* ---- time.c ---- */

void time_init(void);
/* Since the start of the guest. */
uint64_t time_ns(void);
#define TIME_MS(ms)	((uint64_t)(ms) * 1000000u)
#define TIME_S(s)	((uint64_t)(s) * 1000000000u)
/*
 * Halts until done(arg) or until @deadline (time_ns). done() is called with interrupts off, so that
 * no interrupt falls between its answer and the halt. Returns done's last answer.
 */
bool wait_until(bool (*done)(void *), void *arg, uint64_t deadline);
void wait_ms(unsigned int ms);

/* ---- pci.c ---- */

struct pci_function {
	uint8_t bus;
	uint8_t devfn;
};

uint32_t pci_read32(struct pci_function fn, unsigned int offset);
void pci_write32(struct pci_function fn, unsigned int offset, uint32_t value);
uint16_t pci_read16(struct pci_function fn, unsigned int offset);
void pci_write16(struct pci_function fn, unsigned int offset, uint16_t value);
/* The first function with this class code (24 bits), bridges followed. */
bool pci_find_class(uint32_t class, struct pci_function *fn);
/* The address of a memory BAR, 0 if it has none. */
uint64_t pci_bar_address(struct pci_function fn, unsigned int index);
/* Sizes a memory BAR by writing ones, and puts it at @addr; returns its size. Decoding is left off. */
uint64_t pci_bar_move(struct pci_function fn, unsigned int index, uint64_t addr);
/* Memory decoding and bus mastering on. */
void pci_enable(struct pci_function fn);

struct pci_msix {
	struct pci_function fn;
	unsigned int cap;
	unsigned int vectors;
	volatile uint8_t *table;
};

/* 0, or -1 if the function has no usable MSI-X. All vectors are masked, MSI-X is on. */
int pci_msix_init(struct pci_msix *msix, struct pci_function fn);
/* Sends device vector @index to interrupt vector @vector of this CPU and unmasks it. */
void pci_msix_route(struct pci_msix *msix, unsigned int index, unsigned int vector);
void pci_msix_mask(struct pci_msix *msix, unsigned int index, bool masked);
/* Masks all vectors of the function at once. */
void pci_msix_mask_all(struct pci_msix *msix, bool masked);
/* Enables MSI with one message, to interrupt vector @vector of this CPU; -1 if there is no MSI. */
int pci_msi_route(struct pci_function fn, unsigned int vector);

#endif
