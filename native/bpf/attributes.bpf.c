/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What stands beside the content of a file: times, extended attributes, access control lists, flags. Most of it has no hook with a mount. */
#include "file.h"

struct mnt_idmap___now {
};

/* Linux 5.12 to 6.1: a mount has a user namespace, and hooks are given it in front of the file. Then it has an idmap. */
struct vfsmount___mapped {
	void *mnt_userns;
} __attribute__((preserve_access_index));

/* The compiler would make one load of two: the verifier wants each at a constant place. */
#define ARGUMENT(into, ctx, number) asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(into) : "r"(ctx), "i"(8 * (number)))

static __always_inline int may_set_attributes(__u64 *ctx)
{
	struct dentry *dentry;

	if (bpf_core_type_exists(struct mnt_idmap___now) || bpf_core_field_exists(((struct vfsmount___mapped *)0)->mnt_userns))
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

/* From Linux 6.2 on. An access control list holds the mode. */
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

/* Flags of a file (chattr), its project, and what may be made of it for good: the calls take a file that is open for reading. */
static __always_inline bool changes_attributes(unsigned int command)
{
	switch (command) {
	case 0x40086602: /* FS_IOC_SETFLAGS */
	case 0x40046602: /* FS_IOC32_SETFLAGS */
	case 0x401c5820: /* FS_IOC_FSSETXATTR */
	case 0x40087602: /* FS_IOC_SETVERSION */
	case 0x800c6613: /* FS_IOC_SET_ENCRYPTION_POLICY */
	case 0x40806685: /* FS_IOC_ENABLE_VERITY */
		return true;
	default:
		return false;
	}
}

SEC("lsm/file_ioctl")
int BPF_PROG(varmor_file_ioctl, struct file *file, unsigned int command)
{
	return changes_attributes(command) ? may(file->f_path.dentry, file->f_path.mnt, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES) : 0;
}

/* Linux 6.8 and later; before, both calls came by the other hook. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(varmor_file_ioctl_compat, struct file *file, unsigned int command)
{
	return changes_attributes(command) ? may(file->f_path.dentry, file->f_path.mnt, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES) : 0;
}

/* Linux 6.17 and later, for file_setattr(2) and those calls. */
SEC("lsm/inode_file_setattr")
int BPF_PROG(varmor_inode_file_setattr, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

#define ATTR_MODE 0x1
#define ATTR_UID 0x2
#define ATTR_GID 0x4
#define ATTR_SIZE 0x8
#define ATTR_TIMES 0x1b0 /* ATIME, MTIME, and both as given */

/* An idmap came in front of the arguments with Linux 6.2. */
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
	/* No program can be called by the hook for owners, whose arguments are structs. */
	if (valid & (ATTR_UID | ATTR_GID))
		return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_CHOWN);
#endif
	/* The others have hooks of their own. */
	if (!(valid & ATTR_TIMES) || valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE))
		return 0;
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}
