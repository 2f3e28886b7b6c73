/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Puts the requested number of records into a ring, as the programs of native/bpf do. */
#include "common.h"

char LICENSE[] SEC("license") = "GPL";

#define RECORDS 1024
#define MOST_BYTES 512

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} varmor_ring SEC(".maps");

enum { REPORTED, RING_FULL, NO_SCRATCH, HELD_BACK, COUNTS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} varmor_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct varmor_noted);
} varmor_noted SEC(".maps");

/* This bench throttles no records. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct varmor_bucket_key);
	__type(value, struct varmor_bucket);
} varmor_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct varmor_bucket_key);
	__type(value, __u64);
} varmor_held_noted SEC(".maps");

/* The content of the records, without their times. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORDS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MOST_BYTES);
} made_records SEC(".maps");

struct order {
	__u32 first;
	__u32 count;
};

static long put(__u32 round, struct order *order)
{
	__u32 number = (order->first + round) % RECORDS, size, what;
	struct varmor_event_header *record = bpf_map_lookup_elem(&made_records, &number);
	__u64 *count;

	if (!record)
		return 1;
	size = record->size;
	if (size < sizeof(*record) || size > MOST_BYTES)
		return 1;
	record->time = bpf_ktime_get_boot_ns();
	what = bpf_ringbuf_output(&varmor_ring, record, size, 0) ? RING_FULL : REPORTED;
	count = bpf_map_lookup_elem(&varmor_counts, &what);
	if (count)
		(*count)++;
	return 0;
}

SEC("syscall")
int produce(struct order *given)
{
	struct order order = { given->first, given->count };

	return bpf_loop(order.count, put, &order, 0);
}
