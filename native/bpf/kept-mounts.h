/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Caches the mounts of a file system in a mount namespace. A walk along all mounts of the namespace fills the cache. An
 * entry is valid until the namespace changes.
 */
#ifndef VARMOR_KEPT_MOUNTS_H
#define VARMOR_KEPT_MOUNTS_H

#include "mounts.h"
#include "scratch.h"

#define KEPT_LISTS_BITS 12

#ifndef VARMOR_OLD
struct kept_list {
	struct bpf_spin_lock lock;
	__u32 reserved;
	struct kept_mounts mounts;
};

/* Indexed by a hash of file system and namespace; a new entry overwrites the old one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << KEPT_LISTS_BITS);
	__type(key, __u32);
	__type(value, struct kept_list);
} varmor_kept_lists SEC(".maps");

static __always_inline struct kept_list *list_for(const struct kept_mounts *mounts)
{
	__u64 mixed = ((mounts->files >> 6) + mounts->mnt_ns * 0x9e3779b97f4a7c15ULL) * 0x9e3779b97f4a7c15ULL;
	__u32 index = mixed >> (64 - KEPT_LISTS_BITS);

	return bpf_map_lookup_elem(&varmor_kept_lists, &index);
}

/*
 * Fills in the cached mounts, or the key under which keep_found() caches them. The key includes `event`, the
 * namespace's counter of changes; each new mount increases it.
 */
static __noinline void find_kept(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	struct kept_mounts *mounts = &aliases->mounts;
	struct kept_list *list;
	__u32 is_kept = 0;

	aliases->is_kept = 0;
	aliases->index = 0;
	mounts->count = 0;
	mounts->files = (__u64)aliases->files;
	if (!mounts->mnt_ns)
		return;
	list = list_for(mounts);
	if (!list)
		return;
	bpf_spin_lock(&list->lock);
	if (list->mounts.files == mounts->files && list->mounts.mnt_ns == mounts->mnt_ns &&
	    list->mounts.event == mounts->event) {
		__builtin_memcpy(mounts, &list->mounts, sizeof(*mounts));
		is_kept = 1;
	}
	bpf_spin_unlock(&list->lock);
	aliases->is_kept = is_kept;
}

static __always_inline void note_mount(struct aliases *aliases, struct mount *mount)
{
	__u64 at = aliases->mounts.count++;

	if (at < KEPT_MOUNTS)
		aliases->mounts.at[at] = mount;
}

/* Caches the mounts that a complete walk found. */
static __noinline void keep_found(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	struct kept_mounts *mounts = &aliases->mounts;
	struct kept_list *list;

	if (aliases->is_kept || !mounts->mnt_ns || !aliases->walk.is_whole || aliases->walk.event != mounts->event ||
	    mounts->count > KEPT_MOUNTS)
		return;
	list = list_for(mounts);
	if (!list)
		return;
	bpf_spin_lock(&list->lock);
	__builtin_memcpy(&list->mounts, mounts, sizeof(*mounts));
	bpf_spin_unlock(&list->lock);
}
#else
/* On Linux 5.10, LSM programs cannot use spin locks. So the old object has no cache, and each access needs a walk. */
static __always_inline void find_kept(struct varmor_scratch *scratch)
{
	scratch->aliases.is_kept = 0;
}

static __always_inline void note_mount(struct aliases *aliases, struct mount *mount)
{
}

static __always_inline void keep_found(struct varmor_scratch *scratch)
{
}
#endif

#endif
