/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Builds the path of a file in its mount namespace from dentries and mounts. It never uses the path that the task gave.
 */
#ifndef VARMOR_PATH_H
#define VARMOR_PATH_H

#include "compat.h"

enum walk_end { WALKING, AT_ROOT, TOO_LONG, NOWHERE };

/* The cost of a read hardly depends on its length, so adjacent members are read together. */
static __always_inline void read_name(struct name_in_folder *into, struct dentry *dentry)
{
	__u32 at = bpf_core_field_offset(struct dentry, d_parent);

	if (bpf_core_field_offset(struct dentry, d_name) == at + sizeof(into->parent)) {
		bpf_probe_read_kernel(into, sizeof(*into), (void *)dentry + at);
	} else {
		bpf_core_read(&into->parent, sizeof(into->parent), &dentry->d_parent);
		bpf_core_read(&into->name, sizeof(into->name), &dentry->d_name);
	}
}

static __always_inline void read_place(struct place_of_mount *into, struct mount *mount)
{
	__u32 at = bpf_core_field_offset(struct mount, mnt_parent);

	if (bpf_core_field_offset(struct mount, mnt_mountpoint) == at + sizeof(into->parent) &&
	    bpf_core_field_offset(struct mount, mnt.mnt_root) == at + sizeof(into->parent) + sizeof(into->mountpoint)) {
		bpf_probe_read_kernel(into, sizeof(*into), (void *)mount + at);
	} else {
		bpf_core_read(&into->parent, sizeof(into->parent), &mount->mnt_parent);
		bpf_core_read(&into->mountpoint, sizeof(into->mountpoint), &mount->mnt_mountpoint);
		bpf_core_read(&into->root, sizeof(into->root), &mount->mnt.mnt_root);
	}
}

/* One step towards the root: from the root of a mount to its mount point, or to the parent folder. */
static long climb(__u32 round, struct loop *loop)
{
	struct walk *walk = &loop->scratch->walk;
	struct dentry *dentry = walk->dentry;
	struct name_in_folder *step = &walk->step;
	struct mount *below;
	__u32 length, start;

	if (dentry == walk->place.root) {
		below = walk->place.parent;
		if (below == walk->mount) {
			walk->end = AT_ROOT;
			return 1;
		}
		walk->dentry = walk->place.mountpoint;
		walk->mount = below;
		read_place(&walk->place, below);
		return 0;
	}
	read_name(step, dentry);
	if (step->parent == dentry) {
		walk->end = NOWHERE;
		return 1;
	}
	/* Some file systems allow names of more than 255 bytes: vfat, exfat, ntfs3, FUSE. */
	length = step->name.len;
	start = walk->start - length - 1;
	if (length >= PATH_BYTES || start > PATH_BYTES) {
		walk->end = TOO_LONG;
		return 1;
	}
	length &= PATH_BYTES - 1;
	walk->start = start;
	loop->text[start & (PATH_BYTES - 1)] = '/';
	start = (start + 1) & (PATH_BYTES - 1);
	if (bpf_probe_read_kernel(loop->text + start, length, step->name.name)) {
		walk->end = NOWHERE;
		return 1;
	}
	walk->dentry = step->parent;
	return 0;
}

static __always_inline bool open_walk(struct loop *loop)
{
	loop->text = text_of(loop->scratch, loop->scratch->walk.text);
	return true;
}

LONG_LOOP(climb_up, 2 * PATH_BYTES, open_walk, climb)

/*
 * The file is on a private mount of the kernel, which has no path: a pipe, a memory file, or a lower file that
 * overlayfs opens after the check of its own file.
 */
#define NO_PATH (~0U)
/* The path is longer than any path that a rule can name in full. */
#define LONG_PATH (~1U)
#define MNT_NS_INTERNAL ((void *)-22L)

/*
 * Writes the path into a text of the scratch, ending at PATH_BYTES, and returns its start. NO_PATH: the file is on a
 * private mount of the kernel. LONG_PATH: the path is too long. 0: the file is not below the root of namespace `ns` (a
 * detached mount, a descriptor from elsewhere).
 */
static __always_inline __u32 path_into(struct varmor_scratch *scratch, enum text text, struct dentry *dentry,
				       struct mount *mount, struct mnt_namespace *ns)
{
	struct loop loop = { .scratch = scratch };
	struct walk *walk = &scratch->walk;
	struct mnt_namespace *found;
	__u32 start;

	walk->dentry = dentry;
	walk->mount = mount;
	read_place(&walk->place, mount);
	walk->text = text;
	walk->start = PATH_BYTES;
	walk->end = WALKING;
	open_walk(&loop);
	climb_up(&loop, 2 * PATH_BYTES);
	mount = walk->mount;
	found = BPF_CORE_READ(mount, mnt_ns);
	/*
	 * A private mount of the kernel cannot have mounts below it, so a walk that ends on a private mount also
	 * started there.
	 */
	if (found == MNT_NS_INTERNAL)
		return NO_PATH;
	if (walk->end == TOO_LONG || walk->end == WALKING)
		return LONG_PATH;
	if (walk->end != AT_ROOT || !found || found != ns)
		return 0;
	start = walk->start;
	if (start == PATH_BYTES) {
		start--;
		loop.text[PATH_BYTES - 1] = '/';
	}
	return start;
}

static __always_inline struct mount *mount_of(const struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline struct mnt_namespace *namespace_of(struct task_struct *task)
{
#ifdef VARMOR_OLD
	return BPF_CORE_READ(task, nsproxy, mnt_ns);
#else
	return task->nsproxy->mnt_ns;
#endif
}

static __always_inline __u32 mnt_ns_of(struct task_struct *task)
{
#ifdef VARMOR_OLD
	return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
#else
	/* The verifier knows the type of a task, so the program follows its pointers directly. */
	return task->nsproxy->mnt_ns->ns.inum;
#endif
}

#endif
