/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The profile of a task, and scratch memory for one run of a program. */
#ifndef VARMOR_TASK_H
#define VARMOR_TASK_H

#include "compat.h"

static __always_inline void count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&varmor_counts, &what);

	/* Atomic, because another program may preempt this program on the same processor. */
	if (value)
		__sync_fetch_and_add(value, 1);
}

#ifndef VARMOR_OLD
/* task.bpf.c */
__u32 varmor_container_by_hand(struct task_struct *task) __hidden;

/*
 * Returns the container of a task; 0 if it has none. Before Linux 6.2, the helper also returns NULL if this program
 * preempted a program that uses task storage on this processor. Then the storage is read without the helper.
 */
static __always_inline __u32 container_of_task(struct task_struct *task)
{
	struct varmor_task *own;

	if (!task->bpf_storage)
		return 0;
	own = own_task_of(task);
	return own ? own->container : varmor_container_by_hand(task);
}

/* Whether a task certainly has no container. This test is true for nearly all tasks, and costs no call. */
static __always_inline bool is_outside(struct task_struct *task)
{
	return !task->bpf_storage;
}
#else
static __always_inline __u32 container_of_task(struct task_struct *task)
{
	struct varmor_task *own = own_task_of(task);

	return own ? own->container : 0;
}

static __always_inline bool is_outside(struct task_struct *task)
{
	return false;
}
#endif

/* Binds a task to a container. Returns false if memory ran out. */
static __always_inline bool bind(struct task_struct *task, __u32 container)
{
	struct varmor_task *own = make_own_task(task);

	if (own)
		own->container = container;
	return own;
}

static __always_inline struct varmor_container *container_numbered(__u32 number)
{
	return number ? bpf_map_lookup_elem(&varmor_containers, &number) : NULL;
}

/*
 * The agent puts a new version of a profile into another slot, and empties the old slot once the containers use the new
 * slot. So if the slot is empty, this reads the container's slot again. The agent reuses a slot only after running
 * programs have ended.
 */
static __always_inline struct varmor_profile *profile_of(struct varmor_container *container)
{
	__u32 zero = 0, slot;
	void *map;

	if (!container)
		return NULL;
	slot = *(volatile __u32 *)&container->profile;
	if (!slot)
		return NULL;
	map = bpf_map_lookup_elem(&varmor_profiles, &slot);
	if (!map) {
		slot = *(volatile __u32 *)&container->profile;
		map = bpf_map_lookup_elem(&varmor_profiles, &slot);
	}
	return map ? bpf_map_lookup_elem(map, &zero) : NULL;
}

/* The profile of the current task; NULL for nearly all tasks, which have none. */
static __always_inline struct varmor_profile *current_profile(void)
{
	return profile_of(container_numbered(container_of_task(current_task())));
}

/* Whether the current task has a profile that enforces. */
static __always_inline bool is_confined(void)
{
	struct varmor_profile *profile = current_profile();

	return profile && !profile->mode;
}

#define VARMOR_NUMBERS 0x7fffffff
#define VARMOR_NOT_IN_ONE -1
#define VARMOR_NOT_KNOWN -2

/* task.bpf.c */
int varmor_number_by_cgroup(__u64 address, __u32 says);
int varmor_number_by_pids(__u64 address, int number);

static __always_inline __u64 address_of(struct task_struct *task)
{
	__u64 address;

	/* Copied, because the verifier does not accept a pointer as a number. */
	bpf_probe_read_kernel(&address, sizeof(address), &task);
	return address;
}

static __always_inline int number_by_cgroup(struct task_struct *task)
{
	return varmor_number_by_cgroup(address_of(task), 0);
}

/*
 * Like the function above, for the current task. Also reports the task's container if the agent cannot derive it from
 * the parent.
 */
static __always_inline int place_current(struct task_struct *current)
{
	return varmor_number_by_cgroup(address_of(current), 1);
}

static __always_inline struct varmor_scratch *take_one_of(__u32 tries)
{
	__u32 first = bpf_get_smp_processor_id() * SCRATCHES_OF_PROCESSOR;

	for (__u32 i = 0; i < tries; i++) {
		__u32 number = first + i;
		struct varmor_scratch *one = bpf_map_lookup_elem(&varmor_scratches, &number);

		if (one && take_busy(one, number))
			return one;
	}
	return NULL;
}

/*
 * Used if all scratches of this processor are in use. Not inlined, because on Linux 6.1 all functions of a call chain
 * share 512 bytes of stack.
 */
static __noinline struct varmor_scratch *take_another(void)
{
	struct varmor_scratch *another = take_one_of(SCRATCHES);

	if (!another)
		another = own_scratch();
	if (!another)
		count(VARMOR_NO_SCRATCH);
	return another;
}

static __always_inline struct varmor_scratch *take_scratch(void)
{
	struct varmor_scratch *one = take_one_of(SCRATCHES_OF_PROCESSOR);

	return one ? one : take_another();
}

static __always_inline void leave_scratch(struct varmor_scratch *scratch)
{
	leave_busy(scratch);
}

#endif
