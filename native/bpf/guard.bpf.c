/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Protects vArmor's programs and maps from confined tasks. With CAP_SYS_ADMIN, a task could otherwise change maps by
 * their ids, replace programs, or remove the pins that keep programs and maps loaded.
 */
#include "path.h"
#include "task.h"

#define BPF_FS_MAGIC 0xcafe4a11
#define OURS "varmor"
/* A pin is at most this deep in a BPF file system. Its topmost folder has a name that begins with "varmor". */
#define PIN_DEPTH 4

static __always_inline bool is_ours(const char *name)
{
	char begin[sizeof(OURS)] = {};

	bpf_probe_read_kernel(begin, sizeof(begin) - 1, name);
	return begins_with(begin, OURS, sizeof(OURS));
}

SEC("lsm/bpf_map")
int BPF_PROG(varmor_bpf_map, struct bpf_map *map, unsigned int mode)
{
	REFUSE_IF(is_confined() && is_ours(map->name));
	return 0;
}

SEC("lsm/bpf_prog")
int BPF_PROG(varmor_bpf_prog, struct bpf_prog *prog)
{
	REFUSE_IF(is_confined() && is_ours(prog->aux->name));
	return 0;
}

static __always_inline bool is_in_bpf_files(struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_sb, s_magic) == BPF_FS_MAGIC;
}

static __always_inline bool is_pin(struct dentry *dentry)
{
	if (!is_in_bpf_files(dentry) || !is_confined())
		return false;
	for (int i = 0; i < PIN_DEPTH; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (parent == BPF_CORE_READ(parent, d_parent)) {
			const char *name = (void *)BPF_CORE_READ(dentry, d_name.name);

			return is_ours(name);
		}
		dentry = parent;
	}
	return false;
}

SEC("lsm/path_unlink")
int BPF_PROG(varmor_guard_unlink, const struct path *folder, struct dentry *dentry)
{
	REFUSE_IF(is_pin(dentry));
	return 0;
}

SEC("lsm/path_rename")
int BPF_PROG(varmor_guard_rename, const struct path *from, struct dentry *old, const struct path *to,
	     struct dentry *made)
{
	REFUSE_IF(is_pin(old) || is_pin(made));
	return 0;
}

/* Unmounting the last mount of a BPF file system would remove its pins. */
SEC("lsm/sb_umount")
int BPF_PROG(varmor_guard_umount, struct vfsmount *mount, int flags)
{
	REFUSE_IF(is_in_bpf_files(mount->mnt_root) && is_confined());
	return 0;
}
