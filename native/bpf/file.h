/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Checks file accesses for the hooks. */
#ifndef VARMOR_FILE_H
#define VARMOR_FILE_H

#include "task.h"

/* security/apparmor/include/perms.h */
enum permission {
	MAY_EXECUTE = 0x1,
	MAY_WRITE_IT = 0x2,
	MAY_READ_IT = 0x4,
	MAY_APPEND_IT = 0x8,
	MAY_CREATE = 0x10,
	MAY_DELETE = 0x20,
	MAY_RENAME = 0x80,
	MAY_SET_ATTRIBUTES = 0x100,
	MAY_CHMOD = 0x1000,
	MAY_CHOWN = 0x2000,
	MAY_LINK = 0x40000,
};

/* With this bit, VARMOR_FILE_WAY applies even if the file is not a directory. */
#define ASKED_OF_NEW_WAY (1U << 15)

/* Accesses to check for a file that gets another name, or that a mount covers. */
#define CARRIED (VARMOR_FILE_CARRY | VARMOR_FILE_WAY)

struct file_request {
	const struct dentry *dentry; /* NULL: any file, because the hook does not receive the file */
	const struct vfsmount *mount; /* NULL: the hook does not receive a mount */
	__u16 asked; /* VARMOR_FILE_ */
	__u16 container; /* of the task */
	__u32 permissions : 28; /* for the record */
	__u32 type : 4; /* type of the file, as in S_IFMT; 0: not read yet */
	struct super_block *files; /* file system of the file; NULL: not read yet */
};
_Static_assert(VARMOR_MAX_CONTAINERS <= 1 << 16, "the number of a container in a request");

/*
 * Whether the profile refuses the access. VARMOR_FILE_WAY applies only to directories, except with ASKED_OF_NEW_WAY.
 * The function is not static, so the verifier checks it once for each program.
 */
VERIFIED_ONCE int varmor_refuses(const struct file_request *given);

/* Whether the file system is mounted in the mount namespace. Defined in file.bpf.c. */
bool varmor_is_mounted_in(struct super_block *files, struct mnt_namespace *ns) __hidden;

/* Returns what a hook returns: 0, or -EPERM if the profile of the current task refuses the access. */
static __always_inline int may(const struct dentry *dentry, const struct vfsmount *mount, __u32 asked,
			       __u32 permissions)
{
	__u32 container = container_of_task(current_task());

	if (container) {
		struct file_request request = {
			.dentry = dentry,
			.mount = mount,
			.asked = asked,
			.container = container,
			.permissions = permissions,
		};

		REFUSE_IF(varmor_refuses(&request));
	}
	return 0;
}

#endif
