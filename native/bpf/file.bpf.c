/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Checks access to files by path: opening, executing, mapping, and each way to change which file a path names. */
#include "file.h"
#include "names.h"
#include "report.h"
#include "task.h"

VERIFIED_ONCE __noinline int varmor_refuses(const struct file_request *given)
{
	struct varmor_container *container;
	struct varmor_profile *profile;
	__u32 asked;
	struct body body = {};
	struct varmor_scratch *scratch;
	__u32 marks, mode, start = 0, kind;
	bool refused;

	if (!given)
		return 0;
	container = container_numbered(given->container);
	profile = profile_of(container);
	if (!profile || !container)
		return 0;
	asked = given->asked;
	mode = given->type ? given->type << S_IFMT_SHIFT : mode_of((void *)given->dentry);
	if (mode != S_IFDIR && !(asked & ASKED_OF_NEW_WAY))
		asked &= ~VARMOR_FILE_WAY;
	asked &= ~ASKED_OF_NEW_WAY;
	marks = mode == S_IFBLK ? profile->block_devices : 0;
	if (!profile->files.table && !profile->mode && !marks)
		return 0;
	scratch = take_scratch();
	if (!scratch)
		return !profile->mode;
	scratch->aliases.mode = mode;
	scratch->aliases.asked = asked | asked << VARMOR_FILE_AUDIT;
	if (given->dentry) {
		if (look_where_reached(given, profile, scratch, container))
			look_at_other_names(given, scratch);
		marks |= scratch->aliases.marks;
		start = scratch->aliases.start;
	} else {
		marks |= profile->any;
	}
	refused = !profile->mode && marks & asked;
	if (start != NO_PATH && (profile->mode || (marks >> VARMOR_FILE_AUDIT) & asked)) {
		kind = asked & VARMOR_FILE_EXEC && given->permissions == MAY_EXECUTE ? VARMOR_EVENT_KIND_EXEC
										     : VARMOR_EVENT_KIND_FILE;
		body.numbers[0] = given->permissions;
		varmor_report(scratch, profile->id,
			      REPORT(kind, action_of(profile, refused), start ? 0 : VARMOR_EVENT_FLAG_PATH_UNKNOWN,
				     sizeof(__u32)),
			      &body, start);
	}
	leave_scratch(scratch);
	return refused;
}

#define MAY(dentry, mount, asked, permissions)                       \
	do {                                                         \
		int answer = may(dentry, mount, asked, permissions); \
		if (answer)                                          \
			return answer;                               \
	} while (0)

#define CAP_MAC_ADMIN 33
#define SECURITYFS_MAGIC 0x73636673
#define AAFS_MAGIC 0x5a3c69f0
#define APPARMOR 0x726f6d7261707061ULL /* "apparmor" */

/*
 * When a task writes to the files that load AppArmor profiles, AppArmor checks CAP_MAC_ADMIN without calling the LSM
 * hooks.
 */
static __noinline bool refuses_to_load_profiles(struct dentry *dentry)
{
	struct body body = {};
	__u64 bit = 1ULL << CAP_MAC_ADMIN, magic;
	struct varmor_profile *profile;
	struct qstr name;
	__u64 letters = 0;
	__u32 verdict = 0;

	if (!dentry)
		return false;
	magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	if (magic == SECURITYFS_MAGIC) {
		name = BPF_CORE_READ(dentry, d_parent, d_name);
		bpf_probe_read_kernel(&letters, sizeof(letters), name.name);
		if (name.len != sizeof(letters) || letters != APPARMOR)
			return false;
	} else if (magic != AAFS_MAGIC) {
		return false;
	}
	profile = current_profile();
	if (!profile)
		return false;
	/*
	 * Assigned here, because a constant initializer would put the struct into a data section, and Linux 5.10
	 * refuses the types of such a section.
	 */
	body.numbers[0] = CAP_MAC_ADMIN;
	verdict |= profile->capability_deny & bit ? VARMOR_DENY : 0;
	verdict |= profile->capability_audit & bit ? VARMOR_AUDIT : 0;
	return judge(profile, verdict, VARMOR_EVENT_KIND_CAPABILITY, sizeof(__u32), &body);
}

