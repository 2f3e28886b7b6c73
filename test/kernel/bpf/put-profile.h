/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the writes of a profile into the maps of an object, for programs that work without the agent. */
#ifndef VARMOR_PUT_PROFILE_H
#define VARMOR_PUT_PROFILE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "varmor_profile.h"

/* The sizes that precede each write. `inner` is the size of the inner map's value, 0 if the map has no inner maps. */
struct sizes {
	__u32 name, key, value, inner;
};

static const __u32 zero, number = 1;

static void fail(const char *what)
{
	perror(what);
	exit(100);
}

static int map_of(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		fail(name);
	return fd;
}

/* Creates a map with one value, for a map of maps. */
static int inner_map(const void *value, __u32 bytes)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", sizeof(zero), bytes, 1, NULL);

	if (inner < 0 || bpf_map_update_elem(inner, &zero, value, 0))
		fail("an inner map");
	return inner;
}

static void read_exactly(FILE *file, void *bytes, size_t size)
{
	if (fread(bytes, 1, size, file) != size)
		fail("a part of a write");
}

static void put_write(struct bpf_object *object, FILE *file, const struct sizes *sizes)
{
	static char name[32], key[64], value[VARMOR_TABLE_HUGE];
	int inner;

	if (sizes->name >= sizeof(name) || sizes->key > sizeof(key) || sizes->value > sizeof(value) || sizes->inner > sizeof(value))
		fail("the sizes of a write");
	memset(name, 0, sizeof(name));
	read_exactly(file, name, sizes->name);
	read_exactly(file, key, sizes->key);
	memset(value, 0, sizes->inner > sizes->value ? sizes->inner : sizes->value);
	read_exactly(file, value, sizes->value);
	if (sizes->inner) {
		inner = inner_map(value, sizes->inner);
		if (bpf_map_update_elem(map_of(object, name), key, &inner, 0))
			fail(name);
		close(inner);
	} else if (bpf_map_update_elem(map_of(object, name), key, value, 0)) {
		fail(name);
	}
}

/* Applies all writes of a file that profile-bytes.ts encoded. */
static void put_profile(struct bpf_object *object, const char *path)
{
	FILE *file = fopen(path, "r");
	struct sizes sizes;

	if (!file)
		fail(path);
	while (fread(&sizes, sizeof(sizes), 1, file) == 1)
		put_write(object, file, &sizes);
	fclose(file);
}

#endif
