/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Reports forks and ends of processes to the agent's fork tree (native/addon/fork-tree.h). These reports have their own
 * ring, so that records of violations cannot fill it.
 */
#ifndef VARMOR_CHANGES_H
#define VARMOR_CHANGES_H

#include "maps.h"

static __always_inline void put_change(void *change, __u32 size)
{
	__u32 zero = 0;
	__u64 *lost;

	if (bpf_ringbuf_output(&varmor_changes, change, size, 0) == 0)
		return;
	lost = bpf_map_lookup_elem(&varmor_changes_lost, &zero);
	if (lost)
		__sync_fetch_and_add(lost, 1);
}

#endif
