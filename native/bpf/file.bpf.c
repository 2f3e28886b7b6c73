/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Files by their paths: opening, running, mapping, and every way to change what stands there. */
#include "file.h"
#include "match.h"
#include "mounts.h"
#include "path.h"
#include "report.h"
#include "task.h"

static __always_inline __u32 mode_of(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode ? BPF_CORE_READ(inode, i_mode) & S_IFMT : 0;
}

/* The other names that a file has in a mount namespace: one for each mount of its file system there. */
struct aliases {
	struct dentry *dentry;
	struct mount *known; /* the mount that has been looked at */
	struct mount *at;
	struct super_block *files;
	const struct varmor_profile *profile;
	struct varmor_scratch *scratch;
	__u32 mnt_ns;
	__u32 asked; /* with the bits for reports */
	__u32 marks;
	__u32 start; /* of the first path, or of the first one that the rules mean */
};

static long next_alias(__u32 round, struct aliases *aliases)
{
	struct mount *mount = aliases->at;
	struct varmor_scratch *scratch = aliases->scratch;
	struct mnt_namespace *found;
	__u32 start, marks;

	if (!mount)
		return 1;
	aliases->at = mount_after(mount, aliases->files);
	found = BPF_CORE_READ(mount, mnt_ns);
	if (mount == aliases->known || BPF_CORE_READ(found, ns.inum) != aliases->mnt_ns)
		return 0;
	start = path_into(scratch->exe, aliases->dentry, mount, aliases->mnt_ns);
	if (start == 0 || start >= PATH_BYTES)
		return 0;
	marks = marks_of(&aliases->profile->files, scratch->exe, start);
	aliases->marks |= marks;
	if (aliases->start == 0 || marks & aliases->asked) {
		if (marks & aliases->asked)
			aliases->asked = 0;
		aliases->start = start;
		bpf_probe_read_kernel(scratch->path + start, PATH_BYTES - start, scratch->exe + start);
	}
	return 0;
}

/*
 * The marks of all names that a file has: where it was reached, and in the mount namespace of the container's first process. No mount,
 * and no new namespace, gives it a name that hides those. Puts the start of a path into `found`; 0 where there is none.
 */
static __noinline __u32 marks_of_file(const struct file_request *request, const struct varmor_profile *profile, struct varmor_scratch *scratch, __u32 mnt_ns, __u32 *found)
{
	struct dentry *dentry = (void *)request->dentry;
	__u32 own_ns = mnt_ns_of(bpf_get_current_task_btf()), start = 0, mode;
	struct aliases aliases = {};

	if (!profile || !scratch || !found)
		return 0;
	if (request->mount) {
		aliases.known = mount_of(request->mount);
		start = path_into(scratch->path, dentry, aliases.known, own_ns);
		if (start && start < PATH_BYTES)
			aliases.marks = marks_of(&profile->files, scratch->path, start);
		else if (own_ns != mnt_ns)
			aliases.known = NULL;
	}
	if (start == NO_PATH) {
		*found = NO_PATH;
		return 0;
	}
	aliases.dentry = dentry;
	aliases.profile = profile;
	aliases.scratch = scratch;
	aliases.mnt_ns = mnt_ns;
	/* The name by which it was reached is reported, where the rules mean that one, and else the first that they mean. */
	aliases.asked = request->asked | request->asked << VARMOR_FILE_AUDIT;
	if (aliases.marks & aliases.asked)
		aliases.asked = 0;
	aliases.start = start + varmor_unknown_zero;
	aliases.asked |= varmor_unknown_zero;
	aliases.files = BPF_CORE_READ(dentry, d_sb);
	aliases.at = first_mount(aliases.files);
	bpf_loop(4096, next_alias, &aliases, 0);
	*found = aliases.start;
	if (aliases.start)
		return aliases.marks;
	mode = mode_of(dentry);
	/*
	 * Hooks without a mount are called for what lies below overlayfs, too, after the file that the task sees. Pipes and sockets come
	 * from elsewhere often, and hold nothing.
	 */
	if (!request->mount || mode == S_IFIFO || mode == S_IFSOCK) {
		*found = NO_PATH;
		return 0;
	}
	return profile->any;
}

