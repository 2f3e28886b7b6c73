/* SPDX-License-Identifier: Apache-2.0 */
#include "batch-ring.h"

#include <errno.h>
#include <stdlib.h>

int batch_ring_init(struct batch_ring *ring, unsigned int slots, size_t batch_bytes)
{
	unsigned int i;

	ring->head = 0;
	ring->ready = 0;
	ring->slots = slots;
	ring->batch_bytes = batch_bytes;
	ring->batches = calloc(slots, sizeof(*ring->batches));
	if (!ring->batches)
		return -ENOMEM;
	pthread_mutex_init(&ring->lock, NULL);
	for (i = 0; i < slots; i++) {
		ring->batches[i].bytes = malloc(batch_bytes);
		if (!ring->batches[i].bytes) {
			batch_ring_free(ring);
			return -ENOMEM;
		}
	}
	return 0;
}

void batch_ring_free(struct batch_ring *ring)
{
	unsigned int i;

	if (!ring->batches)
		return;
	for (i = 0; i < ring->slots; i++)
		free(ring->batches[i].bytes);
	free(ring->batches);
	ring->batches = NULL;
	pthread_mutex_destroy(&ring->lock);
}

struct batch *batch_ring_filling(struct batch_ring *ring)
{
	struct batch *found = NULL;

	pthread_mutex_lock(&ring->lock);
	if (ring->ready < ring->slots)
		found = &ring->batches[(ring->head + ring->ready) % ring->slots];
	pthread_mutex_unlock(&ring->lock);
	return found;
}

void batch_ring_publish(struct batch_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	if (ring->ready < ring->slots)
		ring->ready++;
	pthread_mutex_unlock(&ring->lock);
}

bool batch_ring_is_empty(struct batch_ring *ring)
{
	bool empty;

	pthread_mutex_lock(&ring->lock);
	empty = ring->ready == 0;
	pthread_mutex_unlock(&ring->lock);
	return empty;
}

struct batch *batch_ring_oldest(struct batch_ring *ring)
{
	struct batch *found = NULL;

	pthread_mutex_lock(&ring->lock);
	if (ring->ready)
		found = &ring->batches[ring->head];
	pthread_mutex_unlock(&ring->lock);
	return found;
}

bool batch_ring_release(struct batch_ring *ring)
{
	bool awaited;

	pthread_mutex_lock(&ring->lock);
	ring->batches[ring->head].len = 0;
	ring->batches[ring->head].records = 0;
	awaited = ring->ready == ring->slots || ring->ready == 1;
	ring->head = (ring->head + 1) % ring->slots;
	ring->ready--;
	pthread_mutex_unlock(&ring->lock);
	return awaited;
}
