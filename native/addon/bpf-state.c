/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf-state.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../bpf/places.h"
#include "../bpf/varmor_profile.h"
#include "side-thread.h"

#define LINK "link_"
/*
 * Iterators are pinned as programs, because the guard keeps confined tasks away from programs (guard.bpf.c). Each run
 * makes a link.
 */
#define ITERATOR "iter_"
#define RECORDS "varmor_records"
#define MAX_LINKS 256
#define MAX_REPORT (64 * 1024 * 1024)

/* Descriptors of links whose pins were removed. */
struct held_links {
	size_t count;
	int fds[MAX_LINKS];
};

/* libbpf has one print function for the whole process, so its users take turns. */
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;
static char printed[STATE_LOG];
static size_t printed_length;

/* Keeps the end of libbpf's output, because the last lines of the verifier give the reason. */
static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	size_t length, keep;
	int n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vasprintf(&text, format, args);
	if (n < 0)
		return 0;
	length = (size_t)n < sizeof(printed) - 1 ? (size_t)n : sizeof(printed) - 1;
	keep = sizeof(printed) - 1 - length;
	if (keep > printed_length)
		keep = printed_length;
	memmove(printed, printed + printed_length - keep, keep);
	memcpy(printed + keep, text + (size_t)n - length, length);
	printed_length = keep + length;
	printed[printed_length] = 0;
	free(text);
	return 0;
}

/* Cuts the end of a text that is too long. */
__attribute__((format(printf, 3, 4))) static void say(char *text, size_t room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, room, format, args);
	va_end(args);
}

static int fail(struct state_failure *failure, const char *step, const char *what, int error)
{
	say(failure->step, sizeof(failure->step), "%s%s%s", step, *what ? " " : "", what);
	failure->error = error < 0 ? -error : error;
	return -1;
}

static void path_of(char *path, size_t room, const char *folder, const char *prefix, const char *name)
{
	say(path, room, "%s/%s%s", folder, prefix, name);
}

static void *let_go(void *context)
{
	struct held_links *held = context;
	size_t i;

	for (i = 0; i < held->count; i++)
		close(held->fds[i]);
	free(held);
	return NULL;
}

/*
 * Keeps descriptors of the links open. When the last pin or descriptor of a link is gone, the kernel detaches its
 * program, which takes 0.1 s or more on Linux 6.1.
 */
static void remove_pins(DIR *dir, const char *folder, struct held_links *held, int *error)
{
	char path[2 * STATE_PATH + 256];
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		path_of(path, sizeof(path), folder, "", entry->d_name);
		if (!strncmp(entry->d_name, LINK, sizeof(LINK) - 1) && held->count < MAX_LINKS) {
			int fd = bpf_obj_get(path);

			if (fd >= 0)
				held->fds[held->count++] = fd;
		}
		if (unlink(path) && errno != ENOENT)
			*error = -errno;
	}
}

int state_drop(const char *folder, bool wait)
{
	DIR *dir = opendir(folder);
	struct held_links *held;
	pthread_t thread;
	int error = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	held = calloc(1, sizeof(*held));
	if (!held) {
		closedir(dir);
		return -ENOMEM;
	}
	remove_pins(dir, folder, held, &error);
	closedir(dir);
	if (!error && rmdir(folder) && errno != ENOENT)
		error = -errno;
	if (!wait && !side_thread_start(&thread, "varmor detach", let_go, held))
		pthread_detach(thread);
	else
		let_go(held);
	return error;
}

/* Whether the kernel has the hook of a program in the section lsm/HOOK. */
static bool has_hook(const struct btf *kernel, const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);
	char function[128];

	if (strncmp(section, "lsm/", 4))
		return true;
	say(function, sizeof(function), "bpf_lsm_%s", section + 4);
	return btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC) > 0;
}

static int choose_programs(struct bpf_object *object, struct state_load *load, struct state_failure *failure)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct bpf_program *program;
	size_t length = 0;

	if (!kernel)
		return fail(failure, "read the kernel's types (BTF)", "", errno);
	bpf_object__for_each_program(program, object) {
		if (has_hook(kernel, program))
			continue;
		bpf_program__set_autoload(program, false);
		length += (size_t)snprintf(load->absent + length, sizeof(load->absent) - length, "%s ",
					   bpf_program__section_name(program));
		if (length >= sizeof(load->absent))
			break;
	}
	btf__free(kernel);
	return 0;
}

static bool is_iterator(const struct bpf_program *program)
{
	return !strncmp(bpf_program__section_name(program), "iter/", sizeof("iter/") - 1);
}

