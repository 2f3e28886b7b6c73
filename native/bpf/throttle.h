/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * How many records a container may make: a bucket of tokens for each of its kinds of records, off unless the agent sets
 * a rate.
 */
#ifndef VARMOR_THROTTLE_H
#define VARMOR_THROTTLE_H

#include "task.h"

/* So many others may take a token first before a record is held back: the rate is never more than was asked for. */
#define TOKEN_TRIES 8

/* The bucket is known by the time at which it is full again, which one exchange takes further. */
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

/* NULL without room for another bucket: then no event is held back, because no bucket could count it. */
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
 * Whether a record is held back, which is counted. It is verified by itself: what it has looked at would else multiply
 * what comes behind it.
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
