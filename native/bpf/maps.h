/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The maps. Each but the rings, the counters and the buckets is written by the agent alone. */
#ifndef VARMOR_MAPS_H
#define VARMOR_MAPS_H

#include "common.h"
#include "scratch.h"

/* maps.bpf.c has them, the others refer to them. */
#ifndef VARMOR_MAPS
#define VARMOR_MAPS extern
#endif

/* Which container a task is of: set for its first task, handed on at fork, kept over exec, setns and unshare. */
#ifndef VARMOR_OLD
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct varmor_task);
} varmor_tasks SEC(".maps");
#else
/* By the address of the task, until its end. No task of a container is made where it is full. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 18);
	__type(key, __u64);
	__type(value, struct varmor_task);
} varmor_tasks SEC(".maps");
#endif

/*
 * By number; the first has the numbers that were given last. Written by its fields, as programs fill in the mount
 * namespace.
 */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VARMOR_CONTAINERS);
	__type(key, __u32);
	__type(value, struct varmor_container);
} varmor_containers SEC(".maps");

/* Numbers of containers; 0 for one that has no profile. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VARMOR_CONTAINERS);
	__type(key, struct varmor_container_id);
	__type(value, __u32);
} varmor_ids SEC(".maps");

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct varmor_settings);
} varmor_settings SEC(".maps");

/* No program reads it. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VARMOR_PROFILES);
	__type(key, __u32);
	__type(value, struct varmor_profile_record);
} varmor_records SEC(".maps");

/*
 * Maps of maps that have one value each: to replace a value is to replace a pointer, and the kernel waits until no
 * program sees the old value.
 */
#define MAP_OF_VALUES(name, inner, count, size)                \
	struct inner {                                         \
		__uint(type, BPF_MAP_TYPE_ARRAY);              \
		__uint(max_entries, 1);                        \
		__uint(key_size, sizeof(__u32));               \
		__uint(value_size, size);                      \
	};                                                     \
	VARMOR_MAPS struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);      \
		__uint(max_entries, count);                    \
		__uint(key_size, sizeof(__u32));               \
		__array(values, struct inner);                 \
	} name SEC(".maps")

/* By slot. */
MAP_OF_VALUES(varmor_profiles, varmor_profile_map, VARMOR_PROFILES, sizeof(struct varmor_profile));
MAP_OF_VALUES(varmor_mount_rules, varmor_mounts_map, VARMOR_PROFILES, sizeof(struct varmor_mounts));

#define TABLES (VARMOR_PROFILES * VARMOR_TABLES_OF_PROFILE)
MAP_OF_VALUES(varmor_small_tables, varmor_small_table, TABLES, VARMOR_TABLE_SMALL);
MAP_OF_VALUES(varmor_medium_tables, varmor_medium_table, TABLES, VARMOR_TABLE_MEDIUM);
MAP_OF_VALUES(varmor_large_tables, varmor_large_table, TABLES, VARMOR_TABLE_LARGE);
MAP_OF_VALUES(varmor_huge_tables, varmor_huge_table, TABLES, VARMOR_TABLE_HUGE);

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct varmor_v4_key);
	__type(value, struct varmor_port_ranges);
} varmor_v4 SEC(".maps");

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct varmor_v6_key);
	__type(value, struct varmor_port_ranges);
} varmor_v6 SEC(".maps");

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct varmor_port_key);
	__type(value, struct varmor_port_range);
} varmor_ports SEC(".maps");

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} varmor_ring SEC(".maps");

enum varmor_count { VARMOR_REPORTED, VARMOR_RING_FULL, VARMOR_NO_SCRATCH, VARMOR_HELD_BACK, VARMOR_COUNTS };

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VARMOR_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} varmor_counts SEC(".maps");

/* No program reads it. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct varmor_noted);
} varmor_noted SEC(".maps");

VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct varmor_rate);
} varmor_rate SEC(".maps");

/* Of those that have made records since there was a rate; they stay, so that none of their counts is lost. */
#define BUCKETS (1 << 16)
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BUCKETS);
	__type(key, struct varmor_bucket_key);
	__type(value, struct varmor_bucket);
} varmor_buckets SEC(".maps");

/* Of what the buckets have held back, what was said, for the agent that comes after. No program reads it. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BUCKETS);
	__type(key, struct varmor_bucket_key);
	__type(value, __u64);
} varmor_held_noted SEC(".maps");

/* Of changes.h: a MiB holds 32,768. It has a quarter of the other ring's size. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} varmor_changes SEC(".maps");

/* How many of them found it full. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} varmor_changes_lost SEC(".maps");

/*
 * A program may be preempted, and another run begin on its processor: a scratch belongs to the run that has taken it.
 */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, __u32);
	__type(value, struct varmor_scratch);
} varmor_scratches SEC(".maps");

#ifndef VARMOR_OLD
/* Where all of those are taken: one of the task's own. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct varmor_scratch);
} varmor_own_scratches SEC(".maps");
#endif

/*
 * A zero that the verifier does not know. Before Linux 6.7 it checks the body of bpf_loop() with the values of the
 * first round only, and removes a branch that this round does not take, though a later round needs it. A variable that
 * a body changes and branches on has to start as an unknown value.
 */
extern volatile __u32 varmor_unknown_zero;

#endif
