/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbpf without a kernel, as a library for LD_PRELOAD. Each map has the keys 1 to 4, with ten times the key as value.
 * VANISHES is a call and a key, as in `next 2`: after this call returns the key, the map does not have the key, as if
 * another process removes it. `next` without a key removes every key. An object has three programs; its loading is
 * logged on stderr.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "../bpf/varmor_profile.h"

#define KEYS 4
#define SETTINGS 1000000

struct bpf_program {
	const char *section, *name;
};

static struct bpf_program programs[] = { { "lsm/file_open", "first" }, { "iter/task", "walk" }, { "lsm/task_kill", "last" } };
static __u32 gone;
/* Stands for all other objects of libbpf, whose contents only libbpf reads. */
static char opaque;

static int done(const char *call, __u32 key)
{
	const char *vanishes = getenv("VANISHES");
	char now[32];

	snprintf(now, sizeof(now), "%s %u", call, key);
	if (vanishes && (!strcmp(vanishes, now) || !strcmp(vanishes, call)))
		gone = key;
	return 0;
}

static int missing(void)
{
	errno = ENOENT;
	return -ENOENT;
}

int bpf_obj_get(const char *path)
{
	(void)path;
	gone = 0;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *length)
{
	struct bpf_map_info map = { .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 2 * KEYS };

	(void)fd;
	memcpy(info, &map, *length);
	return 0;
}

/* As in the kernel, the first key follows a key that the map does not have. */
int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	__u32 at = key && *(const __u32 *)key != gone ? *(const __u32 *)key : 0;

	(void)fd;
	at += at + 1 == gone ? 2 : 1;
	if (at > KEYS)
		return missing();
	memcpy(next, &at, sizeof(at));
	return done("next", at);
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	__u32 at = *(const __u32 *)key, found = 10 * at;

	(void)fd;
	if (at == gone || at > KEYS)
		return missing();
	memcpy(value, &found, sizeof(found));
	return done("look-up", at);
}

/* The folder of the state may be in any file system. */
int statfs64(const char *path, struct statfs64 *fs)
{
	(void)path;
	fs->f_type = BPF_FS_MAGIC;
	return 0;
}

libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t print)
{
	return print;
}

/* The kernel has every hook. */
struct btf *btf__load_vmlinux_btf(void)
{
	return (void *)&opaque;
}

__s32 btf__find_by_name_kind(const struct btf *btf, const char *name, __u32 kind)
{
	(void)btf;
	(void)name;
	(void)kind;
	return 1;
}

void btf__free(struct btf *btf)
{
	(void)btf;
}

struct bpf_object *bpf_object__open_file(const char *path, const struct bpf_object_open_opts *options)
{
	(void)path;
	(void)options;
	return (void *)&opaque;
}

void bpf_object__close(struct bpf_object *object)
{
	(void)object;
}

struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name)
{
	(void)object;
	(void)name;
	return (void *)&opaque;
}

int bpf_map__set_max_entries(struct bpf_map *map, __u32 entries)
{
	(void)map;
	(void)entries;
	return 0;
}

int bpf_object__load(struct bpf_object *object)
{
	(void)object;
	fprintf(stderr, "load\n");
	return 0;
}

int bpf_object__pin_maps(struct bpf_object *object, const char *folder)
{
	(void)object;
	(void)folder;
	return 0;
}

int bpf_object__find_map_fd_by_name(const struct bpf_object *object, const char *name)
{
	(void)object;
	return strcmp(name, "varmor_settings") ? missing() : SETTINGS;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	const struct varmor_settings *settings = value;

	(void)key;
	(void)flags;
	if (fd == SETTINGS)
		fprintf(stderr, "settings: host %u, strict %u, links %u\n", settings->host_mnt_ns, settings->strict_start, settings->links);
	return 0;
}

struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program)
{
	struct bpf_program *next = program ? program + 1 : programs;

	(void)object;
	return next == programs + sizeof(programs) / sizeof(*programs) ? NULL : next;
}

const char *bpf_program__section_name(const struct bpf_program *program)
{
	return program->section;
}

const char *bpf_program__name(const struct bpf_program *program)
{
	return program->name;
}

bool bpf_program__autoload(const struct bpf_program *program)
{
	(void)program;
	return true;
}

int bpf_program__pin(struct bpf_program *program, const char *path)
{
	(void)path;
	fprintf(stderr, "pin %s\n", program->name);
	return 0;
}

struct bpf_link *bpf_program__attach(const struct bpf_program *program)
{
	fprintf(stderr, "attach %s\n", program->name);
	return (void *)&opaque;
}

int bpf_link__pin(struct bpf_link *link, const char *path)
{
	(void)link;
	(void)path;
	return 0;
}

int bpf_link__destroy(struct bpf_link *link)
{
	(void)link;
	return 0;
}
