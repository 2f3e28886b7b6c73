/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_CHANGE_RING_H
#define VARMOR_CHANGE_RING_H

#include <linux/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/varmor_profile.h"
#include "audit-socket.h"

/*
 * The ring into which the BPF programs put changes of processes (native/bpf/changes.h). Only one reader may use it at a
 * time. This code does not use libbpf, because a node without BPF may lack libbpf.
 */
struct change_ring {
	int fd;
	_Atomic unsigned long *consumer; /* unsigned long, as in the kernel */
	const _Atomic unsigned long *producer;
	const unsigned char *data;
	const _Atomic uint64_t *lost;
	size_t page;
	uint32_t size; /* of the data */
	unsigned long next; /* position of the next change to read */
};

/* Opens the ring that is pinned in the folder and skips the changes in it. Returns 0, or -1 with the failure. */
int change_ring_open(struct change_ring *ring, const char *folder, struct failure *failure);
void change_ring_close(struct change_ring *ring);

/*
 * Returns the next change, valid until change_ring_done; a VARMOR_CHANGE_PLACED is a struct varmor_placed. Returns NULL
 * if no change is ready. A change that a program is still writing delays all later changes.
 */
const struct varmor_change *change_ring_next(struct change_ring *ring);

/* Lets the kernel reuse the room of the changes that were read. */
void change_ring_done(struct change_ring *ring);

/* Number of changes since the programs were loaded for which the ring was full. */
uint64_t change_ring_lost(const struct change_ring *ring);

#endif
