/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demonstration, seen from ring 3: gives a drive to a guest through the loader, tells the guest
 * two addresses that are not its own - a canary page of this program and one of the hypervisor - and
 * judges afterwards by what cannot lie: both pages, and the IOMMU's fault records.
 *
 * usage: demo [-m SIZE] [-d DEVICE]
 *
 * Prints PASS and ends with 0 when every check held; otherwise a line "FAIL: ..." per check and 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOADER		"/bin/loader"
#define GUEST		"/guests/nvme.elf"
#define CANARY_PATH	"/sys/kernel/postern/canary"
#define FAULTS_PATH	"/sys/kernel/postern/faults"

#define PAGE_BYTES	4096u
#define CHUNK_BYTES	(2u << 20)
#define CHUNKS_SPARE	16u
#define PATTERN_SEED	0x706f737465726e00ull
#define SAMPLE_NS	20000000

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT	(1ull << 63)
#define PAGEMAP_FRAME	((1ull << 55) - 1)

/* One page that the guest's drive must not reach, and what the IOMMU recorded about it. */
struct canary {
	const char *owner;
	uint64_t phys;
	bool faulted;
	char record[256];
};

enum { OWN, HYPERVISOR, CANARIES };

static struct canary canaries[CANARIES] = {
	[OWN] = { .owner = "this program" },
	[HYPERVISOR] = { .owner = "the hypervisor" },
};
static const char *device = "0000:01:00.0";
static const char *memory = "256M";
static unsigned int failures;

#define FAILED(...) do {			\
	printf("FAIL: " __VA_ARGS__);		\
	printf("\n");				\
	failures++;				\
} while (0)

static uint64_t size_parse(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	if (*end == 'G')
		return size << 30;
	return *end == 'K' ? size << 10 : size << 20;
}

/* Reads a small file; false, with errno, if it is not there. */
static bool file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* The physical address of a page of this program, 0 if the system does not tell. */
static uint64_t page_phys(const void *page)
{
	static int fd = -1;
	uint64_t entry = 0;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE_BYTES * 8)) !=
	    sizeof(entry))
		return 0;
	return entry & PAGEMAP_PRESENT ? (entry & PAGEMAP_FRAME) * PAGE_BYTES : 0;
}

static void pattern_fill(uint64_t *page)
{
	for (unsigned int i = 0; i < PAGE_BYTES / sizeof(*page); i++)
		page[i] = PATTERN_SEED + i;
}

/* How many words of the page are not what pattern_fill() wrote. */
static unsigned int pattern_damage(const volatile uint64_t *page)
{
	unsigned int damage = 0;

	for (unsigned int i = 0; i < PAGE_BYTES / sizeof(*page); i++)
		damage += page[i] != PATTERN_SEED + i;
	return damage;
}

/*
 * A page whose physical address is no valid address in the guest's own memory [0, size): there a
 * device write would go to the guest's page of that number instead of being blocked. More pages than
 * lie below @size are looked at, so that one is found if memory suffices: first one per chunk, which
 * is enough where memory comes in large pages, then all.
 */
static uint64_t *chunks_search(uint8_t **chunks, unsigned int count, uint64_t size, uint32_t stride)
{
	for (unsigned int i = 0; i < count; i++)
		for (uint32_t at = 0; at < CHUNK_BYTES; at += stride) {
			uint64_t *page = (uint64_t *)(chunks[i] + at);

			pattern_fill(page);
			canaries[OWN].phys = page_phys(page);
			if (canaries[OWN].phys >= size)
				return page;
		}
	return NULL;
}

static uint64_t *own_canary_make(uint64_t size)
{
	unsigned int wanted = (unsigned int)(size / CHUNK_BYTES) + CHUNKS_SPARE, count = 0;
	uint8_t **chunks = calloc(wanted, sizeof(*chunks));
	uint64_t *page;

	for (; chunks && count < wanted; count++) {
		chunks[count] = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunks[count] == MAP_FAILED)
			break;
	}
	page = chunks_search(chunks, count, size, CHUNK_BYTES);
	if (!page)
		page = chunks_search(chunks, count, size, PAGE_BYTES);
	for (unsigned int i = 0; i < count; i++)
		if (!page || (uintptr_t)page - (uintptr_t)chunks[i] >= CHUNK_BYTES)
			munmap(chunks[i], CHUNK_BYTES);
	free(chunks);
	if (!page)
		FAILED("no page outside the guest's %s of memory (last physical address 0x%llx)",
		       memory, (unsigned long long)canaries[OWN].phys);
	return page;
}

/* True when the hypervisor says that its canary is intact. */
static bool hypervisor_canary_read(char *text, size_t size)
{
	unsigned long long phys = 0;

	if (!file_read(CANARY_PATH, text, size)) {
		snprintf(text, size, "cannot read %s: %s", CANARY_PATH, strerror(errno));
		return false;
	}
	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text, "%llx", &phys) != 1)
		return false;
	canaries[HYPERVISOR].phys = phys;
	return strstr(text, " intact") != NULL;
}

