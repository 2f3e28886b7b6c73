/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BATCH_RING_H
#define VARMOR_BATCH_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Batches between one writing and one reading thread, in a fixed number of fixed buffers: this is all the memory that
 * a listener ever holds. The writer fills the buffer after the last full one; when none is left it has to wait, and
 * the kernel's socket buffer holds what comes.
 *
 *        head                head + ready
 *         |                       |
 *   [ ] [full] [full] [full] [being filled] [ ]
 */
struct batch {
	char *bytes;
	size_t len;
	uint64_t records;
	uint64_t position; /* for the writer: behind the last record, in its source */
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

/* Writer: the batch to fill, or NULL while the reader holds everything. */
struct batch *batch_ring_filling(struct batch_ring *ring);
/* Writer: hands the batch over. */
void batch_ring_publish(struct batch_ring *ring);
/* Writer: has the reader taken all that was handed over? */
bool batch_ring_is_empty(struct batch_ring *ring);

/* Reader: the oldest full batch, or NULL. It stays the reader's until batch_ring_release. */
struct batch *batch_ring_oldest(struct batch_ring *ring);
/* Reader: gives the oldest batch back. Returns true if the writer may be waiting: for room, or for a reader that has
 * taken all. */
bool batch_ring_release(struct batch_ring *ring);

#endif
