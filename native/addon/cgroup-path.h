/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_CGROUP_PATH_H
#define VARMOR_CGROUP_PATH_H

#include <stddef.h>

/* The id of a container, with its NUL. */
#define CONTAINER_ID_BYTES 65

/*
 * Finds the id of the container that the text of /proc/<pid>/cgroup names; empty for none. A test checks that
 * src/audit/enrich/cgroup-path.ts finds the same ids.
 */
void cgroup_container(const char *text, size_t length, char id[CONTAINER_ID_BYTES]);

#endif
