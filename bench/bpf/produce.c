/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce OBJECT RECORDS FOLDER RING_BYTES RATE SECONDS: pins the maps of produce.bpf.c in FOLDER, and prints "ready".
 * After it has read a byte, the kernel puts RATE records per second into the ring for SECONDS, or as many as it can if
 * RATE is 0. Then it prints how many records it made, how many of these are in the ring, how many found the ring full,
 * and the nanoseconds by which CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC. The maps stay until its input ends. RECORDS
 * is a file of consecutive records.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES 512
#define RECORDS 1024
#define MOST_AT_ONCE 1024
#define CPUS 4096

static const char *const maps[] = { "varmor_ring", "varmor_counts", "varmor_noted", "varmor_buckets", "varmor_held_noted" };

struct order {
	__u32 first, count;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int map_of(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		fail(name);
	return fd;
}

static void put_records(int map, const char *path)
{
	FILE *file = fopen(path, "r");
	char record[MOST_BYTES];
	__u32 number, size;

	if (!file)
		fail(path);
	for (number = 0; number < RECORDS; number++) {
		memset(record, 0, sizeof(record));
		if (fread(&size, sizeof(size), 1, file) != 1 || size < sizeof(size) || size > sizeof(record))
			fail("a record's length");
		memcpy(record, &size, sizeof(size));
		if (fread(record + sizeof(size), size - sizeof(size), 1, file) != 1 || bpf_map_update_elem(map, &number, record, 0))
			fail("a record");
	}
	fclose(file);
}

static struct bpf_object *load(const char *path, const char *folder, __u32 ring_bytes)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	char pin[512];
	size_t i;

	if (!object || bpf_map__set_max_entries(bpf_object__find_map_by_name(object, maps[0]), ring_bytes) || bpf_object__load(object))
		fail(path);
	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		snprintf(pin, sizeof(pin), "%s/%s", folder, maps[i]);
		if (bpf_obj_pin(map_of(object, maps[i]), pin))
			fail(pin);
	}
	return object;
}

static void put_some(int program, uint64_t first, uint64_t count)
{
	struct order order = { (__u32)first, (__u32)count };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &order, .ctx_size_in = sizeof(order));

	if (bpf_prog_test_run_opts(program, &options) || options.retval != count)
		fail("the program");
}

/* Histogram of late sleeps, in tenths of a millisecond: the delay of any program on this machine. */
#define LATE 1000
static uint64_t late[LATE];

static void nap(void)
{
	const struct timespec tick = { .tv_nsec = 200000 };
	uint64_t before = now_ns(CLOCK_MONOTONIC), tenths;

	nanosleep(&tick, NULL);
	tenths = (now_ns(CLOCK_MONOTONIC) - before - (uint64_t)tick.tv_nsec) / 100000;
	late[tenths < LATE ? tenths : LATE - 1]++;
}

/* The 99th percentile of the sleeps' delay, in milliseconds. */
static double late_p99(void)
{
	uint64_t all = 0, seen = 0;
	int i;

	for (i = 0; i < LATE; i++)
		all += late[i];
	for (i = 0; i < LATE - 1; i++) {
		seen += late[i];
		if (seen * 100 >= all * 99)
			break;
	}
	return (i + 1) / 10.0;
}

static uint64_t produce(int program, uint64_t rate, uint64_t seconds)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), end = seconds * 1000000000, total = rate * seconds, put = 0;

	for (;;) {
		uint64_t since = now_ns(CLOCK_MONOTONIC) - start, due;

		if (rate == 0 && since >= end)
			return put;
		due = rate == 0 ? put + MOST_AT_ONCE : (uint64_t)((double)since * (double)rate / 1e9);
		if (rate != 0 && due > total)
			due = total;
		/* After a pause without CPU time, the overdue records follow in groups, one directly after another. */
		while (put < due) {
			uint64_t count = due - put > MOST_AT_ONCE ? MOST_AT_ONCE : due - put;

			put_some(program, put, count);
			put += count;
		}
		if (rate != 0 && put == total)
			return put;
		if (rate != 0)
			nap();
	}
}

static uint64_t counted(int map, __u32 which)
{
	static uint64_t values[CPUS];
	int cpu, cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;

	if (cpus > CPUS || bpf_map_lookup_elem(map, &which, values))
		fail("counts");
	for (cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu];
	return sum;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	uint64_t put;
	char byte;
	int program;

	if (argc != 7)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	object = load(argv[1], argv[3], (__u32)strtoul(argv[4], NULL, 10));
	put_records(map_of(object, "made_records"), argv[2]);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "produce"));
	printf("ready\n");
	if (read(0, &byte, 1) != 1)
		return 1;
	put = produce(program, strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
	printf("{\"put\": %llu, \"reported\": %llu, \"ringFull\": %llu, \"ahead\": %lld, \"late\": %.1f}\n", (unsigned long long)put,
	       (unsigned long long)counted(map_of(object, "varmor_counts"), 0), (unsigned long long)counted(map_of(object, "varmor_counts"), 1),
	       (long long)(now_ns(CLOCK_BOOTTIME) - now_ns(CLOCK_MONOTONIC)), late_p99());
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
