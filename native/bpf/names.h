/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What rules about files say of all names that a file has. */
#ifndef VARMOR_NAMES_H
#define VARMOR_NAMES_H

#include "file.h"
#include "fixed-names.h"
#include "kept-mounts.h"
#include "match.h"
#include "mounts.h"
#include "path.h"

static __always_inline __u32 mode_of(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode ? BPF_CORE_READ(inode, i_mode) & S_IFMT : 0;
}

#define NULL_DEVICE (1 << 20 | 3)

static __always_inline bool is_null_device(struct dentry *dentry, __u32 mode)
{
	return mode == S_IFCHR && BPF_CORE_READ(dentry, d_inode, i_rdev) == NULL_DEVICE;
}

/* The most mounts of one file system, those of all mount namespaces, and how often a walk may lose its way. */
#ifdef VARMOR_OLD
#define MOST_MOUNTS 4096
#else
#define MOST_MOUNTS (1 << 17)
#endif
#define MOST_LOSSES 64

static long next_alias(__u32 round, struct loop *loop)
{
	struct varmor_scratch *scratch = loop->scratch;
	struct aliases *aliases = &scratch->aliases;
	struct mount *mount = aliases->at;
	__u32 start, marks, mnt_ns = aliases->own_ns;
	struct mnt_namespace *found;
	bool is_first;

	if (aliases->is_kept) {
		if (aliases->index >= aliases->mounts.count)
			return 1;
		mount = aliases->mounts.at[aliases->index++ % KEPT_MOUNTS];
		goto look;
	}
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
	if (found != aliases->ns) {
		if (aliases->own_ns == aliases->mnt_ns)
			return 0;
		mnt_ns = BPF_CORE_READ(found, ns.inum);
		if (mnt_ns != aliases->mnt_ns)
			return 0;
	}
	note_mount(aliases, mount);
look:
	if (mount == aliases->known)
		return 0;
	start = path_into(scratch, TEXT_EXE, aliases->dentry, mount, mnt_ns, mnt_ns == aliases->own_ns ? aliases->ns : NULL);
	if (start == LONG_PATH)
		aliases->marks |= aliases->any;
	if (start == 0 || start >= PATH_BYTES)
		return 0;
	marks = marks_of(scratch, &aliases->automaton, TEXT_EXE, start);
	is_first = marks & aliases->asked && !(aliases->marks & aliases->asked);
	aliases->marks |= marks;
	if (aliases->start == 0 || is_first) {
		aliases->start = start;
		bpf_probe_read_kernel(scratch->path + start, PATH_BYTES - start, scratch->exe + start);
	}
	return 0;
}

static __always_inline bool open_aliases(struct loop *loop)
{
	return true;
}

LONG_LOOP(look_at_aliases, MOST_MOUNTS, open_aliases, next_alias)

static long next_mount(__u32 round, struct loop *loop)
{
	struct aliases *aliases = &loop->scratch->aliases;
	struct mount *mount = aliases->at;
	struct mnt_namespace *in;

	if (!mount)
		return 1;
	aliases->at = mount_after(mount, aliases->files);
	in = BPF_CORE_READ(mount, mnt_ns);
	if (BPF_CORE_READ(in, ns.inum) != aliases->mnt_ns)
		return 0;
	aliases->is_mounted = 1;
	return 1;
}

LONG_LOOP(look_at_mounts, MOST_MOUNTS, open_aliases, next_mount)

__hidden __noinline bool varmor_is_mounted_in(struct super_block *files, __u32 mnt_ns)
{
	struct loop loop = { .scratch = take_scratch() };
	bool found;

	if (!loop.scratch)
		return false;
	loop.scratch->aliases.files = files;
	loop.scratch->aliases.mnt_ns = mnt_ns;
	loop.scratch->aliases.is_mounted = 0;
	loop.scratch->aliases.at = first_mount(files);
	look_at_mounts(&loop, MOST_MOUNTS);
	found = loop.scratch->aliases.is_mounted;
	leave_scratch(loop.scratch);
	return found;
}

