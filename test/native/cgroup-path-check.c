/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup-path-check: reads texts of /proc/<pid>/cgroup from its input, each followed by a NUL, and prints for each text
 * a line with the container that it names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cgroup-path.h"

int main(void)
{
	char id[CONTAINER_ID_BYTES], *text = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getdelim(&text, &room, '\0', stdin)) > 0) {
		cgroup_container(text, (size_t)length - 1, id);
		puts(id);
	}
	free(text);
	return ferror(stdin) ? 1 : 0;
}
