/* SPDX-License-Identifier: Apache-2.0 */
/* proc-scan-check FOLDER: prints "PID CONTAINER" for each process in a folder that replaces /proc. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc-scan.h"

int main(int argc, char **argv)
{
	struct fork_sight *sights;
	size_t count, i;
	int error;

	if (argc != 2)
		return 2;
	error = proc_scan(argv[1], &sights, &count);
	if (error) {
		fprintf(stderr, "%s\n", strerror(-error));
		return 1;
	}
	for (i = 0; i < count; i++)
		printf("%d %s\n", (int)sights[i].pid, sights[i].container);
	free(sights);
	return 0;
}