static CALLED int refuses_to_open(struct file *file)
{
	__u32 container = container_of_task(current_task()), mode, asked = 0, permissions = 0;
	struct file_request request;

	if (!container)
		return 0;
	/*
	 * Before Linux 6.5 an overlay opens the lower file under the overlay's path. The rules were applied to that
	 * path just before.
	 */
	if (file->f_inode != file->f_path.dentry->d_inode)
		return 0;
	mode = file->f_mode;
	if (file->f_flags & FMODE_EXEC) {
		asked = VARMOR_FILE_EXEC;
		permissions = MAY_EXECUTE;
	} else if (mode & FMODE_READ) {
		asked = VARMOR_FILE_READ;
		permissions = MAY_READ_IT;
	}
	/* Since Linux 6.2 only this hook sees O_TRUNC. */
	if (file->f_flags & O_TRUNC) {
		asked |= VARMOR_FILE_WRITE;
		permissions |= MAY_WRITE_IT;
	}
	if (mode & FMODE_WRITE) {
		asked |= file->f_flags & O_APPEND ? VARMOR_FILE_APPEND : VARMOR_FILE_WRITE;
		permissions |= file->f_flags & O_APPEND ? MAY_APPEND_IT : MAY_WRITE_IT;
		REFUSE_IF(refuses_to_load_profiles(file->f_path.dentry));
	}
	/*
	 * The verifier knows the type of `file`, so the program may follow its pointers directly, which costs far less
	 * than a helper call.
	 */
	request = (struct file_request){
		.dentry = file->f_path.dentry,
		.mount = file->f_path.mnt,
		.asked = asked,
		.container = container,
		.permissions = permissions,
		.type = (file->f_inode->i_mode & S_IFMT) >> S_IFMT_SHIFT,
		.files = file->f_inode->i_sb,
	};
	REFUSE_IF(varmor_refuses(&request));
	return 0;
}

/* Nearly all opens are outside of containers with a profile, so the work for other opens is in a separate function. */
SEC("lsm/file_open")
int BPF_PROG(varmor_file_open, struct file *file)
{
	return is_outside(current_task()) ? 0 : refuses_to_open(file);
}

/*
 * Called for a file that another process opened and passed to this task: by a socket (SCM_RIGHTS), pidfd_getfd(2) or a
 * seccomp notification.
 */
SEC("lsm/file_receive")
int BPF_PROG(varmor_file_receive, struct file *file)
{
	__u32 mode = file->f_mode, asked = 0, permissions = 0;

	if (mode & FMODE_READ) {
		asked = VARMOR_FILE_READ;
		permissions = MAY_READ_IT;
	}
	if (mode & FMODE_WRITE) {
		asked |= file->f_flags & O_APPEND ? VARMOR_FILE_APPEND : VARMOR_FILE_WRITE;
		permissions |= file->f_flags & O_APPEND ? MAY_APPEND_IT : MAY_WRITE_IT;
		REFUSE_IF(container_of_task(current_task()) && refuses_to_load_profiles(file->f_path.dentry));
	}
	return may(file->f_path.dentry, file->f_path.mnt, asked, permissions);
}

#define MAP_TYPE 0xf
#define MAP_SHARED 1
#define MAP_SHARED_VALIDATE 3

static __always_inline bool is_shared(unsigned long flags)
{
	return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

/* Whether a file was opened for appending only. */
static __always_inline bool appends_only(struct file *file)
{
	return BPF_CORE_READ(file, f_mode) & FMODE_WRITE && BPF_CORE_READ(file, f_flags) & O_APPEND;
}

SEC("lsm/mmap_file")
int BPF_PROG(varmor_mmap_file, struct file *file, unsigned long wanted, unsigned long protection, unsigned long flags)
{
	__u32 asked = 0, permissions = 0;

	if (!file)
		return 0;
	if (protection & PROT_EXEC) {
		asked = VARMOR_FILE_EXEC;
		permissions = MAY_EXECUTE;
	}
	/*
	 * A task can write anywhere in a shared mapping, now or after mprotect(2). So the mapping counts as writing,
	 * not only as appending.
	 */
	if (is_shared(flags) && appends_only(file)) {
		asked |= VARMOR_FILE_WRITE;
		permissions |= MAY_WRITE_IT;
	}
	if (!asked)
		return 0;
	return may(BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), asked, permissions);
}

#define F_SETFL 4

/* A task that opened a file for appending can overwrite it after clearing O_APPEND. */
SEC("lsm/file_fcntl")
int BPF_PROG(varmor_file_fcntl, struct file *file, unsigned int command, unsigned long flags)
{
	if (command != F_SETFL || flags & O_APPEND || !appends_only(file))
		return 0;
	return may(file->f_path.dentry, file->f_path.mnt, VARMOR_FILE_WRITE, MAY_WRITE_IT);
}

/* Since Linux 6.8, overlayfs maps such a file instead of its own file. */
struct backing_file___now {
	struct file file;
	struct path user_path;
} __attribute__((preserve_access_index));

/* FMODE_BACKING is bit 25, since Linux 6.12 bit 24. The kernel sets FMODE_NOACCOUNT on such files. */
#define FMODE_BACKING (1U << 24 | 1U << 25)
#define FMODE_NOACCOUNT (1U << 29)

