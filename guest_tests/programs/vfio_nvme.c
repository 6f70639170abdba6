/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a whole NVMe drive through VFIO, with interrupts, and checks that every word is where it
 * belongs.  `vfio_nvme --image FILE MIB` (on any Linux) writes such a drive's image.
 */
#include <unistd.h>

#include "lib/check.h"
#include "lib/nvme.h"

static struct nvme n;

static uint64_t word_at(uint64_t index)
{
	return index * 0x9e3779b97f4a7c15ull;
}

static int write_image(const char *path, unsigned long mib)
{
	static uint64_t block[131072];
	FILE *f = fopen(path, "w");

	need(path, f != NULL);
	for (unsigned long i = 0; i < mib; i++) {
		for (unsigned k = 0; k < 131072; k++)
			block[k] = word_at(i * 131072 + k);
		need("write", fwrite(block, sizeof(block), 1, f) == 1);
	}
	return fclose(f) ? 1 : 0;
}

static bool read_drive(uint64_t bytes)
{
	for (unsigned i = 1; i < NVME_PAGES; i++)
		n.mem->list[i - 1] = NVME_AT(data) + i * 4096;
	for (uint64_t at = 0; at < bytes; at += NVME_DATA) {
		struct nvme_command c = nvme_read(at >> 9, NVME_DATA / 512, NVME_AT(data), NVME_AT(list));
		uint64_t *w = (uint64_t *)n.mem->data;

		memset(n.mem->data, 0, NVME_DATA);
		if (nvme_submit(&n, &n.io, &c))
			return false;
		for (unsigned k = 0; k < NVME_DATA / 8; k++)
			if (w[k] != word_at(at / 8 + k))
				return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint64_t bytes;

	if (argc == 4 && !strcmp(argv[1], "--image"))
		return write_image(argv[2], strtoul(argv[3], NULL, 10));
	nvme_open(&n);
	need("controller starts", nvme_start(&n));
	bytes = nvme_bytes(&n);
	need("identify namespace", bytes > 0);
	check_true("every word of the drive is right", read_drive(bytes));
	n.interrupts += vfio_wait(n.io.irq, 100);
	check_true("an interrupt for every read", n.interrupts >= bytes / NVME_DATA);
	printf("%llu MiB read, %llu interrupts\n", (unsigned long long)bytes >> 20, (unsigned long long)n.interrupts);
	check_true("controller stops", nvme_stop(&n));
	vfio_close(&n.v);
	return check_result();
}
