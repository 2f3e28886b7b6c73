/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that two rings are read at the same time by two threads, as by two workers of one agent. The look-ups of both
 * threads meet: each has the values of its own ring before either one adds them. Prints the sums.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf-ring.h"

#define CPUS 64
#define RINGS 2
#define COUNTER 1

static pthread_barrier_t filled;

int libbpf_num_possible_cpus(void)
{
	return CPUS;
}

int bpf_obj_get(const char *path)
{
	(void)path;
	return -1;
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *length)
{
	(void)fd;
	(void)info;
	(void)length;
	return -1;
}

/* Each processor has counted as much as the number of the map. */
int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u64 *values = value;
	int i;

	if (*(const __u32 *)key != COUNTER)
		return -1;
	for (i = 0; i < CPUS; i++)
		values[i] = (__u64)fd;
	pthread_barrier_wait(&filled);
	return 0;
}

static void *read_counter(void *context)
{
	struct bpf_ring *ring = context;

	ring->last[0] = bpf_ring_counter(ring, COUNTER);
	return NULL;
}

int main(void)
{
	struct bpf_ring *rings[RINGS];
	pthread_t threads[RINGS];
	int i;

	if (pthread_barrier_init(&filled, NULL, RINGS))
		return 2;
	for (i = 0; i < RINGS; i++) {
		rings[i] = calloc(1, sizeof(*rings[i]));
		if (!rings[i])
			return 2;
		rings[i]->counts_fd = i + 1;
		if (pthread_create(&threads[i], NULL, read_counter, rings[i]))
			return 2;
	}
	for (i = 0; i < RINGS; i++) {
		pthread_join(threads[i], NULL);
		printf("%llu\n", (unsigned long long)rings[i]->last[0]);
		free(rings[i]);
	}
	return 0;
}
