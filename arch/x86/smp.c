/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starting the other CPUs, one after the other: INIT, start-up IPI with the trampoline's page, and a
 * deadline. Each gets its block, a kernel stack and interrupt stacks before it is woken, and says that
 * it is up by its bit in cpus_online. One that does not come is put back into INIT, so that it cannot
 * wake later with another's stack, and named.
 *
 * At the deadline both sides take `starting`, and only one gets it: the other CPU, which then goes online, or we,
 * after which it never does. So no CPU in INIT has its bit set.
 */
#include "arch/x86/early.h"
#include "kernel/acpi.h"
#include "kernel/frames.h"
#include "kernel/thread.h"

#define INIT_DELAY (200 * NS_PER_US)
#define INIT_SETTLE (10 * NS_PER_MS) /* until a CPU has certainly stopped */
#define POLL (20 * NS_PER_US)
#define SIPI_RETRY (10 * NS_PER_MS)
#define START_DEADLINE (2 * NS_PER_S)

extern char trampoline_start[], trampoline_end[], trampoline_gdt[], trampoline_gdt_pointer[];
extern char trampoline_jump[], trampoline_cr3[], trampoline_efer[], trampoline_stack[], trampoline_entry[];
extern char trampoline_long[];

static struct percpu *starting; /* whose start is under way; NULL: taken */

unsigned arch_cpu_count(void)
{
	return bits_count(READ_ONCE(cpus_online));
}

u32 arch_cpu_apic_id(unsigned cpu_id)
{
	return percpu_of[cpu_id]->apic_id;
}

static void slot_set(const char *slot, size_t off, u64 v, size_t n)
{
	memcpy((u8 *)phys_to_virt(trampoline_page) + (slot - trampoline_start) + off, &v, n);
}

/* The block whose start is under way: to its CPU, or back to who gives that CPU up. NULL: the other has it. */
static struct percpu *starting_take(void)
{
	return __atomic_exchange_n(&starting, NULL, __ATOMIC_SEQ_CST);
}

/* First C code of another CPU; on its kernel stack, trampoline_root loaded. */
__attribute__((noreturn)) static void ap_main(void)
{
	struct percpu *p = READ_ONCE(starting);

	if (!p)
		cpu_halt_forever();
	gdt_load(p);
	idt_load();
	cpu_enable();
	tlb_load_root(p, paging_root);
	apic_init(false);
	apic_timer_init();
	if (!starting_take())
		cpu_halt_forever(); /* too late: INIT is on its way */
	__atomic_or_fetch(&cpus_online, BIT(p->cpu_id), __ATOMIC_SEQ_CST);
	upcalls.cpu_online();
	__builtin_unreachable();
}

static struct percpu *percpu_create(unsigned id, u32 apic_id)
{
	struct percpu *p = kzalloc(sizeof *p);
	u8 *stack[2] = { arch_kstack_alloc(), arch_kstack_alloc() };

	if (!p || !stack[0] || !stack[1])
		return NULL;
	for (unsigned i = 0; i < IST_COUNT; i++)
		p->ist_stack[i] = stack[i / 2] + i % 2 * IST_STACK_SIZE;
	p->self = p;
	p->cpu_id = id;
	p->apic_id = apic_id;
	return p;
}

/* Sleeping, not spinning: an emulator that runs its CPUs in turn gets to the other one at once. */
static bool up_by(unsigned id, u64 deadline)
{
	while (!(READ_ONCE(cpus_online) & BIT(id))) {
		if (arch_now_ns() > deadline)
			return false;
		thread_sleep_until(arch_now_ns() + POLL);
	}
	return true;
}

static bool cpu_start(unsigned id, u32 apic_id)
{
	struct percpu *p = percpu_create(id, apic_id);
	u64 now = arch_now_ns();
	u8 *stack = arch_kstack_alloc();

	if (!p || !stack) {
		log_err("CPU with APIC id %u stays off: no memory for it", apic_id);
		return false;
	}
	percpu_of[id] = p;
	WRITE_ONCE(starting, p);
	slot_set(trampoline_stack, 0, (u64)stack + ARCH_KSTACK_SIZE, 8);
	apic_send(apic_id, ICR_INIT);
	thread_sleep_until(arch_now_ns() + INIT_DELAY);
	apic_send(apic_id, ICR_STARTUP(trampoline_page >> PAGE_SHIFT));
	if (up_by(id, now + SIPI_RETRY))
		return true;
	apic_send(apic_id, ICR_STARTUP(trampoline_page >> PAGE_SHIFT));
	if (up_by(id, now + START_DEADLINE) || !starting_take())
		return true; /* in the last moment: its bit follows at once */
	apic_send(apic_id, ICR_INIT);
	thread_sleep_until(arch_now_ns() + INIT_SETTLE);
	percpu_of[id] = NULL;
	log_err("CPU with APIC id %u does not start: no answer within 2 s; it stays off", apic_id);
	return false;
}

static void trampoline_fill(void)
{
	memcpy(phys_to_virt(trampoline_page), trampoline_start, trampoline_end - trampoline_start);
	slot_set(trampoline_gdt_pointer, 2, trampoline_page + (trampoline_gdt - trampoline_start), 4);
	slot_set(trampoline_jump, 0, trampoline_page + (trampoline_long - trampoline_start), 4);
	slot_set(trampoline_cr3, 0, trampoline_root, 4);
	slot_set(trampoline_efer, 0, EFER_LME | (cpu.nx ? EFER_NXE : 0), 4);
	slot_set(trampoline_entry, 0, (u64)ap_main, 8);
}

void arch_start_cpus(void)
{
	static struct acpi_madt madt;
	const struct acpi_header *table = acpi_find("APIC");
	unsigned next = 1;

	if (!table || acpi_parse_madt(table, &madt))
		return;
	if (!trampoline_page || !upcalls.cpu_online) {
		log_err("one CPU only: no free memory below 640 KiB to start the others from");
		return;
	}
	trampoline_fill();
	for (unsigned i = 0; i < madt.ncpus; i++) {
		u32 id = madt.cpu[i].apic_id;

		if (id == percpu_of[0]->apic_id)
			continue;
		if (next == ARCH_MAX_CPUS || (id > 254 && !arch_x2apic()))
			log_warn("CPU with APIC id %u stays off: more than %u CPUs, or no x2APIC", id, ARCH_MAX_CPUS);
		else if (cpu_start(next, id))
			next++;
	}
	log_info("%u CPUs, %s", arch_cpu_count(), arch_x2apic() ? "x2APIC" : "xAPIC");
}
