/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Checks changes of a file's attributes: times, extended attributes, access control lists and flags. Most of these
 * hooks do not receive a mount.
 */
#include "file.h"

struct mnt_idmap___now {};

/*
 * Linux 5.12 to 6.1: a mount has a user namespace, which hooks receive before the dentry. Newer kernels pass an idmap
 * instead.
 */
struct vfsmount___mapped {
	void *mnt_userns;
} __attribute__((preserve_access_index));

/* Assembly, because the compiler would merge the two loads, and the verifier wants each load at a constant offset. */
#define ARGUMENT(into, ctx, number) asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(into) : "r"(ctx), "i"(8 * (number)))

static __always_inline int may_set_attributes(__u64 *ctx)
{
	struct dentry *dentry;

	if (bpf_core_type_exists(struct mnt_idmap___now) ||
	    bpf_core_field_exists(((struct vfsmount___mapped *)0)->mnt_userns))
		ARGUMENT(dentry, ctx, 1);
	else
		ARGUMENT(dentry, ctx, 0);
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

SEC("lsm/inode_setxattr")
int varmor_inode_setxattr(__u64 *ctx)
{
	return may_set_attributes(ctx);
}

SEC("lsm/inode_removexattr")
int varmor_inode_removexattr(__u64 *ctx)
{
	return may_set_attributes(ctx);
}

/* Linux 6.2 and later. A change of the access control list also changes the file mode. */
SEC("lsm/inode_set_acl")
int BPF_PROG(varmor_inode_set_acl, void *idmap, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(varmor_inode_remove_acl, void *idmap, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

/* Letter and number of an ioctl command; these are the same for 32-bit programs. */
#define COMMAND(letter, number) ((letter) << 8 | (number))

/*
 * Commands that change the file on which the task calls them, even if the file is open only for reading or appending.
 */
static __always_inline bool changes_file(__u32 command)
{
	switch (command) {
	case COMMAND('f', 2): /* FS_IOC_SETFLAGS */
	case COMMAND('f', 4): /* EXT4_IOC_SETVERSION_OLD */
	case COMMAND('f', 9): /* EXT4_IOC_MIGRATE */
	case COMMAND('f', 17): /* EXT4_IOC_SWAP_BOOT */
	case COMMAND('f', 19): /* FS_IOC_SET_ENCRYPTION_POLICY */
	case COMMAND('f', 133): /* FS_IOC_ENABLE_VERITY */
	case COMMAND('r', 0x11): /* FAT_IOCTL_SET_ATTRIBUTES */
	case COMMAND('v', 2): /* FS_IOC_SETVERSION */
	case COMMAND('X', 10): /* XFS_IOC_ALLOCSP */
	case COMMAND('X', 11): /* XFS_IOC_FREESP */
	case COMMAND('X', 32): /* FS_IOC_FSSETXATTR */
	case COMMAND('X', 36): /* XFS_IOC_ALLOCSP64 */
	case COMMAND('X', 37): /* XFS_IOC_FREESP64 */
	case COMMAND('X', 40): /* FS_IOC_RESVSP */
	case COMMAND('X', 41): /* FS_IOC_UNRESVSP */
	case COMMAND('X', 42): /* FS_IOC_RESVSP64 */
	case COMMAND('X', 43): /* FS_IOC_UNRESVSP64 */
	case COMMAND('X', 57): /* FS_IOC_ZERO_RANGE */
	case COMMAND(0x94, 26): /* BTRFS_IOC_SUBVOL_SETFLAGS */
	case COMMAND(0xbc, 64): /* BCHFS_IOC_REINHERIT_ATTRS */
	case COMMAND(0xf5, 20): /* F2FS_IOC_SEC_TRIM_FILE */
		return true;
	default:
		return false;
	}
}

#define BTRFS_START_SYNC 0x80089418 /* has the number of BTRFS_IOC_SUBVOL_CREATE_V2 */

/*
 * Commands that copy, create, remove or read other files. The task names these files by a descriptor, a handle or a
 * text, and the hook does not receive that name.
 */
static __always_inline bool reaches_any_file(__u32 command)
{
	switch (command) {
	case COMMAND('f', 15): /* EXT4_IOC_MOVE_EXT */
	case COMMAND('o', 4): /* OCFS2_IOC_REFLINK */
	case COMMAND('X', 108): /* XFS_IOC_READLINK_BY_HANDLE */
	case COMMAND('X', 109): /* XFS_IOC_SWAPEXT */
	case COMMAND('X', 121): /* XFS_IOC_FSSETDM_BY_HANDLE */
	case COMMAND('X', 123): /* XFS_IOC_ATTRMULTI_BY_HANDLE */
	case COMMAND('X', 129): /* XFS_IOC_EXCHANGE_RANGE */
	case COMMAND(0x94, 1): /* BTRFS_IOC_SNAP_CREATE */
	case COMMAND(0x94, 14): /* BTRFS_IOC_SUBVOL_CREATE */
	case COMMAND(0x94, 15): /* BTRFS_IOC_SNAP_DESTROY */
	case COMMAND(0x94, 17): /* BTRFS_IOC_TREE_SEARCH can also read the content of small files */
	case COMMAND(0x94, 19): /* BTRFS_IOC_DEFAULT_SUBVOL */
	case COMMAND(0x94, 23): /* BTRFS_IOC_SNAP_CREATE_V2 */
	case COMMAND(0x94, 24): /* BTRFS_IOC_SUBVOL_CREATE_V2 */
	case COMMAND(0x94, 37): /* BTRFS_IOC_SET_RECEIVED_SUBVOL */
	case COMMAND(0x94, 38): /* BTRFS_IOC_SEND */
	case COMMAND(0x94, 63): /* BTRFS_IOC_SNAP_DESTROY_V2 */
	case COMMAND(0xbc, 16): /* BCH_IOCTL_SUBVOLUME_CREATE */
	case COMMAND(0xbc, 17): /* BCH_IOCTL_SUBVOLUME_DESTROY */
	case COMMAND(0xf5, 9): /* F2FS_IOC_MOVE_RANGE */
		return true;
	default:
		return false;
	}
}

static __always_inline int may_command(struct file *file, __u32 command)
{
	if (changes_file(command & 0xffff))
		return may(file->f_path.dentry, file->f_path.mnt, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
	if (reaches_any_file(command & 0xffff) && command != BTRFS_START_SYNC)
		return may(NULL, NULL, VARMOR_FILE_READ | VARMOR_FILE_WRITE | VARMOR_FILE_EXEC | VARMOR_FILE_CARRY,
			   MAY_READ_IT | MAY_WRITE_IT);
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(varmor_file_ioctl, struct file *file, unsigned int command)
{
	return may_command(file, command);
}

/* For 32-bit programs since Linux 6.8. Older kernels call the hook file_ioctl for them, too. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(varmor_file_ioctl_compat, struct file *file, unsigned int command)
{
	return may_command(file, command);
}

/* Linux 6.17 and later: for file_setattr(2) and the ioctl commands that change flags. */
SEC("lsm/inode_file_setattr")
int BPF_PROG(varmor_inode_file_setattr, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

#define ATTR_MODE 0x1
#define ATTR_UID 0x2
#define ATTR_GID 0x4
#define ATTR_SIZE 0x8
#define ATTR_TIMES 0x1b0 /* access time, modification time, and both with given values */

/* Since Linux 6.2 the first argument is an idmap. */
SEC("lsm/inode_setattr")
int varmor_inode_setattr(__u64 *ctx)
{
	struct dentry *dentry;
	struct iattr *attributes;
	unsigned int valid;

	if (bpf_core_type_exists(struct mnt_idmap___now)) {
		ARGUMENT(dentry, ctx, 1);
		ARGUMENT(attributes, ctx, 2);
	} else {
		ARGUMENT(dentry, ctx, 0);
		ARGUMENT(attributes, ctx, 1);
	}
	valid = BPF_CORE_READ(attributes, ia_valid);
#ifdef VARMOR_OLD
	/*
	 * These kernels cannot attach a program to path_chown, because its arguments are structs. So this hook checks
	 * changes of the owner.
	 */
	if (valid & (ATTR_UID | ATTR_GID))
		return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_CHOWN);
#endif
	/* Changes of mode, owner and size have hooks of their own. */
	if (!(valid & ATTR_TIMES) || valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE))
		return 0;
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}