static __always_inline void add_fixed_name(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	__u32 start = fixed_path_into(scratch, TEXT_EXE, aliases->dentry, aliases->files);

	if (start == LONG_PATH)
		aliases->marks |= aliases->any;
	else if (start && start < PATH_BYTES)
		aliases->marks |= marks_of(scratch, &aliases->automaton, TEXT_EXE, start);
}

/*
 * The marks of all names that a file has: where it was reached, in the mount namespace of the task, and in that of the container's first
 * process. No mount, and no new namespace, gives it a name that hides those. Puts the start of a path into `found`; 0 where there is none.
 */
static __noinline __u32 marks_of_file(const struct file_request *request, const struct varmor_profile *profile, struct varmor_scratch *scratch, __u32 mnt_ns, __u32 *found)
{
	struct dentry *dentry = (void *)request->dentry;
	__u32 own_ns = mnt_ns_of(current_task()), start = 0;
	struct loop loop = { .scratch = scratch };
	struct mount *known = NULL;
	struct aliases *aliases;

	if (!profile || !scratch || !found)
		return 0;
	aliases = &scratch->aliases;
	aliases->marks = 0;
	aliases->lists = profile->lists;
	aliases->ns = namespace_of(current_task());
	if (request->mount) {
		known = mount_of(request->mount);
		start = path_into(scratch, TEXT_PATH, dentry, known, own_ns, aliases->ns);
		if (start && start < PATH_BYTES)
			aliases->marks = marks_of(scratch, &profile->files, TEXT_PATH, start);
		else if (start == LONG_PATH)
			aliases->marks = profile->any;
		else if (own_ns != mnt_ns)
			known = NULL;
	}
	if (start == NO_PATH) {
		/* From a memory file no way leads on. No list of what is allowed names one, and none is to run. */
		if (aliases->lists && aliases->asked & VARMOR_FILE_EXEC && scratch->walk.dentry == dentry) {
			*found = 0;
			return profile->any;
		}
		*found = NO_PATH;
		return 0;
	}
	/* What is listed is what it is called there: other names come by mounts, which would have to be listed, too. */
	if (aliases->lists && start && own_ns == mnt_ns) {
		*found = start < PATH_BYTES ? start : 0;
		return aliases->marks;
	}
	/* Runtimes mount it over files that a container must not see: it is no other name of these. */
	if (start && is_null_device(dentry, aliases->mode)) {
		*found = start;
		return aliases->marks;
	}
	aliases->dentry = dentry;
	aliases->known = known;
	aliases->automaton = profile->files;
	aliases->mnt_ns = mnt_ns;
	aliases->own_ns = own_ns;
	aliases->any = profile->any;
	aliases->losses = 0;
	aliases->start = start < PATH_BYTES ? start : 0;
	aliases->files = request->files ? request->files : BPF_CORE_READ(dentry, d_sb);
	aliases->at = first_mount(aliases->files);
	/* Nearly always a file system has one mount, by which the file was reached. */
	if (aliases->at && aliases->at == known)
		aliases->at = mount_after(known, aliases->files);
	if (aliases->at) {
		find_kept(scratch);
		aliases->at = aliases->is_kept ? NULL : first_mount(aliases->files);
		look_at_aliases(&loop, MOST_MOUNTS);
		keep_found(scratch);
	}
	/* Where names are listed, these are none. It is no branch, as the stack has no room for one. */
	aliases->automaton.table &= aliases->lists - 1;
	add_fixed_name(scratch);
	/* What has not been looked at may be its name. */
	if (aliases->at)
		aliases->marks |= aliases->any;
	start = aliases->start;
	*found = start;
	if (start || aliases->marks)
		return aliases->marks;
	/*
	 * Hooks without a mount are called for what lies below overlayfs, too, after the file that the task sees. Pipes and sockets come
	 * from elsewhere often, and hold nothing.
	 */
	if (!request->mount || aliases->mode == S_IFIFO || aliases->mode == S_IFSOCK) {
		*found = NO_PATH;
		return 0;
	}
	return profile->any;
}

#endif