/* Returns the number of attached programs. */
static int attach_programs(struct bpf_object *object, const char *folder, struct state_failure *failure)
{
	int attached = 0;
	char path[2 * STATE_PATH];
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);
		struct bpf_link *link;
		int error;

		if (!bpf_program__autoload(program))
			continue;
		if (is_iterator(program)) {
			path_of(path, sizeof(path), folder, ITERATOR, name);
			error = bpf_program__pin(program, path);
			if (error)
				return fail(failure, "pin", name, error);
			continue;
		}
		link = bpf_program__attach(program);
		if (!link)
			return fail(failure, "attach", name, errno);
		path_of(path, sizeof(path), folder, LINK, name);
		error = bpf_link__pin(link, path);
		/* Closes the descriptor. The pin keeps the link. */
		bpf_link__destroy(link);
		if (error)
			return fail(failure, "pin", name, error);
		attached++;
	}
	return attached;
}

static int fill_settings(struct bpf_object *object, const struct state_load *load, int links,
			 struct state_failure *failure)
{
	struct varmor_settings settings = {
		.host_mnt_ns = load->host_mnt_ns,
		.strict_start = load->strict_start,
		.links = (__u32)links,
	};
	int fd = bpf_object__find_map_fd_by_name(object, "varmor_settings");
	__u32 zero = 0;

	if (fd < 0 || bpf_map_update_elem(fd, &zero, &settings, 0))
		return fail(failure, "write the settings", "", errno);
	return 0;
}

static __u32 scratches_of_machine(void)
{
	int processors = libbpf_num_possible_cpus();

	return SCRATCHES + (processors > 1 ? (__u32)(processors - 1) * SCRATCHES_OF_PROCESSOR : 0);
}

static int size_maps(struct bpf_object *object, const struct state_load *load, struct state_failure *failure)
{
	__u32 page = (__u32)sysconf(_SC_PAGESIZE), quarter = load->ring_bytes / 4;
	const struct {
		const char *map;
		__u32 entries;
	} sizes[] = {
		{ "varmor_ring", load->ring_bytes },
		{ "varmor_changes", quarter < page ? page : quarter },
		{ "varmor_containers", load->containers },
		{ "varmor_ids", load->containers },
		{ "varmor_profiles", load->profiles },
		{ "varmor_records", load->profiles },
		{ "varmor_mount_rules", load->profiles },
		{ "varmor_small_tables", load->profiles * VARMOR_TABLES_OF_PROFILE },
		{ "varmor_medium_tables", load->profiles * VARMOR_TABLES_OF_PROFILE },
		{ "varmor_large_tables", load->profiles * VARMOR_TABLES_OF_PROFILE },
		{ "varmor_huge_tables", load->profiles * VARMOR_TABLES_OF_PROFILE },
		{ "varmor_scratches", scratches_of_machine() },
	};
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, sizes[i].map);
		int error = map ? bpf_map__set_max_entries(map, sizes[i].entries) : -ENOENT;

		if (error)
			return fail(failure, "give a size to the map", sizes[i].map, error);
	}
	return 0;
}

static int load_object(struct bpf_object *object, const char *folder, struct state_load *load,
		       struct state_failure *failure)
{
	int error, links;

	if (size_maps(object, load, failure) || choose_programs(object, load, failure))
		return -1;
	error = bpf_object__load(object);
	if (error)
		return fail(failure, "load the programs", "", error);
	error = bpf_object__pin_maps(object, folder);
	if (error)
		return fail(failure, "pin the maps", "", error);
	/*
	 * The settings must be complete before the first program is attached, because the programs need the node's
	 * mount namespace.
	 */
	if (fill_settings(object, load, 0, failure))
		return -1;
	links = attach_programs(object, folder, failure);
	return links < 0 ? -1 : fill_settings(object, load, links, failure);
}

/* Creates the folder's parent, which must be in a BPF file system. */
static int make_parent(const char *folder, struct state_failure *failure)
{
	char path[STATE_PATH], outer[STATE_PATH];
	struct statfs fs;
	char *parent;

	say(path, sizeof(path), "%s", folder);
	parent = dirname(path);
	say(outer, sizeof(outer), "%s", parent);
	if (statfs(dirname(outer), &fs))
		return fail(failure, "find the BPF file system", "", errno);
	if (fs.f_type != BPF_FS_MAGIC)
		return fail(failure, "find the BPF file system", "", EINVAL);
	if (mkdir(parent, 0700) && errno != EEXIST)
		return fail(failure, "make the folder", parent, errno);
	return 0;
}

