/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_RING_H
#define VARMOR_BPF_RING_H

#include <linux/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "batch-ring.h"
#include "audit-socket.h"
#include "../bpf/varmor_profile.h"

/* A batch must hold the longest record. */
#define MIN_RECORD_BATCH (64 * 1024)

/* Counters of the BPF programs: enum varmor_count. */
#define BPF_RING_COUNTERS 4

struct bpf_ring_options {
	char folder[256]; /* the folder that holds the pins of the maps */
	uint32_t batch_bytes; /* at least MIN_RECORD_BATCH */
	uint32_t batches; /* at least 2 */
	uint32_t flush_ms; /* about the longest time that a record waits for its batch to fill */
	uint32_t nap_ms; /* once the ring is empty, the thread sleeps this long before it reads again */
	uint32_t from_id; /* map id of the ring that `from` belongs to */
	uint64_t from;
	void (*wake)(void *context);
	void *context;
};

/* Written by the ring's thread, read by any thread. */
struct bpf_ring_counts {
	_Atomic uint64_t records; /* put into a batch */
	_Atomic uint64_t malformed; /* longer than a batch */
	_Atomic uint64_t stalls; /* times that the thread waited because every batch was full */
};

struct bpf_ring {
	struct bpf_ring_options options;
	struct bpf_ring_counts counts;
	struct batch_ring ring;
	struct varmor_noted *noted;
	_Atomic unsigned long *consumer; /* unsigned long, as in the kernel */
	const _Atomic unsigned long *producer;
	const unsigned char *data;
	unsigned long next; /* position of the next record to read */
	uint64_t taken; /* position after the last batch that the owner has read */
	_Atomic uint64_t given; /* position after the last record that is in a batch */
	uint64_t last[BPF_RING_COUNTERS]; /* counters when the ring was closed */
	uint32_t size; /* bytes of the ring's data */
	uint32_t id; /* id of the ring's map */
	uint64_t born; /* when the batch that is being filled got its first record, in ms; 0: it is empty */
	int fd;
	int counts_fd;
	int wake_fd;
	pthread_t thread;
	_Atomic bool stopping;
	_Atomic bool closing;
	_Atomic bool ended;
	bool running;
};

/* Maps the ring and starts the thread. On failure returns NULL, fills in the failure and releases everything. */
struct bpf_ring *bpf_ring_start(const struct bpf_ring_options *options, struct failure *failure);

/*
 * The functions of struct batch_producer. After a stop, the thread still reads the records in the ring. A record stays
 * in the ring until bpf_ring_done, so if this process is killed, the next reader starts with the first record that is
 * not done.
 */
void bpf_ring_stop(void *ring);
struct batch *bpf_ring_oldest(void *ring);
void bpf_ring_release(void *ring);
bool bpf_ring_ended(void *ring);
void bpf_ring_close(void *ring);
void bpf_ring_free(void *ring);

/* Lets the kernel overwrite all records up to the position, because they are stored safely. */
void bpf_ring_done(struct bpf_ring *ring, uint64_t position);

/* The sum over all processors of one of the programs' counters, by its number. */
uint64_t bpf_ring_counter(struct bpf_ring *ring, uint32_t which);

#endif
