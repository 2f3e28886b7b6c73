/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which mounts a file system has in a mount namespace. The kernel can only be asked which it has in all namespaces of the node, and those are
 * thousands where the host's own file system is in each pod; so what was found is kept until the namespace changes.
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

/* By a hash of file system and namespace: what comes takes the place of what was there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << KEPT_LISTS_BITS);
	__type(key, __u32);
	__type(value, struct kept_list);
} varmor_kept_lists SEC(".maps");

/* Until Linux 6.17, and from then on. */
struct mnt_namespace___seq {
	u64 seq;
} __attribute__((preserve_access_index));

struct ns_common___id {
	u64 ns_id;
} __attribute__((preserve_access_index));

struct mnt_namespace___id {
	struct ns_common___id ns;
} __attribute__((preserve_access_index));

/* A number that no other namespace ever has; 0 where the kernel has none. The verifier knows the type, and lets the program read it itself. */
static __always_inline __u64 id_of_namespace(struct mnt_namespace *ns)
{
	struct mnt_namespace___seq *with_seq = (void *)ns;
	struct mnt_namespace___id *with_id = (void *)ns;

	if (bpf_core_field_exists(with_seq->seq))
		return with_seq->seq;
	if (bpf_core_field_exists(((struct ns_common___id *)0)->ns_id))
		return with_id->ns.ns_id;
	return 0;
}

static __always_inline struct kept_list *list_for(const struct kept_mounts *mounts)
{
	__u64 mixed = ((mounts->files >> 6) + mounts->mnt_ns * 0x9e3779b97f4a7c15ULL) * 0x9e3779b97f4a7c15ULL;
	__u32 index = mixed >> (64 - KEPT_LISTS_BITS);

	return bpf_map_lookup_elem(&varmor_kept_lists, &index);
}

/* Fills in the mounts that are known, or what to keep those by that will be found. Every new mount of a namespace counts as a change of it. */
static __noinline void find_kept(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	struct kept_mounts *mounts = &aliases->mounts;
	struct mnt_namespace *ns = namespace_of(current_task());
	struct kept_list *list;
	__u32 is_kept = 0;

	aliases->is_kept = 0;
	aliases->index = 0;
	mounts->count = 0;
	mounts->files = (__u64)aliases->files;
	/* The names of two namespaces are not kept: few tasks leave that of their container. */
	mounts->mnt_ns = aliases->own_ns == aliases->mnt_ns ? id_of_namespace(ns) : 0;
	if (!mounts->mnt_ns)
		return;
	mounts->event = ns->event;
	list = list_for(mounts);
	if (!list)
		return;
	bpf_spin_lock(&list->lock);
	if (list->mounts.files == mounts->files && list->mounts.mnt_ns == mounts->mnt_ns && list->mounts.event == mounts->event) {
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

/* Keeps what was found, if that is all. */
static __noinline void keep_found(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	struct kept_mounts *mounts = &aliases->mounts;
	struct kept_list *list;

	if (aliases->is_kept || !mounts->mnt_ns || aliases->at || aliases->losses || mounts->count > KEPT_MOUNTS)
		return;
	list = list_for(mounts);
	if (!list)
		return;
	bpf_spin_lock(&list->lock);
	__builtin_memcpy(&list->mounts, mounts, sizeof(*mounts));
	bpf_spin_unlock(&list->lock);
}
#else
/* Linux 5.10 has no locks for such programs: it is asked each time. */
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
