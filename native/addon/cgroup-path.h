/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_CGROUP_PATH_H
#define VARMOR_CGROUP_PATH_H

#include <stddef.h>

/* The id of a container, with its NUL. */
#define CONTAINER_ID_BYTES 65

/*
 * The id of the container that the text of /proc/<pid>/cgroup names, as src/audit/enrich/cgroup-path.ts finds it; empty for none. A test
 * holds the two against each other.
 */
void cgroup_container(const char *text, size_t length, char id[CONTAINER_ID_BYTES]);

#endif
