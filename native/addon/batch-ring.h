/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BATCH_RING_H
#define VARMOR_BATCH_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Passes batches from a writing thread to a reading thread, in a fixed number of buffers. The writer fills the buffer
 * after the last full buffer. If all buffers are full, the writer waits, and new records stay in the kernel's socket
 * buffer.
 *
 * head                head + ready |                       | [ ] [full] [full] [full] [being filled] [ ]
 */
struct batch {
	char *bytes;
	size_t len;
	uint64_t records;
	uint64_t position; /* for the writer: the position in its source after the last record */
};

struct batch_ring {
	pthread_mutex_t lock; /* guards head and ready; a batch belongs to one side, so its bytes need no lock */
	size_t batch_bytes;
	unsigned int slots;
	unsigned int head;
	unsigned int ready;
	struct batch *batches;
};

/* Returns 0 or -errno. */
int batch_ring_init(struct batch_ring *ring, unsigned int slots, size_t batch_bytes);
void batch_ring_free(struct batch_ring *ring);

/* Writer: the batch to fill, or NULL while all buffers are full. */
struct batch *batch_ring_filling(struct batch_ring *ring);
/* Writer: hands the filled batch to the reader. */
void batch_ring_publish(struct batch_ring *ring);
/* Writer: whether the reader has released all batches. */
bool batch_ring_is_empty(struct batch_ring *ring);

/* Reader: the oldest full batch, or NULL. The reader may use it until batch_ring_release. */
struct batch *batch_ring_oldest(struct batch_ring *ring);
/* Reader: releases the oldest batch. Returns true if the writer may be waiting for room, or for an empty ring. */
bool batch_ring_release(struct batch_ring *ring);

#endif
