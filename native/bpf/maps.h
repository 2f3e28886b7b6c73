/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The maps of the programs. Only the agent writes to most maps; the programs write to the rings, the counters, the
 * buckets and the maps of tasks.
 */
#ifndef VARMOR_MAPS_H
#define VARMOR_MAPS_H

#include "common.h"
#include "scratch.h"

/* maps.bpf.c defines the maps; all other files declare them. */
#ifndef VARMOR_MAPS
#define VARMOR_MAPS extern
#endif

/*
 * The container of a task. A program sets it for a container's first task. A child inherits it, and exec, setns and
 * unshare do not change it.
 */
#ifndef VARMOR_OLD
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct varmor_task);
} varmor_tasks SEC(".maps");
#else
/* Key: address of the task. An entry exists until the task ends. If the map is full, containers cannot create tasks. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 18);
	__type(key, __u64);
	__type(value, struct varmor_task);
} varmor_tasks SEC(".maps");
#endif

/*
 * The map of tasks of another build's programs, while these programs are attached. The value is the kernel id of that
 * map; in the old object, it is the map. Only the iterator reads it.
 */
#ifndef VARMOR_OLD
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} varmor_before SEC(".maps");
#else
struct varmor_tasks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct varmor_task);
};
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, struct varmor_tasks_map);
} varmor_before SEC(".maps");
#endif

/* Key: number of the container. The agent writes single fields, because programs fill in the mount namespace. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VARMOR_CONTAINERS);
	__type(key, __u32);
	__type(value, struct varmor_container);
} varmor_containers SEC(".maps");

/* Key: id of a container. Value: its number; 0: the container has no profile. */
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

/* Programs do not read this map. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VARMOR_PROFILES);
	__type(key, __u32);
	__type(value, struct varmor_profile_record);
} varmor_records SEC(".maps");

/*
 * A map whose inner maps have one value each. To replace a value, the agent replaces the inner map. The kernel then
 * waits until no program uses the old inner map.
 */
#define MAP_OF_VALUES(name, inner, count, size)           \
	struct inner {                                    \
		__uint(type, BPF_MAP_TYPE_ARRAY);         \
		__uint(max_entries, 1);                   \
		__uint(key_size, sizeof(__u32));          \
		__uint(value_size, size);                 \
	};                                                \
	VARMOR_MAPS struct {                              \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, count);               \
		__uint(key_size, sizeof(__u32));          \
		__array(values, struct inner);            \
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

/* Programs do not read this map. */
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

/*
 * The map has a bucket for each container and kind that made a record since the agent set a rate. Buckets are never
 * removed, because their counts would be lost.
 */
#define BUCKETS (1 << 16)
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BUCKETS);
	__type(key, struct varmor_bucket_key);
	__type(value, struct varmor_bucket);
} varmor_buckets SEC(".maps");

/*
 * Counts of records held back that the agent has reported already, kept for the next agent. Programs do not read this
 * map.
 */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BUCKETS);
	__type(key, struct varmor_bucket_key);
	__type(value, __u64);
} varmor_held_noted SEC(".maps");

/* The ring of changes.h. One MiB holds 32,768 changes. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} varmor_changes SEC(".maps");

/* Number of changes that were lost because the ring was full. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} varmor_changes_lost SEC(".maps");

/* Another program may preempt a program on the same processor, so a scratch belongs to one run, not to a processor. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, __u32);
	__type(value, struct varmor_scratch);
} varmor_scratches SEC(".maps");

#ifndef VARMOR_OLD
/* Scratches in the tasks' storage, for the case that all other scratches are in use. */
VARMOR_MAPS struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct varmor_scratch);
} varmor_own_scratches SEC(".maps");
#endif

/*
 * A zero whose value the verifier does not know. Before Linux 6.7, the verifier checks the body of bpf_loop() only with
 * the values of the first round, and removes branches that the first round does not take. So if a body changes a
 * variable and branches on it, the variable must start with this value.
 */
extern volatile __u32 varmor_unknown_zero;

#endif
