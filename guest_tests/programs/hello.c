/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest program: its arguments to both outputs, and as many of them as exit status. */
#include <stdio.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		printf("out %s\n", argv[i]);
		fprintf(stderr, "err %s\n", argv[i]);
	}
	return argc - 1;
}
