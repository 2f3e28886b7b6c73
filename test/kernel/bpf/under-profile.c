/* SPDX-License-Identifier: Apache-2.0 */
/*
 * under-profile OBJECT PROFILE COMMAND...: loads the programs, and runs the command as the first process of a container with the
 * profile: a struct varmor_profile, and then, each behind its size in bytes, the table of its automaton, the entries of varmor_v4,
 * varmor_v6 and varmor_ports, and a struct varmor_mounts with automaton and sets of its sources, and of its targets. Prints what the kernel
 * verified, each record of the ring in hex, the counts, and the command's exit status. What the command prints goes in between.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "varmor_profile.h"

#define COUNTS 3
#define CPUS 256

static const struct {
	const char *map;
	__u32 bytes;
} sizes[] = {
	{ "varmor_small_tables", VARMOR_TABLE_SMALL },
	{ "varmor_medium_tables", VARMOR_TABLE_MEDIUM },
	{ "varmor_large_tables", VARMOR_TABLE_LARGE },
};

static const __u32 zero, place = 1;

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

/* Puts a map with one value into a map of maps. */
static void put_inner(int outer, __u32 at, const void *value, __u32 bytes)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", sizeof(zero), bytes, 1, NULL);

	if (inner < 0 || bpf_map_update_elem(inner, &zero, value, 0) || bpf_map_update_elem(outer, &at, &inner, 0))
		fail("a profile's map");
}

/* Reads what stands behind its size. Returns the size. */
static __u32 read_part(FILE *file, void *part, size_t room)
{
	__u32 bytes;

	if (fread(&bytes, sizeof(bytes), 1, file) != 1 || bytes > room || fread(part, 1, bytes, file) != bytes)
		fail("a part of the profile");
	return bytes;
}

static void put_entries(FILE *file, int map, size_t key, size_t value)
{
	static char entries[1 << 20];
	size_t at, bytes = read_part(file, entries, sizeof(entries));

	for (at = 0; at < bytes; at += key + value)
		if (bpf_map_update_elem(map, entries + at, entries + at + key, 0))
			fail("an entry");
}

/* Reads a table and puts it where `at` says. Returns the reference to it; 0 for an empty one. */
static __u32 put_table(struct bpf_object *object, FILE *file, __u32 at)
{
	static char table[VARMOR_TABLE_LARGE];
	unsigned int size = 0;
	__u32 bytes;

	memset(table, 0, sizeof(table));
	bytes = read_part(file, table, sizeof(table));
	if (bytes == 0)
		return 0;
	while (size < 2 && bytes > sizes[size].bytes)
		size++;
	put_inner(map_of(object, sizes[size].map), at, table, sizes[size].bytes);
	return size << VARMOR_TABLE_SIZE_SHIFT | at;
}

static void put_mounts(struct bpf_object *object, FILE *file)
{
	static struct varmor_mounts mounts;

	read_part(file, &mounts, sizeof(mounts));
	mounts.sources.automaton.table = put_table(object, file, 2);
	mounts.sources.sets = put_table(object, file, 3);
	mounts.targets.automaton.table = put_table(object, file, 4);
	mounts.targets.sets = put_table(object, file, 5);
	put_inner(map_of(object, "varmor_mount_rules"), place, &mounts, sizeof(mounts));
}

static void put_profile(struct bpf_object *object, const char *path)
{
	struct varmor_profile profile;
	FILE *file = fopen(path, "r");

	if (!file || fread(&profile, sizeof(profile), 1, file) != 1)
		fail(path);
	profile.files.table = put_table(object, file, place);
	put_entries(file, map_of(object, "varmor_v4"), sizeof(struct varmor_v4_key), sizeof(struct varmor_port_ranges));
	put_entries(file, map_of(object, "varmor_v6"), sizeof(struct varmor_v6_key), sizeof(struct varmor_port_ranges));
	put_entries(file, map_of(object, "varmor_ports"), sizeof(struct varmor_port_key), sizeof(struct varmor_port_range));
	put_mounts(object, file);
	put_inner(map_of(object, "varmor_profiles"), place, &profile, sizeof(profile));
	fclose(file);
}

static pid_t start(struct bpf_object *object, char **command)
{
	struct varmor_container container = { .profile = place };
	struct varmor_task task = { .container = place };
	struct stat ns;
	int go[2], fd;
	pid_t child;
	char byte;

	if (pipe(go) || stat("/proc/self/ns/mnt", &ns))
		fail("start");
	container.mnt_ns = (__u32)ns.st_ino;
	child = fork();
	if (child == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	if (bpf_map_update_elem(map_of(object, "varmor_containers"), &place, &container, 0) || fd < 0 ||
	    bpf_map_update_elem(map_of(object, "varmor_tasks"), &fd, &task, 0) || write(go[1], "x", 1) != 1)
		fail("bind");
	return child;
}

static int on_record(void *context, void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t i;

	(void)context;
	printf("record ");
	for (i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	return 0;
}

static void print_programs(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			fail("info");
		printf("program %s %u\n", bpf_program__name(program), info.verified_insns);
		if (!bpf_program__attach(program))
			fail(bpf_program__name(program));
	}
}

static void print_counts(struct bpf_object *object)
{
	__u64 values[CPUS];
	__u32 which;
	int cpu, cpus = libbpf_num_possible_cpus();

	for (which = 0; which < COUNTS; which++) {
		__u64 sum = 0;

		if (cpus > CPUS || bpf_map_lookup_elem(map_of(object, "varmor_counts"), &which, values))
			fail("counts");
		for (cpu = 0; cpu < cpus; cpu++)
			sum += values[cpu];
		printf("count %u %llu\n", which, (unsigned long long)sum);
	}
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct ring_buffer *ring;
	int status;
	pid_t child;

	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		fail(argv[1]);
	print_programs(object);
	put_profile(object, argv[2]);
	child = start(object, argv + 3);
	if (waitpid(child, &status, 0) < 0)
		fail("wait");
	ring = ring_buffer__new(map_of(object, "varmor_ring"), on_record, NULL, NULL);
	if (!ring || ring_buffer__consume(ring) < 0)
		fail("ring");
	print_counts(object);
	printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
