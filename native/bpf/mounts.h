/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The mounts that a file system has, in all mount namespaces. */
#ifndef VARMOR_MOUNTS_H
#define VARMOR_MOUNTS_H

#include "common.h"

/* Linux 6.18 and later: the mounts of a file system are a chain. Before, they are a list. */
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

/* The mount that a place in the list is in; NULL at its end. */
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

#endif