SEC("lsm/file_mprotect")
int BPF_PROG(varmor_file_mprotect, struct vm_area_struct *area, unsigned long wanted, unsigned long protection)
{
	struct file *file = BPF_CORE_READ(area, vm_file);
	struct backing_file___now *backing = (void *)file;
	__u32 mode;

	if (!file || !(protection & PROT_EXEC))
		return 0;
	mode = BPF_CORE_READ(file, f_mode);
	if (bpf_core_field_exists(backing->user_path) && mode & FMODE_BACKING && mode & FMODE_NOACCOUNT)
		return may(BPF_CORE_READ(backing, user_path.dentry), BPF_CORE_READ(backing, user_path.mnt),
			   VARMOR_FILE_EXEC, MAY_EXECUTE);
	return may(BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), VARMOR_FILE_EXEC, MAY_EXECUTE);
}

#define CHANGE(name, permission)                                                                  \
	SEC("lsm/path_" #name)                                                                    \
	int BPF_PROG(varmor_path_##name, const struct path *folder, struct dentry *dentry)        \
	{                                                                                         \
		return may(dentry, folder->mnt, VARMOR_FILE_WRITE | VARMOR_FILE_WAY, permission); \
	}

/* Only for mq_unlink(3), whose name has no path. The hook path_unlink checks files with a path. */
SEC("lsm/inode_unlink")
int BPF_PROG(varmor_inode_unlink, struct inode *folder, struct dentry *dentry)
{
	if (dentry->d_sb->s_magic != MQUEUE_MAGIC)
		return 0;
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_DELETE);
}

CHANGE(unlink, MAY_DELETE)
CHANGE(rmdir, MAY_DELETE)
CHANGE(mkdir, MAY_CREATE)
CHANGE(mknod, MAY_CREATE)

/*
 * Additional accesses to check for a file's new name. A directory or a symbolic link can lead elsewhere, so it must not
 * become a part of a protected path. A new directory is empty and leads nowhere, so mkdir(2) needs no such check.
 */
static __always_inline __u32 way_by(struct dentry *arriving)
{
	__u32 mode = mode_of(arriving);

	return mode == S_IFDIR || mode == S_IFLNK ? VARMOR_FILE_WAY | ASKED_OF_NEW_WAY : 0;
}

SEC("lsm/path_symlink")
int BPF_PROG(varmor_path_symlink, const struct path *folder, struct dentry *dentry)
{
	return may(dentry, folder->mnt, VARMOR_FILE_WRITE | VARMOR_FILE_WAY | ASKED_OF_NEW_WAY, MAY_CREATE);
}

SEC("lsm/path_link")
int BPF_PROG(varmor_path_link, struct dentry *old, const struct path *folder, struct dentry *made)
{
	MAY(old, folder->mnt, CARRIED, MAY_LINK);
	return may(made, folder->mnt, VARMOR_FILE_WRITE | way_by(old), MAY_CREATE);
}

SEC("lsm/path_rename")
int BPF_PROG(varmor_path_rename, const struct path *from, struct dentry *old, const struct path *to,
	     struct dentry *made)
{
	/*
	 * The call replaces a file at the new name, or exchanges both files (RENAME_EXCHANGE, which Linux 5.10 does not
	 * show to the hook). So this checks both names for both files.
	 */
	MAY(old, from->mnt, CARRIED | way_by(made), MAY_RENAME);
	if (BPF_CORE_READ(made, d_inode))
		return may(made, to->mnt, CARRIED | way_by(old), MAY_RENAME);
	return may(made, to->mnt, VARMOR_FILE_WRITE | way_by(old), MAY_CREATE);
}

SEC("lsm/path_truncate")
int BPF_PROG(varmor_path_truncate, const struct path *path)
{
	return may(path->dentry, path->mnt, VARMOR_FILE_WRITE, MAY_WRITE_IT);
}

/* For ftruncate(2) since Linux 6.2. Older kernels call path_truncate. */
SEC("lsm/file_truncate")
int BPF_PROG(varmor_file_truncate, struct file *file)
{
	return may(file->f_path.dentry, file->f_path.mnt, VARMOR_FILE_WRITE, MAY_WRITE_IT);
}

SEC("lsm/path_chmod")
int BPF_PROG(varmor_path_chmod, const struct path *path)
{
	return may(path->dentry, path->mnt, VARMOR_FILE_WRITE, MAY_CHMOD);
}

#ifndef VARMOR_OLD
SEC("lsm/path_chown")
int BPF_PROG(varmor_path_chown, const struct path *path)
{
	return may(path->dentry, path->mnt, VARMOR_FILE_WRITE, MAY_CHOWN);
}
#endif

/* To connect or send to a Unix socket with a path counts as writing its file. */
static __always_inline int may_reach(struct sock *other)
{
	struct unix_sock *named = (void *)other;
	struct dentry *dentry = BPF_CORE_READ(named, path.dentry);

	return dentry ? may(dentry, BPF_CORE_READ(named, path.mnt), VARMOR_FILE_WRITE, MAY_WRITE_IT) : 0;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(varmor_unix_stream_connect, struct sock *sock, struct sock *other)
{
	return may_reach(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(varmor_unix_may_send, struct socket *sock, struct socket *other)
{
	return may_reach(BPF_CORE_READ(other, sk));
}
