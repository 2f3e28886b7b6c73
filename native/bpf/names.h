/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Applies file rules to all names of a file. */
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

/*
 * Maximum rounds of a walk along the mounts of a namespace, including restarts. A list takes one round for each mount,
 * a tree up to three. If the walk does not end in time, the file counts as any file (LIMITS.md).
 */
#ifdef VARMOR_OLD
#define MOUNT_ROUNDS 4096
#else
#define MOUNT_ROUNDS (1 << 15)
#endif
#define MAX_RESTARTS 16

static long next_alias(__u32 round, struct loop *loop)
{
	struct varmor_scratch *scratch = loop->scratch;
	struct aliases *aliases = &scratch->aliases;
	struct mounts_walk *walk = &aliases->walk;
	__u32 start, marks;
	struct mount *mount;
	bool is_first;

	if (aliases->is_kept) {
		if (aliases->index >= aliases->mounts.count)
			return 1;
		mount = aliases->mounts.at[aliases->index++ % KEPT_MOUNTS];
		/*
		 * The cached mount may be unmounted: this does not change the namespace's counter if its value is the
		 * newest of all namespaces.
		 */
		if (BPF_CORE_READ(mount, mnt_ns) != walk->ns) {
			aliases->is_kept = 0;
			return 0;
		}
	} else {
		if (!walk->at) {
			if (walk->is_whole || walk->restarts++ >= MAX_RESTARTS)
				return 1;
			aliases->mounts.count = 0;
			aliases->found = 0;
			start_mounts(walk);
			return !walk->at;
		}
		mount = step_of_mounts(walk);
		if (!mount || BPF_CORE_READ(mount, mnt.mnt_sb) != aliases->files)
			return 0;
		note_mount(aliases, mount);
	}
	aliases->found++;
	if (mount == aliases->known)
		return 0;
	start = path_into(scratch, TEXT_EXE, aliases->dentry, mount, walk->ns);
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

LONG_LOOP_BY(4, look_at_aliases, MOUNT_ROUNDS, open_aliases, next_alias)

/*
 * Adds the marks of a file's names in the chosen mount namespace. `aliases.mounts` has the namespace's id and counter.
 * Returns 0, because a global function must return a number.
 */
SHARED __noinline int varmor_add_names(struct varmor_scratch *scratch)
{
	struct loop loop = { .scratch = scratch };
	struct aliases *aliases;

	if (!scratch)
		return 0;
	aliases = &scratch->aliases;
	aliases->walk.at = NULL;
	aliases->walk.seen = ~0U;
	aliases->walk.is_whole = 0;
	aliases->walk.restarts = 0;
	aliases->found = 0;
	find_kept(scratch);
	look_at_aliases(&loop, MOUNT_ROUNDS);
	keep_found(scratch);
	if (!aliases->is_kept && !aliases->walk.is_whole)
		aliases->marks |= aliases->any;
	return 0;
}

/* Chooses the mount namespace for the next walk. */
static __always_inline void choose_namespace(struct aliases *aliases, struct mnt_namespace *ns, __u64 id, __u64 event)
{
	aliases->walk.ns = ns;
	aliases->mounts.mnt_ns = id;
	aliases->mounts.event = event;
}

__hidden __noinline bool varmor_is_mounted_in(struct super_block *files, struct mnt_namespace *ns)
{
	struct varmor_scratch *scratch = take_scratch();
	struct aliases *aliases;
	bool found;

	if (!scratch)
		return false;
	aliases = &scratch->aliases;
	aliases->files = files;
	aliases->dentry = BPF_CORE_READ(files, s_root);
	aliases->known = NULL;
	aliases->automaton.table = 0;
	aliases->start = PATH_BYTES;
	choose_namespace(aliases, ns, id_of_namespace(ns), event_of(ns));
	varmor_add_names(scratch);
	found = aliases->found;
	leave_scratch(scratch);
	return found;
}

static CALLED void add_fixed_name(struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;
	__u32 start = fixed_path_into(scratch, TEXT_EXE, aliases->dentry, aliases->files);

	if (start == LONG_PATH)
		aliases->marks |= aliases->any;
	else if (start && start < PATH_BYTES)
		aliases->marks |= marks_of(scratch, &aliases->automaton, TEXT_EXE, start);
}

/*
 * Stores the marks of the name by which the task reached the file, and in `start` where this path begins (0: no path).
 * Returns true if the file's other names count, too. A new mount or namespace must not hide a name from the rules, so
 * names count in the task's mount namespace and in the first namespace of the container.
 */
static __noinline bool look_where_reached(const struct file_request *request, const struct varmor_profile *profile,
					  struct varmor_scratch *scratch, struct varmor_container *container)
{
	struct mnt_namespace *own = namespace_of(current_task()), *first;
	struct dentry *dentry = (void *)request->dentry;
	struct mount *known = NULL, *other;
	struct aliases *aliases;
	__u32 start = 0;

	if (!profile || !scratch || !container)
		return false;
	first = first_namespace(container, own);
	aliases = &scratch->aliases;
	aliases->marks = 0;
	aliases->lists = profile->lists;
	aliases->any = profile->any;
	if (request->mount) {
		known = mount_of(request->mount);
		start = path_into(scratch, TEXT_PATH, dentry, known, own);
		if (start && start < PATH_BYTES)
			aliases->marks = marks_of(scratch, &profile->files, TEXT_PATH, start);
		else if (start == LONG_PATH)
			aliases->marks = profile->any;
		else if (own != first)
			known = NULL;
	}
	/* mq_open(3) uses a private mount of the kernel for the message queues that are below /dev/mqueue. */
	if (start == NO_PATH && BPF_CORE_READ(dentry, d_sb, s_magic) == MQUEUE_MAGIC) {
		known = NULL;
		start = 0;
	}
	aliases->start = start;
	if (start == NO_PATH) {
		/*
		 * A memory file has no other name. A list of allowed files cannot name it, so to execute it counts as
		 * executing any file.
		 */
		if (aliases->lists && aliases->asked & VARMOR_FILE_EXEC && scratch->walk.dentry == dentry) {
			aliases->start = 0;
			aliases->marks = profile->any;
		}
		return false;
	}
	/*
	 * A runtime mounts the null device over files to hide them from a container. These mount points are not names
	 * of the null device.
	 */
	if (start && is_null_device(dentry, aliases->mode))
		return false;
	aliases->start = start < PATH_BYTES ? start : 0;
	/*
	 * A list of allowed files has the paths that the container uses. Other names do not count: they come from
	 * mounts, which the list would have to allow.
	 */
	if (aliases->lists && start && own == first)
		return false;
	aliases->dentry = dentry;
	aliases->known = known;
	aliases->automaton = profile->files;
	/* The first namespace no longer exists, so its names, to which the rules refer, are unknown. */
	if (!first)
		aliases->marks |= profile->any;
	aliases->files = request->files ? request->files : BPF_CORE_READ(dentry, d_sb);
	other = first_mount(aliases->files);
	/* Usually a file system has only the mount by which the task reached the file. */
	if (other && other == known)
		other = mount_after(known, aliases->files);
	aliases->walk.ns = NULL;
	aliases->first = NULL;
	if (!other)
		return true;
	choose_namespace(aliases, own, id_of_own_namespace(own), event_of_own_namespace(own));
	if (first && first != own) {
		aliases->first = first;
		aliases->first_id = container->ns_id;
	}
	return true;
}

/*
 * Adds the marks of the file's other names. Separate from the function above, so that their variables are not on the
 * stack at the same time.
 */
static __always_inline void look_at_other_names(const struct file_request *request, struct varmor_scratch *scratch)
{
	struct aliases *aliases = &scratch->aliases;

	if (aliases->walk.ns)
		varmor_add_names(scratch);
	if (aliases->first) {
		choose_namespace(aliases, aliases->first, aliases->first_id, event_of(aliases->first));
		varmor_add_names(scratch);
	}
	/*
	 * With a list of allowed files, usual paths do not count. Computed without a branch, because the stack has no
	 * room for one.
	 */
	aliases->automaton.table &= aliases->lists - 1;
	add_fixed_name(scratch);
	if (aliases->start || aliases->marks)
		return;
	/*
	 * The kernel calls hooks without a mount also for the lower files of overlayfs, after the hook for the file
	 * that the task sees. Pipes and sockets often come from outside of the container and have no file content.
	 */
	if (!request->mount || aliases->mode == S_IFIFO || aliases->mode == S_IFSOCK)
		aliases->start = NO_PATH;
	else
		aliases->marks = aliases->any;
}

#endif