__noinline int varmor_refuses(const struct file_request *given)
{
	struct varmor_container *container = container_numbered(container_of_task(bpf_get_current_task_btf()));
	struct varmor_profile *profile = profile_of(container);
	struct file_request request;
	struct body body = {};
	struct varmor_scratch *scratch;
	__u32 marks, mode, start = 0, kind;
	bool refused;

	if (!profile || !container || !given)
		return 0;
	request = *given;
	mode = mode_of((void *)request.dentry);
	if (mode != S_IFDIR)
		request.asked &= ~VARMOR_FILE_WAY;
	marks = mode == S_IFBLK ? profile->block_devices : 0;
	if (!profile->files.table && !profile->mode && !marks)
		return 0;
	scratch = take_scratch();
	if (!scratch)
		return 1;
	marks |= marks_of_file(&request, profile, scratch, container->mnt_ns, &start);
	refused = !profile->mode && marks & request.asked;
	if (start != NO_PATH && (profile->mode || (marks >> VARMOR_FILE_AUDIT) & request.asked)) {
		kind = request.asked & VARMOR_FILE_EXEC && request.permissions == MAY_EXECUTE ? VARMOR_EVENT_KIND_EXEC : VARMOR_EVENT_KIND_FILE;
		body.numbers[0] = request.permissions;
		report(scratch, profile, REPORT(kind, action_of(profile, refused), start ? 0 : VARMOR_EVENT_FLAG_PATH_UNKNOWN, sizeof(__u32)), &body, start);
	}
	leave_scratch(scratch);
	return refused;
}

#define MAY(dentry, mount, asked, permissions)                        \
	do {                                                          \
		int answer = may(dentry, mount, asked, permissions);  \
		if (answer)                                           \
			return answer;                                \
	} while (0)

#define CAP_MAC_ADMIN 33
#define SECURITYFS_MAGIC 0x73636673
#define AAFS_MAGIC 0x5a3c69f0
#define APPARMOR 0x726f6d7261707061ULL /* "apparmor" */

/* AppArmor asks for this capability by itself, past all hooks, when its profiles are written. */
static __noinline bool refuses_to_load_profiles(struct dentry *dentry)
{
	struct body body = { { CAP_MAC_ADMIN } };
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
	verdict |= profile->capability_deny & bit ? VARMOR_DENY : 0;
	verdict |= profile->capability_audit & bit ? VARMOR_AUDIT : 0;
	return judge(profile, verdict, VARMOR_EVENT_KIND_CAPABILITY, sizeof(__u32), &body);
}

SEC("lsm/file_open")
int BPF_PROG(varmor_file_open, struct file *file)
{
	__u32 mode = file->f_mode, asked = 0, permissions = 0;

	/* Before Linux 6.5 an overlay opens the file below by the path of its own, which was judged just now. */
	if (file->f_inode != BPF_CORE_READ(file, f_path.dentry, d_inode))
		return 0;
	if (file->f_flags & FMODE_EXEC) {
		asked = VARMOR_FILE_EXEC;
		permissions = MAY_EXECUTE;
	} else if (mode & FMODE_READ) {
		asked = VARMOR_FILE_READ;
		permissions = MAY_READ_IT;
	}
	if (mode & FMODE_WRITE) {
		asked |= file->f_flags & O_APPEND ? VARMOR_FILE_APPEND : VARMOR_FILE_WRITE;
		permissions |= file->f_flags & O_APPEND ? MAY_APPEND_IT : MAY_WRITE_IT;
		REFUSE_IF(container_of_task(bpf_get_current_task_btf()) && refuses_to_load_profiles(file->f_path.dentry));
	}
	return may(file->f_path.dentry, file->f_path.mnt, asked, permissions);
}

SEC("lsm/mmap_file")
int BPF_PROG(varmor_mmap_file, struct file *file, unsigned long wanted, unsigned long protection, unsigned long flags)
{
	if (!file || !(protection & PROT_EXEC))
		return 0;
	return may(BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), VARMOR_FILE_EXEC, MAY_EXECUTE);
}

/* Linux 6.8 and later: what overlayfs maps in place of its own file. */
struct backing_file___now {
	struct file file;
	struct path user_path;
} __attribute__((preserve_access_index));

struct mnt_idmap___now {
};

