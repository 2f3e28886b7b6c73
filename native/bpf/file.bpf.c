/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Files by their paths: opening, running, mapping, and every way to change what stands there. */
#include "file.h"
#include "match.h"
#include "path.h"
#include "report.h"
#include "task.h"

static __always_inline __u32 mode_of(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode ? BPF_CORE_READ(inode, i_mode) & S_IFMT : 0;
}

/* Linux 6.18 and later: the mounts of a file system are a chain. Before, they are a list. */
struct mount___chain {
	struct mount___chain *mnt_next_for_sb;
} __attribute__((preserve_access_index));

struct super_block___chain {
	struct mount___chain *s_mounts;
} __attribute__((preserve_access_index));

struct mount___list {
	struct list_head mnt_instance;
} __attribute__((preserve_access_index));

struct super_block___list {
	struct list_head s_mounts;
} __attribute__((preserve_access_index));

#define HAS_CHAIN (bpf_core_field_exists(((struct mount___chain *)0)->mnt_next_for_sb))

/* The mount that a place in the list is in; NULL at its end. */
static __always_inline struct mount *mount_at(struct list_head *at, struct super_block *files)
{
	if ((void *)at == (void *)files + bpf_core_field_offset(struct super_block___list, s_mounts))
		return NULL;
	return (void *)at - bpf_core_field_offset(struct mount___list, mnt_instance);
}

static __always_inline struct mount *first_mount(struct super_block *files)
{
	if (HAS_CHAIN)
		return (void *)BPF_CORE_READ((struct super_block___chain *)files, s_mounts);
	return mount_at(BPF_CORE_READ((struct super_block___list *)files, s_mounts.next), files);
}

static __always_inline struct mount *mount_after(struct mount *mount, struct super_block *files)
{
	if (HAS_CHAIN)
		return (void *)BPF_CORE_READ((struct mount___chain *)mount, mnt_next_for_sb);
	return mount_at(BPF_CORE_READ((struct mount___list *)mount, mnt_instance.next), files);
}

static long next_alias(__u32 round, struct loop *loop)
{
	struct varmor_scratch *scratch = loop->scratch;
	struct aliases *aliases = &scratch->aliases;
	struct mount *mount = aliases->at;
	struct dentry *dentry = aliases->dentry;
	struct mnt_namespace *found;
	__u32 start, marks;

	if (!mount)
		return 1;
	aliases->at = mount_after(mount, aliases->files);
	if (mount == aliases->known)
		return 0;
	found = BPF_CORE_READ(mount, mnt_ns);
	if (BPF_CORE_READ(found, ns.inum) != aliases->mnt_ns)
		return 0;
	start = path_in_namespace(scratch, TEXT_EXE, dentry, mount, aliases->mnt_ns);
	if (start == 0 || start >= PATH_BYTES)
		return 0;
	marks = marks_of(scratch, &aliases->automaton, TEXT_EXE, start);
	aliases->marks |= marks;
	if (aliases->start == 0 || marks & aliases->asked) {
		aliases->start = start;
		bpf_probe_read_kernel(scratch->path + start, PATH_BYTES - start, scratch->exe + start);
	}
	return 0;
}

static __always_inline bool open_aliases(struct loop *loop)
{
	return true;
}

LONG_LOOP(look_at_aliases, 4096, open_aliases, next_alias)

/*
 * The marks of all names that a file has: where it was reached, and in the mount namespace of the container's first process. No mount,
 * and no new namespace, gives it a name that hides those. Puts the start of a path into `found`; 0 where there is none.
 */
static __noinline __u32 marks_of_file(const struct file_request *request, const struct varmor_profile *profile, struct varmor_scratch *scratch, __u32 mnt_ns, __u32 *found)
{
	struct dentry *dentry = (void *)request->dentry;
	__u32 own_ns = mnt_ns_of(current_task()), start = 0, mode;
	struct loop loop = { .scratch = scratch };
	struct mount *known = NULL;
	struct aliases *aliases;

	if (!profile || !scratch || !found)
		return 0;
	aliases = &scratch->aliases;
	aliases->marks = 0;
	if (request->mount) {
		known = mount_of(request->mount);
		start = path_into(scratch, TEXT_PATH, dentry, known, own_ns);
		if (start && start < PATH_BYTES)
			aliases->marks = marks_of(scratch, &profile->files, TEXT_PATH, start);
		else if (own_ns != mnt_ns)
			known = NULL;
	}
	if (start == NO_PATH) {
		*found = NO_PATH;
		return 0;
	}
	aliases->dentry = dentry;
	aliases->known = known;
	aliases->automaton = profile->files;
	aliases->mnt_ns = mnt_ns;
	aliases->start = start;
	aliases->files = BPF_CORE_READ(dentry, d_sb);
	aliases->at = first_mount(aliases->files);
	look_at_aliases(&loop, 4096);
	start = aliases->start;
	*found = start;
	if (start)
		return aliases->marks;
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
	mode = mode_of((void *)given->dentry);
	if (mode != S_IFDIR)
		asked &= ~VARMOR_FILE_WAY;
	marks = mode == S_IFBLK ? profile->block_devices : 0;
	if (!profile->files.table && !profile->mode && !marks)
		return 0;
	scratch = take_scratch();
	if (!scratch)
		return 1;
	scratch->aliases.asked = asked | asked << VARMOR_FILE_AUDIT;
	marks |= marks_of_file(given, profile, scratch, container->mnt_ns, &start);
	refused = !profile->mode && marks & asked;
	if (start != NO_PATH && (profile->mode || (marks >> VARMOR_FILE_AUDIT) & asked)) {
		kind = asked & VARMOR_FILE_EXEC && given->permissions == MAY_EXECUTE ? VARMOR_EVENT_KIND_EXEC : VARMOR_EVENT_KIND_FILE;
		body.numbers[0] = given->permissions;
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

SEC("lsm/file_open")
int BPF_PROG(varmor_file_open, struct file *file)
{
	__u32 container = container_of_task(current_task()), mode, asked = 0, permissions = 0;

	/* Nearly all that is opened is opened outside of containers that have a profile. */
	if (!container)
		return 0;
	mode = file->f_mode;
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
	}
	return may_in(container, file->f_path.dentry, file->f_path.mnt, asked, permissions);
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

/* Linux 5.12 to 6.1: a mount has a user namespace, and hooks are given it in front of the file. Then it has an idmap. */
struct vfsmount___mapped {
	void *mnt_userns;
} __attribute__((preserve_access_index));

/* The compiler would make one load of two: the verifier wants each at a constant place. */
#define ARGUMENT(into, ctx, number) asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(into) : "r"(ctx), "i"(8 * (number)))

/* What has no hook with a mount: times, and extended attributes. */
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
