/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What kernels before Linux 6.1 do another way. The object for those is made of the same programs, with VARMOR_OLD: it
 * calls no helper and has no map that Linux 5.10 lacks.
 */
#ifndef VARMOR_COMPAT_H
#define VARMOR_COMPAT_H

#include "maps.h"

/* What the body of a loop works with. It lasts for a round; what is to last longer lies in the scratch. */
struct loop {
	struct varmor_scratch *scratch;
	__u8 *text;
	const __u8 *table;
	const __u64 *sets[2];
};

#ifndef VARMOR_OLD

/* A function that is verified once a program, and not once a call. It returns a number. */
#define VERIFIED_ONCE
/* The same, of a function in a header. */
#define SHARED __weak
/* A function that is called, and not a part of its caller. */
#define CALLED __noinline

static __always_inline struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

static __always_inline struct varmor_task *own_task_of(struct task_struct *task)
{
	/* Nearly all tasks have no storage of any program, which is seen without a call. */
	return task->bpf_storage ? bpf_task_storage_get(&varmor_tasks, task, 0, 0) : NULL;
}

static __always_inline struct varmor_task *make_own_task(struct task_struct *task)
{
	return bpf_task_storage_get(&varmor_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline bool take_busy(struct varmor_scratch *scratch, __u32 number)
{
	return __sync_val_compare_and_swap(&scratch->busy, 0, 1) == 0;
}

static __always_inline void leave_busy(struct varmor_scratch *scratch)
{
	__sync_lock_test_and_set(&scratch->busy, 0);
}

/* One of the task's own, where all others are taken. */
static __always_inline struct varmor_scratch *own_scratch(void)
{
	return bpf_task_storage_get(&varmor_own_scratches, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* Keeps rules in place while a loop runs. */
static __always_inline const void *keep(struct varmor_scratch *scratch, const void *rules, __u32 size)
{
	return rules;
}

/* Puts a number where none stood. */
static __always_inline void put_once(__u32 *place, __u32 number)
{
	__sync_val_compare_and_swap(place, 0, number);
}

/* Puts a number where another one stood. Returns whether it did. */
static __always_inline bool put_instead(__u64 *place, __u64 other, __u64 number)
{
	return __sync_val_compare_and_swap(place, other, number) == other;
}

/* Calls body(round, context) `count` times, `most` at most, or until it returns 1. For few rounds: see LONG_LOOP. */
#define REPEAT(count, most, body, context) bpf_loop(count, body, context, 0)

/*
 * Makes name(loop, count), which calls body(round, loop) `count` times, `most` at most, or until it returns 1. The
 * caller has put into `loop` what the body works with, as open(loop) does again before Linux 6.1. Rounds are not
 * numbered.
 */
#define LONG_LOOP(name, most, open, body) LONG_LOOP_BY(0, name, most, open, body)

#define LONG_LOOP_BY(at_once, name, most, open, body)                                \
	static __always_inline void name(struct loop *loop, __u32 count)             \
	{                                                                            \
		bpf_loop(count, body, loop, 0);                                      \
	}

#else

/* Those may not be given pointers before Linux 5.13. It is verified once a call. */
#define VERIFIED_ONCE __hidden
#define SHARED static
/* A call within a call within a call: the eighth is one too many. */
#define CALLED __always_inline

static __always_inline struct task_struct *current_task(void)
{
	return (void *)bpf_get_current_task();
}

static __always_inline struct varmor_task *own_task_of(struct task_struct *task)
{
	__u64 key = (__u64)task;

	return bpf_map_lookup_elem(&varmor_tasks, &key);
}

static __always_inline struct varmor_task *make_own_task(struct task_struct *task)
{
	struct varmor_task own = {};
	__u64 key = (__u64)task;

	bpf_map_update_elem(&varmor_tasks, &key, &own, BPF_NOEXIST);
	return bpf_map_lookup_elem(&varmor_tasks, &key);
}

/*
 * Linux before 5.12 has no atomic exchange: a program gets the scratch when it counts itself alone in it. Two programs
 * that count at once both fail.
 */
static __always_inline bool take_busy(struct varmor_scratch *scratch, __u32 number)
{
	__sync_fetch_and_add(&scratch->busy, 1);
	if (*(volatile __u64 *)&scratch->busy == 1) {
		scratch->number = number;
		return true;
	}
	__sync_fetch_and_add(&scratch->busy, -1);
	return false;
}

static __always_inline void leave_busy(struct varmor_scratch *scratch)
{
	__sync_fetch_and_add(&scratch->busy, -1);
}

static __always_inline struct varmor_scratch *own_scratch(void)
{
	return NULL;
}

/* Between two calls the profile may have gone to another slot. */
static __always_inline const void *keep(struct varmor_scratch *scratch, const void *rules, __u32 size)
{
	bpf_probe_read_kernel(scratch->record, size, rules);
	return scratch->record;
}

/* Two that put theirs at once are not known to happen: a container has one first program. */
static __always_inline void put_once(__u32 *place, __u32 number)
{
	if (*place == 0)
		*place = number;
}

/* Two that do it at once may both have done it: what needs to be exact is not kept so. */
static __always_inline bool put_instead(__u64 *place, __u64 other, __u64 number)
{
	*place = number;
	return true;
}

#define REPEAT(count, most, body, context)                                           \
	_Pragma("clang loop unroll(disable)")                                        \
	for (__u32 round_ = 0; round_ < (most); round_++)                            \
		if (round_ >= (count) || body(round_, context))                      \
			break

#define ROUNDS_AT_ONCE 32

/*
 * Linux before 5.17 has no bpf_loop(), and verifies a plain loop round by round, but a global function once by itself:
 * calls of a global function do some rounds each. It takes numbers only, and finds its data by the number of the
 * scratch. The data of a profile stays in place until no program sees that profile.
 */
#define LONG_LOOP(name, most, open, body) LONG_LOOP_BY(ROUNDS_AT_ONCE, name, most, open, body)

/* The more there is to verify of a round, the fewer are done at once. */
#define LONG_LOOP_BY(at_once, name, most, open, body)                                        \
	__weak __noinline int varmor_some_##name(__u32 number, __u32 left)                   \
	{                                                                                    \
		struct loop loop = { .scratch = bpf_map_lookup_elem(&varmor_scratches, &number) }; \
                                                                                             \
		if (!loop.scratch || !open(&loop))                                           \
			return 1;                                                            \
		_Pragma("clang loop unroll(disable)")                                        \
		for (__u32 i = 0; i < (at_once); i++)                                        \
			if (i >= left || body(i, &loop))                                     \
				return 1;                                                    \
		return 0;                                                                    \
	}                                                                                    \
	__weak __noinline int varmor_all_##name(__u32 number, __u32 count)                   \
	{                                                                                    \
		_Pragma("clang loop unroll(disable)")                                        \
		for (__u32 done = 0; done < (most); done += (at_once))                       \
			if (done >= count || varmor_some_##name(number, count - done))       \
				break;                                                       \
		return 0;                                                                    \
	}                                                                                    \
	static __always_inline void name(struct loop *loop, __u32 count)                     \
	{                                                                                    \
		varmor_all_##name(loop->scratch->number, count);                             \
	}

#endif

#endif
