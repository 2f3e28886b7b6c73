/* SPDX-License-Identifier: Apache-2.0 */
/*
 * under-profile OBJECT PROFILE COMMAND... [, PROFILE COMMAND...]: loads the programs, and runs the command as the first process of a
 * container with the profile in the last slot: writes into maps, one behind the other (profile-bytes.ts). With "none" for a profile
 * it is of no container. Prints what the kernel verified, each record of the ring in hex, the counts, and the exit status of the last
 * command. What commands print goes in between.
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

/* Before each write: the sizes of what follows, and of the value of an inner map, which is 0 where the map has none. */
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

/* Makes a map of one value, to be put into a map of maps. */
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
	static char name[32], key[64], value[VARMOR_TABLE_LARGE];
	int inner;

	if (sizes->name >= sizeof(name) || sizes->key > sizeof(key) || sizes->value > sizeof(value) || sizes->inner > sizeof(value))
		fail("the sizes of a write");
	memset(name, 0, sizeof(name));
	read_exactly(file, name, sizes->name);
	read_exactly(file, key, sizes->key);
	memset(value, 0, sizeof(value));
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

/* Has a process be the first one of the container. */
static void bind(struct bpf_object *object, pid_t child)
{
	struct varmor_container container = { .profile = VARMOR_PROFILES - 1 };
	struct varmor_task task = { .container = number };
	int fd = (int)syscall(SYS_pidfd_open, child, 0);
	struct stat ns;

	if (fd < 0 || stat("/proc/self/ns/mnt", &ns))
		fail("bind");
	container.mnt_ns = (__u32)ns.st_ino;
	if (bpf_map_update_elem(map_of(object, "varmor_containers"), &number, &container, 0) ||
	    bpf_map_update_elem(map_of(object, "varmor_tasks"), &fd, &task, 0))
		fail("bind");
	close(fd);
}

static pid_t start(struct bpf_object *object, const char *profile, char **command)
{
	int go[2];
	pid_t child;
	char byte;

	if (pipe(go))
		fail("start");
	child = fork();
	if (child == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0)
		fail("start");
	if (strcmp(profile, "none") != 0) {
		put_profile(object, profile);
		bind(object, child);
	}
	if (write(go[1], "x", 1) != 1)
		fail("start");
	close(go[0]);
	close(go[1]);
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

/* Ends a list of words before the comma in it. Returns what follows; NULL at the end. */
static char **cut(char **words)
{
	for (; *words; words++)
		if (strcmp(*words, ",") == 0) {
			*words = NULL;
			return words + 1;
		}
	return NULL;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct ring_buffer *ring;
	char **words, **next;
	int status = 0;
	pid_t child;

	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		fail(argv[1]);
	print_programs(object);
	for (words = argv + 2; words; words = next) {
		next = cut(words);
		child = start(object, words[0], words + 1);
		if (waitpid(child, &status, 0) < 0)
			fail("wait");
	}
	ring = ring_buffer__new(map_of(object, "varmor_ring"), on_record, NULL, NULL);
	if (!ring || ring_buffer__consume(ring) < 0)
		fail("ring");
	print_counts(object);
	printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
