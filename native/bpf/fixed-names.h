/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The usual mount points of the kernel's file systems. A container may mount these file systems elsewhere, or mount
 * another proc (in a new pid namespace) or sysfs (in a new network namespace). Rules about the usual path apply to all
 * these mounts.
 */
#ifndef VARMOR_FIXED_NAMES_H
#define VARMOR_FIXED_NAMES_H

#include "path.h"

#define FIXED(magic, name)                                         \
	case magic:                                                \
		__builtin_memcpy(fixed->text, name, sizeof(name)); \
		fixed->length = sizeof(name) - 1;                  \
		return true

/* include/uapi/linux/magic.h, ipc/mqueue.c */
#define MQUEUE_MAGIC 0x19800202

static __always_inline bool fixed_name_of(unsigned long magic, struct fixed_name *fixed)
{
	switch (magic) {
		FIXED(0x9fa0, "/proc");
		FIXED(0x62656572, "/sys");
		FIXED(0x63677270, "/sys/fs/cgroup");
		FIXED(0xcafe4a11, "/sys/fs/bpf");
		FIXED(0x64626720, "/sys/kernel/debug");
		FIXED(0x74726163, "/sys/kernel/tracing");
		FIXED(0x73636673, "/sys/kernel/security");
		FIXED(0x62656570, "/sys/kernel/config");
		FIXED(0x42494e4d, "/proc/sys/fs/binfmt_misc");
		FIXED(0x6e667364, "/proc/fs/nfsd");
		FIXED(MQUEUE_MAGIC, "/dev/mqueue");
		FIXED(0x1cd1, "/dev/pts");
		FIXED(0x958458f6, "/dev/hugepages");
		FIXED(0x65735543, "/sys/fs/fuse/connections");
		FIXED(0x6165676c, "/sys/fs/pstore");
		FIXED(0x07655821, "/sys/fs/resctrl");
		FIXED(0xf97cff8c, "/sys/fs/selinux");
		FIXED(0x43415d53, "/sys/fs/smackfs");
		FIXED(0xde5e81e4, "/sys/firmware/efi/efivars");
	default:
		return false;
	}
}

#define CGROUP1_MAGIC 0x0027e0eb
#define CGROUP_FOLDER "/sys/fs/cgroup/"

/*
 * Returns the index of the only set bit among 16 bits. The top four bits of the product are different for each index.
 * The code has no branches, because the verifier would follow each branch.
 */
static __always_inline __u32 number_of_bit(__u32 bit)
{
	return (0xcd7ea84fb6935210ULL >> (((bit * 0x9af) >> 12 & 15) * 4)) & 15;
}

/* A hierarchy of cgroup version 1 is mounted in a folder that has the name of its first controller, or its own name. */
static __noinline bool name_cgroup1(struct super_block *files, struct fixed_name *fixed)
{
	struct kernfs_node *node;
	struct cgroup *cgroup;
	struct cgroup_root *root;
	const char *name = NULL;
	__u32 controllers, at = sizeof(CGROUP_FOLDER) - 1;
	long length;

	if (!fixed)
		return false;
	node = BPF_CORE_READ(files, s_root, d_inode, i_private);
	cgroup = BPF_CORE_READ(node, priv);
	root = BPF_CORE_READ(cgroup, root);
	controllers = BPF_CORE_READ(root, subsys_mask);
	__builtin_memcpy(fixed->text, CGROUP_FOLDER, sizeof(CGROUP_FOLDER));
	if (!controllers) {
		length = bpf_probe_read_kernel_str(fixed->text + at, FIXED_NAME - at,
						   (void *)root + bpf_core_field_offset(struct cgroup_root, name));
	} else {
		struct cgroup_subsys_state *state = NULL;
		__u32 number = number_of_bit(controllers & -controllers);

		bpf_probe_read_kernel(&state, sizeof(state),
				      (void *)cgroup + bpf_core_field_offset(struct cgroup, subsys) +
					      number * sizeof(state));
		name = BPF_CORE_READ(state, ss, legacy_name);
		length = bpf_probe_read_kernel_str(fixed->text + at, FIXED_NAME - at, name);
	}
	if (length <= 1 || length > (long)(FIXED_NAME - at))
		return false;
	fixed->length = at + length - 1;
	return true;
}

/* Writes the usual path of a file into a text of the scratch, like path_into() for the real path. */
static __always_inline __u32 fixed_path_into(struct varmor_scratch *scratch, enum text text, struct dentry *dentry,
					     struct super_block *files)
{
	struct loop loop = { .scratch = scratch };
	struct walk *walk = &scratch->walk;
	struct fixed_name *fixed = &scratch->fixed;
	unsigned long magic;
	__u32 start;

	magic = BPF_CORE_READ(files, s_magic);
	if (!fixed_name_of(magic, fixed) && !(magic == CGROUP1_MAGIC && name_cgroup1(files, fixed)))
		return 0;
	walk->dentry = dentry;
	walk->mount = NULL;
	/* This walk does not stop at mounts: it ends at the root of the file system. */
	walk->place.root = NULL;
	walk->text = text;
	walk->start = PATH_BYTES;
	walk->end = WALKING;
	open_walk(&loop);
	climb_up(&loop, 2 * PATH_BYTES);
	start = walk->start - fixed->length;
	if (walk->end != NOWHERE || start > PATH_BYTES)
		return LONG_PATH;
	bpf_probe_read_kernel(loop.text + (start & (PATH_BYTES - 1)), fixed->length & (FIXED_NAME - 1), fixed->text);
	return start;
}

#endif
