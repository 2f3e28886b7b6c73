/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_STATE_H
#define VARMOR_BPF_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The programs and maps of one build, pinned in a folder of a BPF file system: they go on without the process that loaded them.
 * The maps of a state are found on one thread; what is done with one that was found may be done on any.
 */

#define STATE_PATH 256
#define STATE_LOG 16384

/* What went wrong: where, why, and the last of what libbpf and the verifier said. */
struct state_failure {
	char step[STATE_PATH];
	int error;
	char log[STATE_LOG];
};

struct state_load {
	char object[4096];
	char folder[STATE_PATH];
	uint32_t ring_bytes;
	uint32_t containers; /* numbers of them */
	uint32_t profiles; /* slots for them */
	uint32_t host_mnt_ns;
	uint32_t strict_start;
	/* Answers. */
	bool reused; /* they were there already */
	char absent[1024]; /* programs whose hook this kernel lacks, with blanks between them */
};

/*
 * Loads and attaches the object, unless its folder is there. The folder appears only when all is in it. Returns 0, or -1 with the
 * failure.
 */
int state_load(struct state_load *load, struct state_failure *failure);

/*
 * Removes a folder with its pins, all at once: what nothing else holds is detached, and gone. That takes Linux 6.1 a tenth of a second and
 * more for each program; without `wait` it goes on beside, and when this process ends. Returns 0 or -errno.
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
	void *memory; /* of one that is mapped */
	size_t mapped;
};

struct state {
	char folder[STATE_PATH];
	struct state_map maps[STATE_MAPS];
	unsigned int count;
};

void state_init(struct state *state, const char *folder);
void state_close(struct state *state);

/* NULL with errno. */
struct state_map *state_map(struct state *state, const char *name);

/* Bytes of what a look-up gives: of all processors, for a map that has a value for each. 0 with errno. */
size_t state_value_size(const struct state_map *map);

/* Sets a value, or with value NULL removes it; that there is none is no error. The sizes are those of the map. Returns 0 or -errno. */
int state_set(struct state_map *map, const void *key, const void *value);

/* Puts a new map with that one value into a map of maps. The value is followed by zeros up to `size`. Returns 0 or -errno. */
int state_set_inner(struct state_map *map, const void *key, const void *value, size_t length, uint32_t size);

/* Removes the entries whose key or value, one behind the other, has the number at the offset. Returns their number or -errno. */
int state_remove_where(struct state_map *map, uint32_t offset, uint32_t number);

/*
 * Puts a number where `expected` stood, or anything if that is UINT64_MAX, at an offset of a mapped map, at once.
 * Returns 1, 0 where something else stood there, or -errno.
 */
int state_swap(struct state_map *map, size_t offset, uint64_t expected, uint32_t number);

/* Reads all that a pinned iterator writes. Returns the memory, to be freed, and its length; NULL with errno. */
void *state_iterate(const struct state *state, const char *name, size_t *length);

/* How many programs are attached by pins of the folder. Returns the number or -errno. */
int state_links(const struct state *state);

#endif
