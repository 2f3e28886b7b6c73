/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Walks along the mounts of a file system in all mount namespaces, or along all mounts of a mount namespace. */
#ifndef VARMOR_MOUNTS_H
#define VARMOR_MOUNTS_H

#include "path.h"

/* Since Linux 6.18, the mounts of a file system are a singly linked chain. Before, they are a list. */
struct mount___chain {
	struct mount___chain *mnt_next_for_sb;
} __attribute__((preserve_access_index));

struct super_block___chain {
	struct mount___chain *s_mounts;
} __attribute__((preserve_access_index));

struct mount___list {
	struct list_head mnt_instance;
} __attribute__((preserve_access_index));

struct super_block___list {
	struct list_head s_mounts;
} __attribute__((preserve_access_index));

#define HAS_CHAIN (bpf_core_field_exists(((struct mount___chain *)0)->mnt_next_for_sb))

/* Returns the mount of a list entry; NULL at the end of the list. */
static __always_inline struct mount *mount_at(struct list_head *at, struct super_block *files)
{
	if ((void *)at == (void *)files + bpf_core_field_offset(struct super_block___list, s_mounts))
		return NULL;
	return (void *)at - bpf_core_field_offset(struct mount___list, mnt_instance);
}

static __always_inline struct mount *first_mount(struct super_block *files)
{
	if (HAS_CHAIN)
		return (void *)BPF_CORE_READ((struct super_block___chain *)files, s_mounts);
	return mount_at(BPF_CORE_READ((struct super_block___list *)files, s_mounts.next), files);
}

static __always_inline struct mount *mount_after(struct mount *mount, struct super_block *files)
{
	if (HAS_CHAIN)
		return (void *)BPF_CORE_READ((struct mount___chain *)mount, mnt_next_for_sb);
	return mount_at(BPF_CORE_READ((struct mount___list *)mount, mnt_instance.next), files);
}

/* The mounts of a mount namespace: a list before Linux 6.8, a tree since then. */
struct mnt_namespace___list {
	struct list_head list;
	unsigned int mounts;
} __attribute__((preserve_access_index));

struct mnt_namespace___tree {
	struct rb_root mounts;
	unsigned int nr_mounts;
} __attribute__((preserve_access_index));

struct mount___in_list {
	struct list_head mnt_list;
} __attribute__((preserve_access_index));

struct mount___in_tree {
	struct rb_node mnt_node;
} __attribute__((preserve_access_index));

#define HAS_LIST (bpf_core_field_exists(((struct mnt_namespace___list *)0)->list))

/* The id of a mount namespace: `seq` until Linux 6.17, `ns_id` from 6.18 on. */
struct mnt_namespace___seq {
	u64 seq;
} __attribute__((preserve_access_index));

struct ns_common___id {
	u64 ns_id;
} __attribute__((preserve_access_index));

struct mnt_namespace___id {
	struct ns_common___id ns;
} __attribute__((preserve_access_index));

/*
 * Keeps the read of a member inside its branch. Otherwise the compiler may compute the member's offset before the
 * branch, and the program does not load on a kernel without the member.
 */
#define ONLY_HERE(pointer) asm volatile("" : "+r"(pointer))

/* An id that no other mount namespace ever gets; 0 if the kernel has no such id. */
static __always_inline __u64 id_of_namespace(struct mnt_namespace *ns)
{
	if (bpf_core_field_exists(((struct mnt_namespace___seq *)0)->seq)) {
		ONLY_HERE(ns);
		return BPF_CORE_READ((struct mnt_namespace___seq *)ns, seq);
	}
	if (bpf_core_field_exists(((struct ns_common___id *)0)->ns_id)) {
		ONLY_HERE(ns);
		return BPF_CORE_READ((struct mnt_namespace___id *)ns, ns.ns_id);
	}
	return 0;
}

/* The reference count of a mount namespace: on Linux 5.10, on 5.11 to 6.17, and since 6.18. */
struct mnt_namespace___old_count {
	atomic_t count;
} __attribute__((preserve_access_index));

struct ns_common___count {
	refcount_t count;
} __attribute__((preserve_access_index));

struct mnt_namespace___count {
	struct ns_common___count ns;
} __attribute__((preserve_access_index));

struct ns_common___ref {
	refcount_t __ns_ref;
} __attribute__((preserve_access_index));

struct mnt_namespace___ref {
	struct ns_common___ref ns;
} __attribute__((preserve_access_index));

/*
 * The number of references to a mount namespace. In freed memory the allocator leaves this number and the namespace's
 * id unchanged, but may overwrite other members.
 */
static __always_inline int references_of(struct mnt_namespace *ns)
{
	if (bpf_core_field_exists(((struct ns_common___ref *)0)->__ns_ref)) {
		ONLY_HERE(ns);
		return BPF_CORE_READ((struct mnt_namespace___ref *)ns, ns.__ns_ref.refs.counter);
	}
	if (bpf_core_field_exists(((struct ns_common___count *)0)->count)) {
		ONLY_HERE(ns);
		return BPF_CORE_READ((struct mnt_namespace___count *)ns, ns.count.refs.counter);
	}
	ONLY_HERE(ns);
	return BPF_CORE_READ((struct mnt_namespace___old_count *)ns, count.counter);
}

