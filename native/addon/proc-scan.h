/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_PROC_SCAN_H
#define VARMOR_PROC_SCAN_H

#include "fork-table.h"

/*
 * Reads all living processes of a proc file system. Returns 0 or -errno; the caller frees *sights. Processes that end
 * during the scan may be left out.
 */
int proc_scan(const char *root, struct fork_sight **sights, size_t *count);

#endif
