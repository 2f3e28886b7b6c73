/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Hides differences of kernels before Linux 6.1. The object for these kernels is built from the same programs with
 * VARMOR_OLD, and uses only helpers and map types of Linux 5.10.
 */
#ifndef VARMOR_COMPAT_H
#define VARMOR_COMPAT_H

#include "maps.h"

/* The pointers that a loop's body uses in one round. Data that must outlast a round is in the scratch. */
struct loop {
	struct varmor_scratch *scratch;
	__u8 *text;
	const __u8 *table;
	const __u64 *sets[2];
};

#ifndef VARMOR_OLD

/* Marks a function that the verifier checks once for each program, not at each call. It must return a number. */
#define VERIFIED_ONCE
/* Like VERIFIED_ONCE, for a function in a header. */
#define SHARED __weak
/* Marks a function that is not inlined. */
#define CALLED __noinline

static __always_inline struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

static __always_inline struct varmor_task *own_task_of(struct task_struct *task)
{
	/* Nearly all tasks have no BPF storage. For these tasks, this test avoids a call. */
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

/* Returns a scratch in the task's storage, for the case that all other scratches are in use. */
static __always_inline struct varmor_scratch *own_scratch(void)
{
	return bpf_task_storage_get(&varmor_own_scratches, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* Returns rules that do not change while a loop runs. Only the old object must copy them. */
static __always_inline const void *keep(struct varmor_scratch *scratch, const void *rules, __u32 size)
{
	return rules;
}

/* Replaces the number if it still equals `other`. Returns whether the number was replaced. */
static __always_inline bool put_instead(__u64 *place, __u64 other, __u64 number)
{
	return __sync_val_compare_and_swap(place, other, number) == other;
}

/*
 * Calls body(round, context) `count` times, at most `most` times, or until it returns 1. For few rounds only: see
 * LONG_LOOP.
 */
#define REPEAT(count, most, body, context) bpf_loop(count, body, context, 0)

/*
 * Defines name(loop, count), which calls body(round, loop) `count` times, at most `most` times, or until it returns 1.
 * The caller fills in `loop` with open(loop). In the old object each part of the loop calls open again, and counts
 * `round` from 0.
 */
#define LONG_LOOP(name, most, open, body) LONG_LOOP_BY(0, name, most, open, body)

#define LONG_LOOP_BY(at_once, name, most, open, body)                    \
	static __always_inline void name(struct loop *loop, __u32 count) \
	{                                                                \
		bpf_loop(count, body, loop, 0);                          \
	}

#else

/*
 * Before Linux 5.13 a global function cannot take pointers. So these functions are hidden or static, and the verifier
 * checks them at each call.
 */
#define VERIFIED_ONCE __hidden
#define SHARED static
/* Inlined, because the verifier allows only eight nested calls. */
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
 * BPF has no atomic exchange before Linux 5.12. A program increments a counter, and takes the scratch if it is the only
 * program there. If two programs increment at the same time, neither gets the scratch.
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

/* Copies the rules, because the profile may move to another slot before the next part of the loop. */
static __always_inline const void *keep(struct varmor_scratch *scratch, const void *rules, __u32 size)
{
	bpf_probe_read_kernel(scratch->record, size, rules);
	return scratch->record;
}

/* Not atomic: two programs may each return true. Use this only for values that may be inexact. */
static __always_inline bool put_instead(__u64 *place, __u64 other, __u64 number)
{
	*place = number;
	return true;
}

/* clang-format does not indent a `break` without a semicolon. */
/* clang-format off */
#define REPEAT(count, most, body, context)                                           \
	_Pragma("clang loop unroll(disable)")                                        \
	for (__u32 round_ = 0; round_ < (most); round_++)                            \
		if (round_ >= (count) || body(round_, context))                      \
			break
/* clang-format on */

#define ROUNDS_AT_ONCE 32

/*
 * Linux before 5.17 has no bpf_loop(), and its verifier checks each round of a plain loop. It checks a global function
 * only once, so each call of a global function does some rounds. The function takes only numbers and finds its data by
 * the number of the scratch.
 */
#define LONG_LOOP(name, most, open, body) LONG_LOOP_BY(ROUNDS_AT_ONCE, name, most, open, body)

/* The verifier has a limit on its work for a function: a complex body needs fewer rounds in each call (`at_once`). */
#define LONG_LOOP_BY(at_once, name, most, open, body)                                              \
	__weak __noinline int varmor_some_##name(__u32 number, __u32 left)                         \
	{                                                                                          \
		struct loop loop = { .scratch = bpf_map_lookup_elem(&varmor_scratches, &number) }; \
                                                                                                   \
		if (!loop.scratch || !open(&loop))                                                 \
			return 1;                                                                  \
		_Pragma("clang loop unroll(disable)")                                              \
		for (__u32 i = 0; i < (at_once); i++)                                              \
			if (i >= left || body(i, &loop))                                           \
				return 1;                                                          \
		return 0;                                                                          \
	}                                                                                          \
	__weak __noinline int varmor_all_##name(__u32 number, __u32 count)                         \
	{                                                                                          \
		_Pragma("clang loop unroll(disable)")                                              \
		for (__u32 done = 0; done < (most); done += (at_once))                             \
			if (done >= count || varmor_some_##name(number, count - done))             \
				break;                                                             \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline void name(struct loop *loop, __u32 count)                           \
	{                                                                                          \
		varmor_all_##name(loop->scratch->number, count);                                   \
	}

#endif

#endif