/* The verifier knows the type of the task's own namespace, so the program reads it directly. */
static __always_inline __u64 id_of_own_namespace(struct mnt_namespace *own)
{
#ifdef VARMOR_OLD
	return id_of_namespace(own);
#else
	if (bpf_core_field_exists(((struct mnt_namespace___seq *)0)->seq)) {
		ONLY_HERE(own);
		return ((struct mnt_namespace___seq *)own)->seq;
	}
	if (bpf_core_field_exists(((struct ns_common___id *)0)->ns_id)) {
		ONLY_HERE(own);
		return ((struct mnt_namespace___id *)own)->ns.ns_id;
	}
	return 0;
#endif
}

static __always_inline __u64 event_of_own_namespace(struct mnt_namespace *own)
{
#ifdef VARMOR_OLD
	return BPF_CORE_READ(own, event);
#else
	return own->event;
#endif
}

/* The kernel's counter of changes of a mount namespace. */
static __always_inline __u64 event_of(struct mnt_namespace *ns)
{
	return BPF_CORE_READ(ns, event);
}

static __always_inline __u32 count_of_mounts(struct mnt_namespace *ns)
{
	if (HAS_LIST) {
		ONLY_HERE(ns);
		return BPF_CORE_READ((struct mnt_namespace___list *)ns, mounts);
	}
	ONLY_HERE(ns);
	return BPF_CORE_READ((struct mnt_namespace___tree *)ns, nr_mounts);
}

static __always_inline void start_mounts(struct mounts_walk *walk)
{
	struct mnt_namespace *ns = walk->ns;

	if (HAS_LIST) {
		ONLY_HERE(ns);
		walk->at = BPF_CORE_READ((struct mnt_namespace___list *)ns, list.next);
	} else {
		ONLY_HERE(ns);
		walk->at = BPF_CORE_READ((struct mnt_namespace___tree *)ns, mounts.rb_node);
	}
	walk->before = NULL;
	walk->seen_before = walk->seen;
	walk->seen = 0;
	walk->is_whole = 0;
	walk->event = event_of(walk->ns);
}

/* A reader of /proc/mounts adds a cursor to the list, which is not a mount (include/linux/mount.h until Linux 6.7). */
#define MNT_CURSOR 0x10000000

/*
 * Moves to the next entry of the list. Returns the mount of the previous entry; NULL if that entry is a cursor or the
 * end.
 */
static __always_inline struct mount *step_in_list(struct mounts_walk *walk)
{
	struct list_head *at = walk->at;
	struct mnt_namespace *ns = walk->ns;
	struct mount *mount;

	ONLY_HERE(at);
	ONLY_HERE(ns);
	mount = (void *)at - bpf_core_field_offset(struct mount___in_list, mnt_list);
	if ((void *)at == (void *)ns + bpf_core_field_offset(struct mnt_namespace___list, list)) {
		walk->at = NULL;
		return NULL;
	}
	walk->at = BPF_CORE_READ(at, next);
	return BPF_CORE_READ(mount, mnt.mnt_flags) & MNT_CURSOR ? NULL : mount;
}

/*
 * Moves along one edge of the tree: to the left child, then to the right child, then up. The walk visits each node at
 * most three times, and returns its mount when it arrives from the parent.
 */
static __always_inline struct mount *step_in_tree(struct mounts_walk *walk)
{
	struct rb_node node = {}, *at = walk->at, *parent;
	void *before = walk->before;

	ONLY_HERE(at);
	bpf_probe_read_kernel(&node, sizeof(node), at);
	parent = (void *)(node.__rb_parent_color & ~3UL);
	walk->before = at;
	if (before == parent) {
		walk->at = node.rb_left ? node.rb_left : node.rb_right ? node.rb_right : parent;
		return (void *)at - bpf_core_field_offset(struct mount___in_tree, mnt_node);
	}
	walk->at = before == node.rb_left && node.rb_right ? node.rb_right : parent;
	return NULL;
}

/*
 * Makes a step along the mounts of a namespace, while other tasks may change them. Returns a mount or NULL. At the end,
 * `at` is NULL. `is_whole` is set if the walk saw as many mounts as the kernel counts, or as many as the previous walk.
 */
static __always_inline struct mount *step_of_mounts(struct mounts_walk *walk)
{
	struct mount *mount = HAS_LIST ? step_in_list(walk) : step_in_tree(walk);

	/* Another task is removing the mount, or has moved it to another namespace. */
	if (mount && BPF_CORE_READ(mount, mnt_ns) != walk->ns) {
		walk->at = NULL;
		mount = NULL;
	}
	walk->seen += mount != NULL;
	if (walk->at)
		return mount;
	if (walk->event == event_of(walk->ns))
		walk->is_whole = walk->seen == count_of_mounts(walk->ns) || walk->seen == walk->seen_before;
	return mount;
}

static __always_inline void note_namespace(struct varmor_container *container, struct mnt_namespace *ns)
{
	container->ns_id = id_of_namespace(ns);
	container->ns = (__u64)ns;
}

/*
 * Returns the mount namespace of the container's first process; NULL if it no longer exists. Another namespace may
 * reuse its inode number and its address, but never its `ns_id`. `own` is the namespace of the current task.
 */
static __always_inline struct mnt_namespace *first_namespace(struct varmor_container *container,
							     struct mnt_namespace *own)
{
	struct mnt_namespace *first = (void *)container->ns;

	/*
	 * The container started before the programs were loaded, so only its namespace's inode number is known: the
	 * agent reads it from /proc.
	 */
	if (!first) {
		if (container->mnt_ns && container->mnt_ns == BPF_CORE_READ(own, ns.inum))
			note_namespace(container, own);
		return own;
	}
	if (first == own)
		return container->ns_id == id_of_own_namespace(own) ? own : NULL;
	return container->ns_id == id_of_namespace(first) && references_of(first) > 0 ? first : NULL;
}

#endif
