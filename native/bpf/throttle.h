/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Limits the rate of records by a token bucket for each container and kind of record. The limit is off unless the agent
 * sets a rate.
 */
#ifndef VARMOR_THROTTLE_H
#define VARMOR_THROTTLE_H

#include "task.h"

/*
 * Maximum tries to take a token while other programs take tokens, too. If all tries fail, the record is held back, so
 * that the rate is never exceeded.
 */
#define TOKEN_TRIES 8

/* A bucket is stored as the time at which it is full again. To take a token, an atomic exchange increases this time. */
static __always_inline bool take_token(struct varmor_bucket *bucket, __u64 interval, __u64 room)
{
	__u64 now = bpf_ktime_get_boot_ns();

	for (__u32 i = 0; i < TOKEN_TRIES; i++) {
		__u64 full_at = *(volatile __u64 *)&bucket->full_at;
		__u64 next = (full_at > now ? full_at : now) + interval;

		if (next - now > room)
			return false;
		if (put_instead(&bucket->full_at, full_at, next))
			return true;
	}
	return false;
}

/* Returns NULL if the map is full. Then records are not held back, because they could not be counted. */
static __always_inline struct varmor_bucket *bucket_of(const struct varmor_bucket_key *key)
{
	struct varmor_bucket *bucket = bpf_map_lookup_elem(&varmor_buckets, key);
	struct varmor_bucket full = {};

	if (bucket)
		return bucket;
	bpf_map_update_elem(&varmor_buckets, key, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&varmor_buckets, key);
}

/*
 * Whether to hold back a record, which is then counted. The verifier checks the function separately: if it were
 * inlined, its branches would multiply the states of the code after it.
 */
__weak __noinline int varmor_holds_back(__u32 container, __u32 kind)
{
	struct varmor_bucket_key key = { .container = container, .kind = kind };
	struct varmor_bucket *bucket;
	struct varmor_rate *rate;
	__u32 zero = 0;

	rate = bpf_map_lookup_elem(&varmor_rate, &zero);
	if (!rate || !rate->interval)
		return 0;
	bucket = bucket_of(&key);
	if (!bucket || take_token(bucket, rate->interval, rate->room))
		return 0;
	__sync_fetch_and_add(&bucket->held, 1);
	count(VARMOR_HELD_BACK);
	return 1;
}

#endif
