/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_CGROUP_PATH_H
#define VARMOR_CGROUP_PATH_H

#include <stddef.h>

/* The id of a container, with its NUL. */
#define CONTAINER_ID_BYTES 65

/*
 * Finds the container's id in the text of /proc/<pid>/cgroup; the id is empty if the text names no container. A test
 * checks that src/audit/enrich/cgroup-path.ts finds the same ids.
 */
void cgroup_container(const char *text, size_t length, char id[CONTAINER_ID_BYTES]);

#endif
