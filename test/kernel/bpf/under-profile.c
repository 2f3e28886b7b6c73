/* SPDX-License-Identifier: Apache-2.0 */
/*
 * under-profile FOLDER PROFILE COMMAND...: loads the programs of FOLDER's object for this kernel, applies the writes
 * of PROFILE (profile-bytes.ts), and runs COMMAND as the first program of a container that has the profile in the
 * last slot. Prints the name of the object, the verifier's figures, each record of the ring in hex, the counts, the
 * tasks left in the map of tasks, the throttled records of each bucket, and the command's exit status; the command's
 * output appears in between.
 * Variables: VARMOR_TEST_TASKS is the maximum of the map of tasks, VARMOR_TEST_RATE is INTERVAL/ROOM of the records
 * in nanoseconds, VARMOR_TEST_RING is the size of the ring. With VARMOR_TEST_TAKEN the command stops itself at its
 * start, and continues when all scratch buffers are taken.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../addon/bpf-object.h"
#include "put-profile.h"
#include "varmor_profile.h"

#define COUNTS 4
#define CPUS 256
#define PROGRAMS 64
#define LOG_BYTES (1 << 16)
#define LOG_STATISTICS 4
#define PATIENCE_MS 60000
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CGROUP "/sys/fs/cgroup/" ID

/*
 * Starts the command as a container runtime does: the last program before the container's own program is a host
 * program.
 */
static void become_container(char **command)
{
	FILE *procs = fopen(CGROUP "/cgroup.procs", "w");

	/* The command's mounts must disappear with it. */
	if (!procs || fprintf(procs, "0") < 0 || fclose(procs) || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("container");
	execvp(command[0], command);
	fail(command[0]);
}

static pid_t start(struct bpf_object *object, char **command)
{
	struct varmor_container container = { .profile = VARMOR_PROFILES - 1 };
	struct varmor_settings settings = { 0 };
	struct stat ns;
	pid_t child;

	if (stat("/proc/self/ns/mnt", &ns) || (mkdir(CGROUP, 0700) && errno != EEXIST))
		fail("start");
	settings.host_mnt_ns = (__u32)ns.st_ino;
	if (bpf_map_update_elem(map_of(object, "varmor_settings"), &zero, &settings, 0) ||
	    bpf_map_update_elem(map_of(object, "varmor_containers"), &number, &container, 0) ||
	    bpf_map_update_elem(map_of(object, "varmor_ids"), ID, &number, 0))
		fail("bind");
	child = fork();
	if (child == 0)
		become_container(command);
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

static char logs[PROGRAMS][LOG_BYTES];

/* Only the object for older kernels has a hash map of tasks, whose entries must be removed. */
static struct bpf_map *tasks_of(struct bpf_object *object)
{
	struct bpf_map *tasks = bpf_object__find_map_by_name(object, "varmor_tasks");

	if (!tasks)
		fail("varmor_tasks");
	return bpf_map__type(tasks) == BPF_MAP_TYPE_HASH ? tasks : NULL;
}

static void limit_tasks(struct bpf_object *object)
{
	const char *most = getenv("VARMOR_TEST_TASKS");
	struct bpf_map *tasks = tasks_of(object);

	if (most && tasks && bpf_map__set_max_entries(tasks, (__u32)atoi(most)))
		fail("limit");
}

static void size_ring(struct bpf_object *object)
{
	const char *bytes = getenv("VARMOR_TEST_RING");

	if (bytes && bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "varmor_ring"), (__u32)atoi(bytes)))
		fail("VARMOR_TEST_RING");
}

static void limit_records(struct bpf_object *object)
{
	const char *given = getenv("VARMOR_TEST_RATE");
	struct varmor_rate rate;
	unsigned long long interval, room;

	if (!given)
		return;
	if (sscanf(given, "%llu/%llu", &interval, &room) != 2)
		fail("VARMOR_TEST_RATE");
	rate = (struct varmor_rate){ .interval = interval, .room = room };
	if (bpf_map_update_elem(map_of(object, "varmor_rate"), &zero, &rate, 0))
		fail("varmor_rate");
}

static void print_buckets(struct bpf_object *object)
{
	int map = map_of(object, "varmor_buckets");
	struct varmor_bucket_key key;
	struct varmor_bucket bucket;
	bool has = false;

	while (bpf_map_get_next_key(map, has ? &key : NULL, &key) == 0) {
		has = true;
		if (bpf_map_lookup_elem(map, &key, &bucket))
			fail("varmor_buckets");
		printf("bucket %u %u %llu\n", key.container, key.kind, (unsigned long long)bucket.held);
	}
}

