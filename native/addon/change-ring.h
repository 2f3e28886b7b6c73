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
 * The ring into which the BPF programs put what becomes of processes (native/bpf/changes.h). It has one reader at a time. Used without
 * libbpf, which a node without BPF need not have.
 */
struct change_ring {
	int fd;
	_Atomic unsigned long *consumer; /* the kernel has positions as long */
	const _Atomic unsigned long *producer;
	const unsigned char *data;
	const _Atomic uint64_t *lost;
	size_t page;
	uint32_t size; /* of the data */
	unsigned long next; /* position of the next change to be read */
};

/* The ring that is pinned in the folder, from now on: what is in it is passed over. Returns 0, or -1 with the failure. */
int change_ring_open(struct change_ring *ring, const char *folder, struct failure *failure);
void change_ring_close(struct change_ring *ring);

/*
 * The next change, valid until change_ring_done; one that says VARMOR_CHANGE_PLACED is a struct varmor_placed. NULL for none now: one that
 * a program is putting in holds up those behind it.
 */
const struct varmor_change *change_ring_next(struct change_ring *ring);

/* The kernel may have the room of those that were read. */
void change_ring_done(struct change_ring *ring);

/* Changes that found the ring full, since the programs were loaded. */
uint64_t change_ring_lost(const struct change_ring *ring);

#endif