static int load_into(const char *draft, struct state_load *load, struct state_failure *failure)
{
	/*
	 * Relocates the programs against the kernel's own types only. By default libbpf also searches the types of
	 * modules, which needs CAP_SYS_ADMIN; libbpf before 1.3 fails without it.
	 */
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = "/sys/kernel/btf/vmlinux");
	struct bpf_object *object;
	int error;

	error = state_drop(draft, true);
	if (error)
		return fail(failure, "remove", draft, error);
	object = bpf_object__open_file(load->object, &options);
	if (!object)
		return fail(failure, "open", load->object, errno);
	if (mkdir(draft, 0700))
		error = fail(failure, "make the folder", draft, errno);
	else
		error = load_object(object, draft, load, failure);
	/* This only closes descriptors, because the links are pinned. */
	bpf_object__close(object);
	return error;
}

int state_load(struct state_load *load, struct state_failure *failure)
{
	char draft[STATE_PATH + 16];
	struct stat info;
	int error;

	if (stat(load->folder, &info) == 0) {
		load->reused = true;
		return 0;
	}
	if (make_parent(load->folder, failure))
		return -1;
	say(draft, sizeof(draft), "%s-draft", load->folder);
	pthread_mutex_lock(&printing);
	printed_length = 0;
	printed[0] = 0;
	libbpf_set_print(print);
	error = load_into(draft, load, failure);
	say(failure->log, sizeof(failure->log), "%s", printed);
	pthread_mutex_unlock(&printing);
	if (!error && rename(draft, load->folder))
		error = fail(failure, "name the folder", load->folder, errno);
	if (error)
		state_drop(draft, true);
	return error;
}

void state_init(struct state *state, const char *folder)
{
	memset(state, 0, sizeof(*state));
	say(state->folder, sizeof(state->folder), "%s", folder);
}

void state_close(struct state *state)
{
	unsigned int i;

	for (i = 0; i < state->count; i++) {
		if (state->maps[i].memory)
			munmap(state->maps[i].memory, state->maps[i].mapped);
		close(state->maps[i].fd);
	}
	state->count = 0;
}

struct state_map *state_map(struct state *state, const char *name)
{
	char path[2 * STATE_PATH];
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);
	struct state_map *map;
	unsigned int i;
	int fd;

	for (i = 0; i < state->count; i++)
		if (strcmp(state->maps[i].name, name) == 0)
			return &state->maps[i];
	if (state->count == STATE_MAPS || strlen(name) >= sizeof(state->maps[0].name) || strchr(name, '/')) {
		errno = EINVAL;
		return NULL;
	}
	path_of(path, sizeof(path), state->folder, "", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return NULL;
	if (bpf_obj_get_info_by_fd(fd, &info, &length)) {
		close(fd);
		return NULL;
	}
	map = &state->maps[state->count++];
	*map = (struct state_map){
		.fd = fd,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
	};
	say(map->name, sizeof(map->name), "%s", name);
	return map;
}

size_t state_value_size(const struct state_map *map)
{
	int cpus;

	if (map->type != BPF_MAP_TYPE_PERCPU_ARRAY && map->type != BPF_MAP_TYPE_PERCPU_HASH)
		return map->value_size;
	cpus = libbpf_num_possible_cpus();
	if (cpus > 0)
		return (size_t)cpus * ((map->value_size + 7) / 8 * 8);
	errno = -cpus;
	return 0;
}

int state_set(struct state_map *map, const void *key, const void *value)
{
	if (value)
		return bpf_map_update_elem(map->fd, key, value, 0) ? -errno : 0;
	return bpf_map_delete_elem(map->fd, key) && errno != ENOENT ? -errno : 0;
}

int state_set_inner(struct state_map *map, const void *key, const void *value, size_t length, uint32_t size)
{
	void *whole = length <= size ? calloc(1, size) : NULL;
	__u32 zero = 0;
	int fd, error = 0;

	if (!whole)
		return length <= size ? -ENOMEM : -E2BIG;
	memcpy(whole, value, length);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "varmor", sizeof(zero), size, 1, NULL);
	if (fd < 0 || bpf_map_update_elem(fd, &zero, whole, 0) || bpf_map_update_elem(map->fd, key, &fd, 0))
		error = -errno;
	if (fd >= 0)
		close(fd);
	free(whole);
	return error;
}

