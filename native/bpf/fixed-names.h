/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Where file systems of the kernel are by custom. A container may mount them elsewhere, and some of them anew (proc in a new pid namespace,
 * sysfs in a new network namespace): rules about the usual place hold for all of them.
 */
#ifndef VARMOR_FIXED_NAMES_H
#define VARMOR_FIXED_NAMES_H

#include "path.h"

#define FIXED(magic, name)                                        \
	case magic:                                               \
		__builtin_memcpy(fixed->text, name, sizeof(name)); \
		fixed->length = sizeof(name) - 1;                 \
		return true

/* include/uapi/linux/magic.h */
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
	default:
		return false;
	}
}

/* Writes the path that a file has by custom into a text of the scratch, as path_into() does. */
static __always_inline __u32 fixed_path_into(struct varmor_scratch *scratch, enum text text, struct dentry *dentry, struct super_block *files)
{
	struct loop loop = { .scratch = scratch };
	struct walk *walk = &scratch->walk;
	struct fixed_name *fixed = &scratch->fixed;
	__u32 start;

	if (!fixed_name_of(BPF_CORE_READ(files, s_magic), fixed))
		return 0;
	walk->dentry = dentry;
	walk->mount = NULL;
	/* No mount ends this walk: it goes to the root of the file system. */
	walk->place.root = NULL;
	walk->text = text;
	walk->start = PATH_BYTES;
	walk->end = WALKING;
	open_walk(&loop);
	climb_up(&loop, 2 * PATH_BYTES);
	start = walk->start - fixed->length;
	if (walk->end != NOWHERE || start > PATH_BYTES)
		return LONG_PATH;
	bpf_probe_read_kernel(loop.text + (start & (PATH_BYTES - 1)), fixed->length & 31, fixed->text);
	return start;
}

#endif