/* FMODE_BACKING is bit 25, and 24 since Linux 6.12; the kernel makes such files without an account. */
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
		return may(BPF_CORE_READ(backing, user_path.dentry), BPF_CORE_READ(backing, user_path.mnt), VARMOR_FILE_EXEC, MAY_EXECUTE);
	return may(BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), VARMOR_FILE_EXEC, MAY_EXECUTE);
}

#define CHANGE(name, permission)                                                     \
	SEC("lsm/path_" #name)                                                            \
	int BPF_PROG(varmor_path_##name, const struct path *folder, struct dentry *dentry) \
	{                                                                                 \
		return may(dentry, folder->mnt, VARMOR_FILE_WRITE | VARMOR_FILE_WAY, permission); \
	}

CHANGE(unlink, MAY_DELETE)
CHANGE(rmdir, MAY_DELETE)
CHANGE(mkdir, MAY_CREATE)
CHANGE(mknod, MAY_CREATE)
CHANGE(symlink, MAY_CREATE)

SEC("lsm/path_link")
int BPF_PROG(varmor_path_link, struct dentry *old, const struct path *folder, struct dentry *made)
{
	MAY(old, folder->mnt, VARMOR_FILE_ANY | VARMOR_FILE_WAY, MAY_LINK);
	return may(made, folder->mnt, VARMOR_FILE_WRITE, MAY_CREATE);
}

SEC("lsm/path_rename")
int BPF_PROG(varmor_path_rename, const struct path *from, struct dentry *old, const struct path *to, struct dentry *made)
{
	/* What stands at the new name goes, or takes the old one's place (RENAME_EXCHANGE, which 5.10 does not show): both count for both. */
	MAY(old, from->mnt, VARMOR_FILE_ANY | VARMOR_FILE_WAY, MAY_RENAME);
	if (BPF_CORE_READ(made, d_inode))
		return may(made, to->mnt, VARMOR_FILE_ANY | VARMOR_FILE_WAY, MAY_RENAME);
	return may(made, to->mnt, VARMOR_FILE_WRITE, MAY_CREATE);
}

SEC("lsm/path_truncate")
int BPF_PROG(varmor_path_truncate, const struct path *path)
{
	return may(path->dentry, path->mnt, VARMOR_FILE_WRITE, MAY_WRITE_IT);
}

/* Linux 6.2 and later: what has an open file. Before, that is the one above. */
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

SEC("lsm/path_chown")
int BPF_PROG(varmor_path_chown, const struct path *path)
{
	return may(path->dentry, path->mnt, VARMOR_FILE_WRITE, MAY_CHOWN);
}

/* What has no hook with a mount: times, and extended attributes. */
SEC("lsm/inode_setxattr")
int BPF_PROG(varmor_inode_setxattr, void *user_namespace, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(varmor_inode_removexattr, void *user_namespace, struct dentry *dentry)
{
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

#define ATTR_MODE 0x1
#define ATTR_UID 0x2
#define ATTR_GID 0x4
#define ATTR_SIZE 0x8
#define ATTR_TIMES 0x1b0 /* ATIME, MTIME, and both as given */

/* The first argument came with Linux 5.12, and is an idmap since 6.2. */
SEC("lsm/inode_setattr")
int varmor_inode_setattr(__u64 *ctx)
{
	struct dentry *dentry;
	struct iattr *attributes;
	unsigned int valid;

	/* The comments keep the compiler from making one load of two: the verifier wants each at a constant place. */
	if (bpf_core_type_exists(struct mnt_idmap___now)) {
		dentry = (void *)ctx[1];
		attributes = (void *)ctx[2];
		asm volatile("# mapped" : "+r"(dentry), "+r"(attributes));
	} else {
		dentry = (void *)ctx[0];
		attributes = (void *)ctx[1];
		asm volatile("# plain" : "+r"(dentry), "+r"(attributes));
	}
	valid = BPF_CORE_READ(attributes, ia_valid);
	/* The others have hooks of their own. */
	if (!(valid & ATTR_TIMES) || valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE))
		return 0;
	return may(dentry, NULL, VARMOR_FILE_WRITE, MAY_SET_ATTRIBUTES);
}

/* A socket that has a name: to connect or to send to it is to write it. */
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
