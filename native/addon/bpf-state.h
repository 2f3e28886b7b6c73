/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_STATE_H
#define VARMOR_BPF_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The programs and maps of one build. They are pinned in a folder of a BPF file system, so they outlive the process
 * that loaded them. Only one thread may look up the maps of a state, but any thread may use a map after that.
 */

#define STATE_PATH 256
#define STATE_LOG 16384

/* The failed step, its reason, and the last output of libbpf and the verifier. */
struct state_failure {
	char step[STATE_PATH];
	int error;
	char log[STATE_LOG];
};

struct state_load {
	char object[4096];
	char folder[STATE_PATH];
	uint32_t ring_bytes;
	uint32_t containers; /* room for this many container numbers */
	uint32_t profiles; /* room for this many profile slots */
	uint32_t host_mnt_ns;
	uint32_t strict_start;
	/* Results. */
	bool reused; /* the folder existed already */
	char absent[1024]; /* names of programs whose hook the kernel lacks, separated by spaces */
};

/*
 * Loads and attaches the object, unless its folder exists. The folder becomes visible when it is complete. Returns 0,
 * or -1 with the failure.
 */
int state_load(struct state_load *load, struct state_failure *failure);

/*
 * Removes a folder with all its pins at once. The kernel then detaches every program that no other pin or descriptor
 * holds; Linux 6.1 needs 0.1 s or more per program. Without `wait` this continues in the background, also when
 * this process ends. Returns 0 or -errno.
 */
int state_drop(const char *folder, bool wait);

#define STATE_MAPS 32

struct state_map {
	char name[32];
	int fd;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	void *memory; /* the contents, if the map is mapped into memory */
	size_t mapped;
};

struct state {
	char folder[STATE_PATH];
	struct state_map maps[STATE_MAPS];
	unsigned int count;
};

void state_init(struct state *state, const char *folder);
void state_close(struct state *state);

/* Looks up a map by its name. Returns NULL with errno. */
struct state_map *state_map(struct state *state, const char *name);

/* Bytes that a look-up returns; a per-CPU map returns the values of all processors. 0 with errno. */
size_t state_value_size(const struct state_map *map);

/*
 * Sets a value; the sizes are the map's. NULL removes the entry; a missing entry is not an error. Returns 0 or -errno.
 */
int state_set(struct state_map *map, const void *key, const void *value);

/*
 * Creates an inner map with this value, padded with zeros to `size`, and puts it into a map of maps. Returns 0 or
 * -errno.
 */
int state_set_inner(struct state_map *map, const void *key, const void *value, size_t length, uint32_t size);

/*
 * Removes the entries that have the number at the offset, counted from the start of the key through the value. Returns
 * their count or -errno.
 */
int state_remove_where(struct state_map *map, uint32_t offset, uint32_t number);

/*
 * Replaces `expected` (UINT64_MAX: any value) with a number at an offset of a mapped map, atomically.
 * Returns 1, 0 if another value was there, or -errno.
 */
int state_swap(struct state_map *map, size_t offset, uint64_t expected, uint32_t number);

/* Makes the iterator bind tasks that the programs in this folder have bound; NULL ends this. Returns 0 or -errno. */
int state_follow(struct state *state, const char *folder);

/* Reads all output of a pinned iterator. Returns memory that the caller frees, and its length; NULL with errno. */
void *state_iterate(const struct state *state, const char *name, size_t *length);

/* Returns the number of programs that the folder's pins keep attached, or -errno. */
int state_links(const struct state *state);

#endif
