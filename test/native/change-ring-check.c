/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the reading of changes under the sanitizers. It writes changes into memory as the kernel writes into its ring
 * (which it maps twice), with discarded, busy and odd-sized entries between them, and reads them. Exits with 1 if it
 * reads a change other than the next written one.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change-ring.h"

#define BYTES 4096
#define ROUNDS 200000

static unsigned char *data;
static _Atomic unsigned long consumer, producer;
static unsigned int seed = 1;

/* Maps one file twice in a row. */
static unsigned char *map_twice(void)
{
	int fd = memfd_create("ring", 0);
	unsigned char *memory = mmap(NULL, 2 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || ftruncate(fd, BYTES) || memory == MAP_FAILED)
		exit(2);
	for (int i = 0; i < 2; i++)
		if (mmap(memory + i * BYTES, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			exit(2);
	close(fd);
	return memory;
}

/* Adds a change if there is space. Returns the position of its header, or NULL. */
static uint32_t *put(uint32_t number, uint32_t length, uint32_t flags)
{
	unsigned long at = atomic_load(&producer), behind = at + (length + 8 + 7) / 8 * 8;
	bool places = length == sizeof(struct varmor_placed);
	struct varmor_change change = { .what = places ? VARMOR_CHANGE_PLACED : VARMOR_CHANGE_FORKED, .pid = number };
	uint32_t *header = (uint32_t *)(void *)(data + at % BYTES);

	if (behind - atomic_load(&consumer) > BYTES)
		return NULL;
	memset(header, 0xff, length + 8);
	memcpy(header + 2, &change, length < sizeof(change) ? length : sizeof(change));
	*header = length | flags;
	atomic_store(&producer, behind);
	return header;
}

int main(void)
{
	struct change_ring ring = { .consumer = &consumer, .producer = &producer, .size = BYTES };
	uint32_t given = 0, taken = 0;

	data = map_twice();
	ring.data = data;
	for (int i = 0; i < ROUNDS; i++) {
		const struct varmor_change *change;
		uint32_t *busy = NULL;
		int kind = rand_r(&seed) % 8;

		if (kind == 0)
			put(0, sizeof(*change), BPF_RINGBUF_DISCARD_BIT);
		else if (kind == 1)
			put(0, (uint32_t)rand_r(&seed) % 2 ? (uint32_t)rand_r(&seed) % 20 : sizeof(struct varmor_placed) - 1, 0);
		else if (kind == 2)
			busy = put(given + 1, sizeof(*change), BPF_RINGBUF_BUSY_BIT);
		else if (kind == 3)
			given += put(given + 1, sizeof(struct varmor_placed), 0) != NULL;
		else
			given += put(given + 1, sizeof(*change), 0) != NULL;
		if (rand_r(&seed) % 3 && !busy)
			continue;
		while ((change = change_ring_next(&ring)))
			if (change->pid != ++taken)
				return 1;
		if (taken != given)
			return 1;
		change_ring_done(&ring);
		if (!busy)
			continue;
		/* A change after an unfinished one waits for it. */
		given++;
		given += put(given + 1, sizeof(*change), 0) != NULL;
		if (change_ring_next(&ring))
			return 1;
		*busy = sizeof(*change);
	}
	printf("%u changes\n", taken);
	return 0;
}