/* Does this record of the faults file name the page at @phys? */
static bool record_names(const char *record, uint64_t phys)
{
	for (const char *at = strstr(record, "0x"); at; at = strstr(at + 2, "0x"))
		if (strtoull(at, NULL, 16) / PAGE_BYTES * PAGE_BYTES == phys)
			return true;
	return false;
}

/* Looks for records of our device that name a canary; done again and again while the guest runs. */
static void faults_sample(void)
{
	char text[4096];

	if (!file_read(FAULTS_PATH, text, sizeof(text)))
		return;
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, device, strlen(device)) != 0)
			continue;
		for (unsigned int i = 0; i < CANARIES; i++) {
			if (canaries[i].faulted || !record_names(line, canaries[i].phys))
				continue;
			canaries[i].faulted = true;
			snprintf(canaries[i].record, sizeof(canaries[i].record), "%s", line);
		}
	}
}

/* Starts the loader with the drive and both addresses; its exit status, or -1. */
static int loader_run(void)
{
	const struct timespec pause = { .tv_nsec = SAMPLE_NS };
	char words[128], host[64];
	char *argv[] = {
		"loader", "-m", (char *)memory, "-kernel", GUEST, "-append", words,
		"-device", host, "-serial", "stdio", NULL,
	};
	char *env[] = { NULL };
	int error, status = 0;
	pid_t pid, ended;

	snprintf(host, sizeof(host), "vfio-pci,host=%s", device);
	snprintf(words, sizeof(words), "sha256 canary=0x%llx canary=0x%llx self-test",
		 (unsigned long long)canaries[OWN].phys,
		 (unsigned long long)canaries[HYPERVISOR].phys);
	printf("demo: %s -m %s -kernel %s -append \"%s\" -device %s -serial stdio\n", LOADER, memory,
	       GUEST, words, host);
	error = posix_spawn(&pid, LOADER, NULL, NULL, argv, env);
	if (error) {
		FAILED("cannot start %s: %s", LOADER, strerror(error));
		return -1;
	}
	do {
		nanosleep(&pause, NULL);
		faults_sample();
		ended = waitpid(pid, &status, WNOHANG);
	} while (ended == 0 || (ended < 0 && errno == EINTR));
	faults_sample();
	if (ended != pid) {
		FAILED("cannot wait for the loader: %s", strerror(errno));
		return -1;
	}
	if (WIFSIGNALED(status)) {
		FAILED("the loader was killed by signal %d", WTERMSIG(status));
		return -1;
	}
	return WEXITSTATUS(status);
}

static void judge(int status, const uint64_t *own_page)
{
	unsigned int damage = pattern_damage(own_page);
	char text[256];
	bool intact = hypervisor_canary_read(text, sizeof(text));
	unsigned int step = 1;

	printf("\ndemo: summary\n");
	printf("  %u. the guest drove %s and ended with status %d\n", step++, device, status);
	for (unsigned int i = 0; i < CANARIES; i++)
		printf("  %u. canary of %s at 0x%llx: %s\n", step++, canaries[i].owner,
		       (unsigned long long)canaries[i].phys,
		       canaries[i].faulted ? canaries[i].record : "no fault record");
	printf("  %u. canary of %s: %s\n", step++, canaries[OWN].owner,
	       damage ? "CHANGED" : "intact");
	printf("  %u. canary of %s: %s\n", step++, canaries[HYPERVISOR].owner, text);

	if (status != 0)
		FAILED("the loader or its guest ended with status %d", status);
	for (unsigned int i = 0; i < CANARIES; i++) {
		if (!canaries[i].faulted)
			FAILED("the IOMMU has no fault record of %s for 0x%llx", device,
			       (unsigned long long)canaries[i].phys);
		else if (!strstr(canaries[i].record, "loader"))
			FAILED("the fault record does not name the loader as owner of %s", device);
	}
	if (damage)
		FAILED("%u words of this program's canary page were overwritten", damage);
	if (!intact)
		FAILED("the hypervisor's canary: %s", text);
}

int main(int argc, char **argv)
{
	uint64_t *own_page;
	uint64_t size;
	char text[256];
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "m:d:")) != -1) {
		if (option == 'm') {
			memory = optarg;
		} else if (option == 'd') {
			device = optarg;
		} else {
			printf("usage: demo [-m SIZE] [-d DEVICE]\n");
			return 2;
		}
	}
	size = size_parse(memory);
	own_page = own_canary_make(size);
	if (!own_page)
		return 1;
	printf("demo: canary page of this program: physical 0x%llx\n",
	       (unsigned long long)canaries[OWN].phys);
	if (!hypervisor_canary_read(text, sizeof(text))) {
		FAILED("the hypervisor's canary: %s", text);
		return 1;
	}
	printf("demo: canary page of the hypervisor: physical %s\n", text);
	if (canaries[HYPERVISOR].phys < size) {
		FAILED("the hypervisor's canary lies at an address that is the guest's own, below %s",
		       memory);
		return 1;
	}
	judge(loader_run(), own_page);
	if (failures == 0)
		printf("PASS\n");
	return failures == 0 ? 0 : 1;
}
