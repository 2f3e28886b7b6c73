/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What rules about files say of all names that a file has. */
#ifndef VARMOR_NAMES_H
#define VARMOR_NAMES_H

#include "file.h"
#include "fixed-names.h"
#include "match.h"
#include "path.h"

static __always_inline __u32 mode_of(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode ? BPF_CORE_READ(inode, i_mode) & S_IFMT : 0;
}

#define NULL_DEVICE (1 << 20 | 3)

static __always_inline bool is_null_device(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFCHR && BPF_CORE_READ(inode, i_rdev) == NULL_DEVICE;
}

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

/* The other names that a file has in mount namespaces: one for each mount of its file system there. */
struct aliases {
	struct dentry *dentry;
	struct mount *known; /* the mount that has been looked at */
	struct mount *at;
	struct super_block *files;
	const struct varmor_profile *profile;
	struct varmor_scratch *scratch;
	__u32 mnt_ns; /* of the container's first process */
	__u32 own_ns; /* of the task */
	__u32 losses;
	bool is_mounted; /* in the namespace of the first process */
	__u32 asked; /* with the bits for reports */
	__u32 marks;
	__u32 start; /* of the first path, or of the first one that the rules mean */
};

/* The most mounts of one file system, those of all mount namespaces. */
#define MOST_MOUNTS (1 << 17)
#define MOST_LOSSES 64

static long next_alias(__u32 round, struct aliases *aliases)
{
	struct mount *mount = aliases->at;
	struct varmor_scratch *scratch = aliases->scratch;
	struct mnt_namespace *found;
	__u32 start, marks, mnt_ns;

	if (!mount)
		return 1;
	/* Who stands on a mount that goes at that moment has lost the way. */
	if (BPF_CORE_READ(mount, mnt.mnt_sb) != aliases->files) {
		if (aliases->losses++ >= MOST_LOSSES)
			return 1;
		aliases->at = first_mount(aliases->files);
		return 0;
	}
	aliases->at = mount_after(mount, aliases->files);
	found = BPF_CORE_READ(mount, mnt_ns);
	mnt_ns = BPF_CORE_READ(found, ns.inum);
	if (mnt_ns == aliases->mnt_ns)
		aliases->is_mounted = true;
	if (mount == aliases->known || (mnt_ns != aliases->mnt_ns && mnt_ns != aliases->own_ns))
		return 0;
	start = path_into(scratch->exe, aliases->dentry, mount, mnt_ns);
	if (start == LONG_PATH)
		aliases->marks |= aliases->profile->any;
	if (start == 0 || start >= PATH_BYTES)
		return 0;
	marks = marks_of(&aliases->profile->files, scratch->exe, start);
	aliases->marks |= marks;
	if (aliases->start == 0 || marks & aliases->asked) {
		aliases->start = start;
		bpf_probe_read_kernel(scratch->path + start, PATH_BYTES - start, scratch->exe + start);
	}
	return 0;
}

struct mount_search {
	struct mount *at;
	struct super_block *files;
	__u32 mnt_ns;
	bool found;
};

static long look_at_mount(__u32 round, struct mount_search *search)
{
	struct mount *mount = search->at;
	struct mnt_namespace *in;

	if (!mount)
		return 1;
	search->at = mount_after(mount, search->files);
	in = BPF_CORE_READ(mount, mnt_ns);
	search->found = BPF_CORE_READ(in, ns.inum) == search->mnt_ns;
	return search->found;
}

__hidden __noinline bool varmor_is_mounted_in(struct super_block *files, __u32 mnt_ns)
{
	struct mount_search search = { .files = files, .mnt_ns = mnt_ns };

	if (!files)
		return false;
	search.at = first_mount(files);
	bpf_loop(MOST_MOUNTS, look_at_mount, &search, 0);
	return search.found;
}

static __always_inline void add_fixed_name(struct aliases *aliases)
{
	__u32 start = fixed_path_into(aliases->scratch->exe, aliases->dentry);

	if (start == LONG_PATH)
		aliases->marks |= aliases->profile->any;
	else if (start && start < PATH_BYTES)
		aliases->marks |= marks_of(&aliases->profile->files, aliases->scratch->exe, start);
}

/*
 * The marks of all names that a file has: where it was reached, and in the mount namespace of the container's first process. No mount,
 * and no new namespace, gives it a name that hides those. Puts the start of a path into `found`; 0 where there is none.
 */
static __noinline __u32 marks_of_file(const struct file_request *request, const struct varmor_profile *profile, struct varmor_scratch *scratch, __u32 mnt_ns, __u32 *found)
{
	struct dentry *dentry = (void *)request->dentry;
	__u32 own_ns = mnt_ns_of(bpf_get_current_task_btf()), start = 0, mode;
	struct aliases aliases = {};

	if (!profile || !scratch || !found)
		return 0;
	if (request->mount) {
		aliases.known = mount_of(request->mount);
		start = path_into(scratch->path, dentry, aliases.known, own_ns);
		if (start && start < PATH_BYTES)
			aliases.marks = marks_of(&profile->files, scratch->path, start);
		else if (start == LONG_PATH)
			aliases.marks = profile->any;
		else if (own_ns != mnt_ns)
			aliases.known = NULL;
	}
	if (start == NO_PATH) {
		*found = NO_PATH;
		return 0;
	}
	/* Runtimes mount it over files that a container must not see: it is no other name of these. */
	if (start && is_null_device(dentry)) {
		*found = start;
		return aliases.marks;
	}
	aliases.dentry = dentry;
	aliases.profile = profile;
	aliases.scratch = scratch;
	aliases.mnt_ns = mnt_ns;
	aliases.own_ns = own_ns;
	aliases.losses = varmor_unknown_zero;
	aliases.asked = request->asked | request->asked << VARMOR_FILE_AUDIT;
	aliases.start = (start < PATH_BYTES ? start : 0) + varmor_unknown_zero;
	aliases.files = BPF_CORE_READ(dentry, d_sb);
	aliases.at = first_mount(aliases.files);
	bpf_loop(MOST_MOUNTS, next_alias, &aliases, 0);
	if (!aliases.is_mounted)
		add_fixed_name(&aliases);
	*found = aliases.start;
	/* What has not been looked at may be its name. */
	if (aliases.at)
		aliases.marks |= profile->any;
	if (aliases.start || aliases.marks)
		return aliases.marks;
	mode = mode_of(dentry);
	/*
	 * Hooks without a mount are called for what lies below overlayfs, too, after the file that the task sees. Pipes and sockets come
	 * from elsewhere often, and hold nothing.
	 */
	if (!request->mount || mode == S_IFIFO || mode == S_IFSOCK) {
		*found = NO_PATH;
		return 0;
	}
	return profile->any;
}

#endif