static unsigned int count_tasks(int map)
{
	unsigned int count = 0;
	__u64 at, next;
	bool has = false;

	while (bpf_map_get_next_key(map, has ? &at : NULL, &next) == 0) {
		at = next;
		has = true;
		count++;
	}
	return count;
}

/* The kernel frees a task some time after its end. */
static void print_tasks(struct bpf_object *object)
{
	struct bpf_map *tasks = tasks_of(object);
	unsigned int count, waited;

	if (!tasks)
		return;
	for (waited = 0; (count = count_tasks(bpf_map__fd(tasks))) && waited < PATIENCE_MS; waited += 10)
		usleep(10000);
	printf("tasks %u\n", count);
}

/* Leaves out hooks that this kernel does not have yet, as the agent does. */
static void leave_out_absent(struct bpf_object *object)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct bpf_program *program;
	char hook[128];

	bpf_object__for_each_program(program, object) {
		const char *section = bpf_program__section_name(program);

		if (strncmp(section, "lsm/", 4))
			continue;
		snprintf(hook, sizeof(hook), "bpf_lsm_%s", section + 4);
		if (btf__find_by_name_kind(kernel, hook, BTF_KIND_FUNC) <= 0)
			bpf_program__set_autoload(program, false);
	}
	btf__free(kernel);
}

static struct bpf_object *open_object(const char *folder)
{
	const char *name = bpf_needs_old_object() ? "varmor-old.bpf.o" : "varmor.bpf.o";
	struct bpf_program *program;
	struct bpf_object *object;
	char path[256];
	int count = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		fail(path);
	bpf_object__for_each_program(program, object) {
		if (count == PROGRAMS || bpf_program__set_log_level(program, LOG_STATISTICS) ||
		    bpf_program__set_log_buf(program, logs[count++], LOG_BYTES))
			fail("log");
	}
	limit_tasks(object);
	size_ring(object);
	leave_out_absent(object);
	printf("object %s\n", name);
	if (bpf_object__load(object)) {
		/* libbpf loads the programs in order, up to the first one that fails. */
		while (count-- && !*logs[count])
			;
		fprintf(stderr, "%s", count < 0 ? "" : logs[count]);
		fail(path);
	}
	return object;
}

/*
 * Prints the numbers after a word of the verifier's log; a + separates the numbers of functions that are verified
 * separately.
 */
static void print_numbers(const char *log, const char *word)
{
	const char *found = strstr(log, word);
	size_t length = found ? strspn(found + strlen(word), "0123456789+") : 0;

	printf(" %.*s", length ? (int)length : 1, length ? found + strlen(word) : "?");
}

static void attach_programs(struct bpf_object *object)
{
	struct bpf_program *program;
	int at = 0;

	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program)) {
			at++;
			continue;
		}
		printf("program %s", bpf_program__name(program));
		print_numbers(logs[at], "processed ");
		print_numbers(logs[at++], "stack depth ");
		printf("\n");
		/* The agent runs this program on a map; it cannot be attached without a map. */
		if (!strcmp(bpf_program__section_name(program), "iter/bpf_map_elem"))
			continue;
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

/* Takes all scratch buffers, as if that many programs were preempted. */
static void take_scratches(struct bpf_object *object)
{
	static char scratch[1 << 17];
	struct bpf_map *scratches = bpf_object__find_map_by_name(object, "varmor_scratches");
	const __u64 busy = 1;
	__u32 i;

	if (!scratches || bpf_map__value_size(scratches) > sizeof(scratch))
		fail("varmor_scratches");
	memcpy(scratch, &busy, sizeof(busy));
	for (i = 0; i < bpf_map__max_entries(scratches); i++)
		if (bpf_map_update_elem(bpf_map__fd(scratches), &i, scratch, 0))
			fail("take");
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
	object = open_object(argv[1]);
	attach_programs(object);
	put_profile(object, argv[2]);
	limit_records(object);
	child = start(object, argv + 3);
	if (getenv("VARMOR_TEST_TAKEN")) {
		if (waitpid(child, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
			fail("stop");
		take_scratches(object);
		kill(child, SIGCONT);
	}
	if (waitpid(child, &status, 0) < 0)
		fail("wait");
	ring = ring_buffer__new(map_of(object, "varmor_ring"), on_record, NULL, NULL);
	if (!ring || ring_buffer__consume(ring) < 0)
		fail("ring");
	print_counts(object);
	print_buckets(object);
	print_tasks(object);
	printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