int state_remove_where(struct state_map *map, uint32_t offset, uint32_t number)
{
	size_t size = (size_t)map->key_size + map->value_size;
	unsigned char *entry = calloc(2, size), *next = entry ? entry + size : NULL;
	bool has = false;
	int removed = 0;
	uint32_t found;

	if (!entry)
		return -ENOMEM;
	if (offset + sizeof(found) > size) {
		free(entry);
		return -EINVAL;
	}
	while (bpf_map_get_next_key(map->fd, has ? entry : NULL, next) == 0) {
		bool is_one = false;

		if (bpf_map_lookup_elem(map->fd, next, next + map->key_size) == 0) {
			memcpy(&found, next + offset, sizeof(found));
			is_one = found == number;
		}
		/* The walk cannot continue from a deleted key, so it continues from the last key that it kept. */
		if (is_one && bpf_map_delete_elem(map->fd, next) == 0) {
			removed++;
			continue;
		}
		memcpy(entry, next, size);
		has = true;
	}
	free(entry);
	return removed;
}

static int map_whole(struct state_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = ((size_t)map->max_entries * ((map->value_size + 7) / 8 * 8) + page - 1) / page * page;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	map->memory = memory;
	map->mapped = bytes;
	return 0;
}

int state_swap(struct state_map *map, size_t offset, uint64_t expected, uint32_t number)
{
	uint32_t before = (uint32_t)expected;
	uint32_t *place;
	int error;

	if (!map->memory) {
		error = map_whole(map);
		if (error)
			return error;
	}
	if (offset % sizeof(number) || offset + sizeof(number) > map->mapped)
		return -EINVAL;
	place = (uint32_t *)(void *)((char *)map->memory + offset);
	if (expected == UINT64_MAX) {
		__atomic_store_n(place, number, __ATOMIC_SEQ_CST);
		return 1;
	}
	return __atomic_compare_exchange_n(place, &before, number, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int state_follow(struct state *state, const char *folder)
{
	struct state_map *before = state_map(state, "varmor_before");
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), zero = 0, value;
	char path[2 * STATE_PATH];
	int fd, error;

	if (!before)
		return -errno;
	if (!folder)
		return state_set(before, &zero, before->type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? NULL : &zero);
	path_of(path, sizeof(path), folder, "", "varmor_tasks");
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	error = bpf_obj_get_info_by_fd(fd, &info, &length) ? -errno : 0;
	value = before->type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? (__u32)fd : info.id;
	if (!error)
		error = state_set(before, &zero, &value);
	close(fd);
	return error;
}

/*
 * Returns a descriptor to read the iterator once; below 0 with errno. An iterator over map entries reads the records of
 * the profiles.
 */
static int open_iterator(const struct state *state, const char *name)
{
	union bpf_iter_link_info over = { 0 };
	LIBBPF_OPTS(bpf_link_create_opts, options);
	int program, map = -1, link = -1, fd = -1, error;
	char path[2 * STATE_PATH];

	path_of(path, sizeof(path), state->folder, ITERATOR, name);
	program = bpf_obj_get(path);
	if (program < 0)
		return -1;
	if (!strcmp(name, "varmor_list_profiles")) {
		path_of(path, sizeof(path), state->folder, "", RECORDS);
		map = bpf_obj_get(path);
		over.map.map_fd = (__u32)map;
		options.iter_info = &over;
		options.iter_info_len = sizeof(over);
	}
	if (map >= 0 || !options.iter_info)
		link = bpf_link_create(program, 0, BPF_TRACE_ITER, &options);
	if (link >= 0)
		fd = bpf_iter_create(link);
	error = errno;
	close(program);
	if (map >= 0)
		close(map);
	if (link >= 0)
		close(link);
	errno = error;
	return fd;
}

void *state_iterate(const struct state *state, const char *name, size_t *length)
{
	size_t room = 65536, got = 0;
	char *report = malloc(room);
	int fd = report ? open_iterator(state, name) : -1;
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, report + got, room - got)) != 0) {
		char *more;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			break;
		got += (size_t)n;
		if (room - got >= 32768)
			continue;
		more = room < MAX_REPORT ? realloc(report, 2 * room) : NULL;
		if (!more) {
			errno = ENOMEM;
			n = -1;
			break;
		}
		report = more;
		room *= 2;
	}
	if (n) {
		int error = errno;

		free(report);
		report = NULL;
		errno = error;
	}
	if (fd >= 0)
		close(fd);
	*length = got;
	return report;
}

static bool is_attached(const char *path)
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);
	int fd = bpf_obj_get(path);
	bool attached = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 && info.prog_id;

	if (fd >= 0)
		close(fd);
	return attached;
}

int state_links(const struct state *state)
{
	char path[2 * STATE_PATH + 256];
	DIR *dir = opendir(state->folder);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, LINK, sizeof(LINK) - 1))
			continue;
		path_of(path, sizeof(path), state->folder, "", entry->d_name);
		count += is_attached(path);
	}
	closedir(dir);
	return count;
}
