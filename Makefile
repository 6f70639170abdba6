# SPDX-License-Identifier: GPL-2.0-only
#
# make          the kernel, the UEFI application, loader, programs and guests, all under build/
# make run      the demonstration in QEMU          make run DISK=image
# make test     host tests, fuzzers for some seconds, machine tests
# make help     the other targets
#
# Sources are found by folder: a new file needs no line here. Folders that hold ring-0 code are
# built for the kernel (build/kernel/) and, those that do not know the CPU, together with tests/*/
# for the host tests (build/host/, ASan and UBSan) and the fuzzers (build/fuzz/).

CC = gcc
CLANG = clang
MUSL_CC = musl-gcc
CACHE := $(or $(POSTERN_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/postern)
FUZZ_SECONDS = 600
FUZZ_SMOKE_SECONDS = 5
FUZZ_STEPS = 2000000
show = $(if $(V),,@printf '  %-8s%s\n' $1 $@;)
export DISK QEMU OVMF ACCEL POSTERN_CACHE

ARCH_DIRS := arch/x86 arch/x86/svm arch/x86/vmx
PORTABLE_DIRS := kernel kernel/linux pci iommu iommu/vtd virt passthrough

sources = $(filter-out %_test.c %_fuzz.c,$(wildcard $(addsuffix /*.c,$1) $(addsuffix /*.S,$1)))
objects = $(addprefix $1,$(addsuffix .o,$(basename $2)))

BOOT_SOURCES := $(call sources,arch/x86/boot)
STUB_SOURCES := $(filter arch/x86/boot/stub%,$(BOOT_SOURCES))
PORTABLE_SOURCES := $(call sources,$(PORTABLE_DIRS))
KERNEL_SOURCES := $(filter-out $(STUB_SOURCES),$(BOOT_SOURCES)) $(call sources,$(ARCH_DIRS)) $(PORTABLE_SOURCES)
HOST_SOURCES := $(PORTABLE_SOURCES) $(call sources,$(patsubst %/,%,$(wildcard tests/*/)) tools/host/lib)
TEST_SOURCES := $(wildcard $(addsuffix /*_test.c,$(ARCH_DIRS) $(PORTABLE_DIRS) tests tests/*))
FUZZ_SOURCES := $(wildcard tests/fuzz/*_fuzz.c)
PROGRAM_SOURCES := $(wildcard guest_tests/programs/*.c)
GUEST_SOURCES := $(wildcard guest_tests/unikernel/*.c)
EFI_SOURCES := $(wildcard guest_tests/efi/*.c)
TOOL_SOURCES := $(wildcard tools/host/*.c)

KERNEL_OBJECTS := $(call objects,build/kernel/,$(KERNEL_SOURCES))
CLANG_OBJECTS := $(call objects,build/clang/,$(filter %.c,$(KERNEL_SOURCES)))
STUB_OBJECTS := $(call objects,build/efi/,$(STUB_SOURCES))
HOST_OBJECTS := $(call objects,build/host/,$(HOST_SOURCES))
FUZZ_OBJECTS := $(call objects,build/fuzz/,$(HOST_SOURCES))
LOADER_OBJECTS := $(call objects,build/musl/,$(call sources,loader))
PROGRAM_LIB := $(call objects,build/musl/,$(call sources,guest_tests/programs/lib))
EFI_LIB := $(call objects,build/efi/,$(call sources,guest_tests/efi/lib))
GUEST_LIB := $(call objects,build/guest/,$(call sources,guest_tests/unikernel/lib))
HOST_TESTS := $(patsubst %.c,build/host/%,$(TEST_SOURCES))
RANDOM_TESTS := $(filter %random_test,$(HOST_TESTS))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SOURCES))
PROGRAMS := $(patsubst guest_tests/programs/%.c,build/programs/%,$(PROGRAM_SOURCES))
GUESTS := $(patsubst guest_tests/unikernel/%.c,build/guests/%.elf,$(GUEST_SOURCES))
EFI_PROGRAMS := $(patsubst guest_tests/efi/%.c,build/guests/%.efi,$(EFI_SOURCES))
HOST_TOOLS := $(patsubst tools/host/%.c,build/host/%,$(TOOL_SOURCES))

# Flags, each in one place.
UAPI := -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
COMMON := -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-c2x-extensions -I. -MMD -MP -D__PERMIT_DEPRECATED_SYS_TREE_H
BARE := -ffreestanding -fbuiltin -fno-pie -fno-stack-protector -fno-omit-frame-pointer -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -fno-common
PICO_KERNEL := $(CACHE)/picolibc-kernel
PICO_GUEST := $(CACHE)/picolibc-unikernel
only_headers = -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $1/include $(UAPI)
# Padding inside functions is size and no-operations that run; clang has no such flag.
UNPADDED := -fno-align-jumps -fno-align-loops -Wno-ignored-optimization-argument
KERNEL_CFLAGS = $(COMMON) -Os $(BARE) $(UNPADDED) -Iarch/x86/inline -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	$(call only_headers,$(PICO_KERNEL))
GUEST_CFLAGS = $(COMMON) $(BARE) -mno-red-zone $(call only_headers,$(PICO_GUEST))
EFI_CFLAGS = $(COMMON) -fpic -fvisibility=hidden -fshort-wchar -ffreestanding -fno-stack-protector \
	-fno-strict-aliasing -mno-red-zone -mgeneral-regs-only -maccumulate-outgoing-args \
	-DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
MUSL_CFLAGS = $(COMMON) -pthread $(UAPI)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HOST_CFLAGS = $(COMMON) -Itests/host/inline -fno-strict-aliasing $(SANITIZE) -idirafter $(PICO_KERNEL)/include
FUZZ_CFLAGS = $(HOST_CFLAGS) -fsanitize=fuzzer-no-link
LDFLAGS_BARE := -static -nostdlib --build-id=none -z noexecstack -z max-page-size=4096

.PHONY: all kernel efi programs loader acpi guests tools clang run test test-all acpi-test host-test machine-test bench fuzz size \
	clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)

all: kernel efi loader programs guests
kernel: build/postern.elf
efi: build/postern.efi
acpi: build/acpi-routes
loader: $(if $(LOADER_OBJECTS),build/loader)
programs: $(PROGRAMS)
guests: $(GUESTS) $(EFI_PROGRAMS)
tools: $(HOST_TOOLS)
clang: $(CLANG_OBJECTS)

# What the machine lacks is installed before anything else: GNU make remakes this file first.
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),all)),)
-include build/setup.mk
endif
build/setup.mk: tools/setup tools/picolibc $(if $(wildcard $(PICO_KERNEL)/lib/libc.a),,FORCE)
	@tools/setup
	@mkdir -p $(@D) && echo '# tools/setup has run' >$@

# Ring 0 is made small; what runs for each call, fault, interrupt, page or exit is made fast.
FAST := $(addprefix arch/x86/,irq.c port.c svm/*.c timer.c tlb.c usercopy.c) \
	$(addprefix iommu/,iommu.c vtd/attach.c vtd/domain.c vtd/queue.c vtd/unit.c) \
	$(addprefix kernel/,epoll.c eventfd.c fd.c file.c frames*.c futex.c heap.c mm.c mm_fault.c mm_pin.c mm_vma.c \
		mobj*.c pin.c poll.c pt*.c runqueue.c sched.c wait.c linux/deliver.c linux/event.c linux/io.c linux/memory.c) \
	$(addprefix passthrough/,container.c device.c pci_config.c pci_core.c pci_intrs.c pci_perm.c pci_rdwr.c type1*.c) \
	pci/config.c $(filter-out $(addprefix virt/,counters.c guest.c kvm.c regs.c vm.c),$(wildcard virt/*.c))
$(patsubst %.c,build/kernel/%.o,$(wildcard $(FAST))): KERNEL_CFLAGS += -O2

# The flags are here.
$(KERNEL_OBJECTS) $(CLANG_OBJECTS) $(STUB_OBJECTS) $(HOST_OBJECTS) $(FUZZ_OBJECTS) $(LOADER_OBJECTS) $(PROGRAM_LIB) $(EFI_LIB) \
	$(GUEST_LIB): Makefile

# The kernel. It is linked twice: the symbol table for backtraces is made from the first link.
build/kernel/%.o: %.c
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(KERNEL_CFLAGS) -c $< -o $@

build/kernel/%.o: %.S
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(KERNEL_CFLAGS) -c $< -o $@

# Ring 0 must compile with clang, too.
build/clang/%.o: CC = $(CLANG)
build/clang/%.o: %.c
	@mkdir -p $(@D)
	$(call show,CLANG)$(CC) $(KERNEL_CFLAGS) -c $< -o $@

build/ksyms%.o: build/ksyms%.S
	$(call show,AS)$(CC) -c $< -o $@

build/ksyms0.S: tools/ksyms
	$(call show,KSYMS)tools/ksyms </dev/null >$@

build/ksyms1.S: build/postern0.elf tools/ksyms
	$(call show,KSYMS)nm -n $< | tools/ksyms >$@

build/postern%.elf: $(KERNEL_OBJECTS) build/ksyms%.o linker.ld $(PICO_KERNEL)/lib/libc.a
	$(call show,LINK)ld $(LDFLAGS_BARE) -T linker.ld -Map build/postern$*.map -o $@ $(KERNEL_OBJECTS) build/ksyms$*.o $(PICO_KERNEL)/lib/libc.a

build/postern.elf: build/postern0.elf build/postern1.elf tools/ksyms
	@nm -n build/postern1.elf | tools/ksyms | cmp -s - build/ksyms1.S || \
		{ echo "linker.ld: .ksyms must follow the text, or its size moves the symbols"; false; }
	@cp build/postern1.elf $@

# The UEFI application: the stub, carrying the kernel as it lies in memory.
build/postern.bin: build/postern.elf
	$(call show,OBJCOPY)objcopy -O binary $< $@

build/efi/%.o: %.c
	@mkdir -p $(@D)
	$(call show,EFI)gcc $(EFI_CFLAGS) -c $< -o $@

build/efi/%.o: %.S build/postern.bin
	@mkdir -p $(@D)
	$(call show,EFI)gcc $(EFI_CFLAGS) -DKERNEL_IMAGE='"build/postern.bin"' -c $< -o $@

define link_efi
	@mkdir -p $(@D)
	$(call show,LINK)ld -nostdlib -shared -Bsymbolic --no-undefined --build-id=none -z noexecstack \
		-T /usr/lib/elf_x86_64_efi.lds -o $@ /usr/lib/crt0-efi-x86_64.o $^ -L /usr/lib -lgnuefi
	@! readelf -rW $@ | grep R_X86_64 | grep -v R_X86_64_RELATIVE
endef
define copy_efi
	@mkdir -p $(@D)
	$(call show,OBJCOPY)objcopy -j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
		-j '.rela.*' -j .reloc --target efi-app-x86_64 --subsystem=10 $< $@
endef

build/efi/postern.so: $(STUB_OBJECTS)
	$(link_efi)

build/postern.efi: build/efi/postern.so
	$(copy_efi)

# EFI programs that stand before it, as bad firmware would.
build/efi/%.so: build/efi/guest_tests/efi/%.o $(EFI_LIB)
	$(link_efi)

build/guests/%.efi: build/efi/%.so
	$(copy_efi)

# Ring-3 programs and the loader: static, with musl.
build/musl/%.o: %.c
	@mkdir -p $(@D)
	$(call show,MUSL)$(MUSL_CC) $(MUSL_CFLAGS) -c $< -o $@

build/musl/%.o: %.S
	@mkdir -p $(@D)
	$(call show,MUSL)$(MUSL_CC) $(MUSL_CFLAGS) -c $< -o $@

build/programs/%: build/musl/guest_tests/programs/%.o $(PROGRAM_LIB)
	@mkdir -p $(@D)
	$(call show,LINK)$(MUSL_CC) -static -pthread -o $@ $^

# The interpreter of AML is neither ours nor in the set-up: ACPICA=path says where its source is.
ACPICA_FLAGS := -O2 -DACPI_REDUCED_HARDWARE=1 -DACPI_USE_LOCAL_CACHE
ACPI_SOURCES := $(call sources,acpi)

build/acpica/libacpica.a: tools/acpica $(ACPICA)
	$(call show,ACPICA)tools/acpica "$(ACPICA)" $(MUSL_CC) $(ACPICA_FLAGS)

build/acpi-routes: $(ACPI_SOURCES) acpi/acpi_routes.h build/acpica/libacpica.a
	$(call show,LINK)$(MUSL_CC) -std=gnu11 -g -Wall -Wextra -Werror -Wno-unused-parameter $(ACPICA_FLAGS) \
		-Iacpi -isystem build/acpica/source/include $(UAPI) -static -o $@ $(ACPI_SOURCES) build/acpica/libacpica.a

build/loader: $(LOADER_OBJECTS)
	$(call show,LINK)$(MUSL_CC) -static -pthread -o $@ $^

# Unikernel guests, with the whole of picolibc.
build/guest/%.o: %.c
	@mkdir -p $(@D)
	$(call show,GUEST)$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/guest/%.o: %.S
	@mkdir -p $(@D)
	$(call show,GUEST)$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/guests/%.elf: build/guest/guest_tests/unikernel/%.o $(GUEST_LIB) guest_tests/unikernel/guest.ld
	@mkdir -p $(@D)
	$(call show,LINK)ld $(LDFLAGS_BARE) -T guest_tests/unikernel/guest.ld -o $@ $(filter %.o,$^) $(PICO_GUEST)/lib/libc.a

# Host tests: the portable sources under sanitizers, one executable per foo_test.c. A test of
# arch/ brings the object it tests along.
build/host/%.o: %.c
	@mkdir -p $(@D)
	$(call show,HOST)gcc $(HOST_CFLAGS) -c $< -o $@

build/host/libpostern.a: $(HOST_OBJECTS)
	@rm -f $@
	$(call show,AR)ar qcsD $@ $^

build/host/arch/%_test: build/host/arch/%_test.o build/host/arch/%.o build/host/libpostern.a
	$(call show,LINK)gcc $(SANITIZE) -o $@ $^ -lcmocka -lpthread

build/host/%_test: build/host/%_test.o build/host/libpostern.a
	$(call show,LINK)gcc $(SANITIZE) -o $@ $^ -lcmocka -lpthread

build/host/%: build/host/tools/host/%.o build/host/libpostern.a
	$(call show,LINK)gcc $(SANITIZE) -o $@ $^ -lpthread

build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call show,FUZZ)$(CLANG) $(FUZZ_CFLAGS) -c $< -o $@

build/fuzz/libpostern.a: $(FUZZ_OBJECTS)
	@rm -f $@
	$(call show,AR)ar qcsD $@ $^

build/fuzz/%_fuzz: build/fuzz/tests/fuzz/%_fuzz.o build/fuzz/libpostern.a
	$(call show,LINK)$(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ -lpthread

# What one does with it.
run: all
	tools/run

host-test: $(HOST_TESTS) $(HOST_TOOLS)
	@tools/test host $(HOST_TESTS) script tests/dmar/run tests/topo/run

machine-test: all
	@tools/test script tests/linux/run machine

test: all clang $(HOST_TESTS) $(HOST_TOOLS) $(FUZZERS)
	@tools/test host $(HOST_TESTS) script tests/dmar/run tests/topo/run fuzz $(FUZZ_SMOKE_SECONDS) $(FUZZERS) script tests/linux/run machine

acpi-test: all acpi
	@tests/machine/acpi

test-all: test
	@tools/setup linux
	@tools/test script tests/mutations/run tests/mutations/groups tests/mutations/machine "tests/linux/run --live" "tests/machine/run --linux"

fuzz: $(FUZZERS) $(RANDOM_TESTS)
	@HOST_TEST_SECONDS=3600 VTD_STEPS=$(FUZZ_STEPS) VTD_SEED=$$(date +%s) tools/test host $(RANDOM_TESTS) fuzz $(FUZZ_SECONDS) $(FUZZERS)

bench: all
	tools/bench

size: build/postern.elf
	size $<
	cloc --quiet --not-match-f='_test\.c$$' $(wildcard arch kernel pci iommu virt passthrough)

clean:
	rm -rf build

help:
	@echo "make                 build everything under build/"
	@echo "make run             the demonstration in QEMU; DISK=image QEMU= OVMF= ACCEL="
	@echo "make test            host tests, fuzzers for $(FUZZ_SMOKE_SECONDS) s each, machine tests"
	@echo "make host-test       host tests only; one of them: make build/host/pci/NAME_test"
	@echo "make machine-test    machine tests only; some of them: tests/machine/run NAME..."
	@echo "make clang           compile ring 0 with clang, as make test does"
	@echo "make test-all        make test, whether the tests notice when the IOMMU code is broken, and Linux itself"
	@echo "make fuzz            fuzzers, FUZZ_SECONDS=$(FUZZ_SECONDS) each, and random tests, FUZZ_STEPS=$(FUZZ_STEPS)"
	@echo "make tools           build/host/: dmar, iommu-groups, lspci2topo; --help tells of each"
	@echo "make acpi ACPICA=path  build/acpi-routes reports INTx lines that only AML knows; path: source of ACPICA"
	@echo "make bench           costs beside Linux's and the budgets"
	@echo "make size            text, data and lines of ring 0"
	@echo "make clean           remove build/"
	@echo "V=1 shows commands; CC=clang builds kernel and guests with clang; POSTERN_CACHE=DIR is where set-up keeps its parts."

-include $(shell find build -name '*.d' 2>/dev/null)
