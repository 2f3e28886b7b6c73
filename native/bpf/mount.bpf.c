/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Checks changes of mounts by the mount rules, and by the file rules of files that a mount would cover or move. */
#include "file.h"
#include "match.h"
#include "mounts.h"
#include "path.h"
#include "report.h"
#include "task.h"

#define MS_RDONLY 1
#define MS_SYNCHRONOUS 16
#define MS_REMOUNT 32
#define MS_MANDLOCK 64
#define MS_DIRSYNC 128
#define MS_BIND 4096
#define MS_MOVE 8192
#define MS_STRICTATIME (1 << 24)
#define MS_PROPAGATION (1 << 17 | 1 << 18 | 1 << 19 | 1 << 20) /* unbindable, private, slave, shared */
/* include/linux/mount.h */
#define MNT_NOSUID 0x01
#define MNT_NODEV 0x02
#define MNT_NOEXEC 0x04
#define MNT_NOATIME 0x08
#define MNT_NODIRATIME 0x10
#define MNT_RELATIME 0x20
#define MNT_READONLY 0x40
#define MNT_NOSYMFOLLOW 0x80
/* not a flag of mount(2); in records this value means umount(2) */
#define UMOUNT 0x200

#define SETS(name, size)                                                                                               \
	static __noinline const __u64 *set_##name(__u32 table, __u32 number)                                           \
	{                                                                                                              \
		__u32 index = table & ~(3U << VARMOR_TABLE_SIZE_SHIFT), zero = 0;                                      \
		void *map = bpf_map_lookup_elem(&varmor_##name##_tables, &index);                                      \
		__u8 *sets = map ? bpf_map_lookup_elem(map, &zero) : NULL;                                             \
                                                                                                                       \
		return sets ? (void *)(sets + ((number * 8 * VARMOR_MOUNT_WORDS) & ((size) - 8 * VARMOR_MOUNT_WORDS))) \
			    : NULL;                                                                                    \
	}

SETS(small, VARMOR_TABLE_SMALL)
SETS(medium, VARMOR_TABLE_MEDIUM)
SETS(large, VARMOR_TABLE_LARGE)
SETS(huge, VARMOR_TABLE_HUGE)

static __always_inline const __u64 *set_numbered(__u32 table, __u32 number)
{
	switch (table >> VARMOR_TABLE_SIZE_SHIFT) {
	case 0:
		return set_small(table, number);
	case 1:
		return set_medium(table, number);
	case 2:
		return set_large(table, number);
	default:
		return set_huge(table, number);
	}
}

static __always_inline bool means(const struct meant *meant, const struct varmor_path_sets *sets, const __u64 *set,
				  __u32 number)
{
	__u32 word = (number >> 6) & (VARMOR_MOUNT_WORDS - 1);
	__u64 bits = sets->always[word];

	if (set)
		bits |= set[word];
	return meant->all || bits >> (number & 63) & 1;
}

static __always_inline bool is_same_type(const char *rule, const char *given)
{
	const __u64 *one = (const void *)rule, *other = (const void *)given;

	return !rule[0] || (one[0] == other[0] && one[1] == other[1]);
}

static __always_inline struct varmor_mounts *mounts_numbered(__u32 number)
{
	void *map = bpf_map_lookup_elem(&varmor_mount_rules, &number);
	__u32 zero = 0;

	return map ? bpf_map_lookup_elem(map, &zero) : NULL;
}

static __always_inline bool open_mount_rules(struct loop *loop)
{
	struct mount_match *match = &loop->scratch->mounts;
	struct varmor_mounts *mounts = mounts_numbered(match->rules);

	if (!mounts)
		return false;
	loop->table = (void *)mounts;
	loop->sets[0] = mounts->sources.automaton.table ? set_numbered(mounts->sources.sets, match->source.number)
							: NULL;
	loop->sets[1] = mounts->targets.automaton.table ? set_numbered(mounts->targets.sets, match->target.number)
							: NULL;
	return true;
}

static long match_mount_rule(__u32 round, struct loop *loop)
{
	const struct varmor_mounts *mounts = (void *)loop->table;
	struct mount_match *match = &loop->scratch->mounts;
	const struct mounting *given = &match->given;
	const struct varmor_mount_rule *rule;
	__u32 number = match->at++;

	if (number >= VARMOR_MOUNT_RULES)
		return 1;
	rule = &mounts->rules[number];
	if (!(rule->operations & given->operations))
		return 0;
	if (given->nowhere) {
		/* The task may create the file system if a rule allows mounting its type anywhere. */
		if (rule->verdict & VARMOR_ALLOW) {
			if (is_same_type(rule->fstype, given->fstype))
				match->verdict |= rule->verdict;
			return 0;
		}
		/* The flags of the future mount are not known yet. */
		if (!(rule->set & rule->clear))
			return 0;
	} else if (rule->verdict & VARMOR_ALLOW) {
		/* An allow rule must match all possible operations, flags and paths. */
		if ((given->operations & ~rule->operations) || (rule->set & ~given->flags) ||
		    (rule->clear & given->flags) || match->target.all)
			return 0;
	} else if (!(given->operations & (VARMOR_MOUNT_MOVE | VARMOR_MOUNT_UMOUNT)) &&
		   !(rule->set & (given->flags | given->found)) && !(rule->clear & ~given->flags)) {
		return 0;
	}
	if (is_same_type(rule->fstype, given->fstype) &&
	    means(&match->source, &mounts->sources, loop->sets[0], number) &&
	    means(&match->target, &mounts->targets, loop->sets[1], number))
		match->verdict |= rule->verdict;
	return 0;
}

LONG_LOOP(match_mount_rules, VARMOR_MOUNT_RULES, open_mount_rules, match_mount_rule)

/* Writes the text up to PATH_BYTES and returns its start; 0 if the text is too long. */
static __always_inline __u32 put_device(struct varmor_scratch *scratch, const char *device)
{
	long length = bpf_probe_read_kernel_str(scratch->exe, PATH_BYTES, device) - 1;
	__u32 start;

	if (length < 0 || length > PATH_BYTES - 2)
		return 0;
	start = (PATH_BYTES - (__u32)length) & (2 * PATH_BYTES - 1);
	bpf_probe_read_kernel(scratch->path + start, length & (PATH_BYTES - 1), scratch->exe);
	return start;
}

static __always_inline __u32 start_of_path(struct varmor_scratch *scratch, struct dentry *dentry, struct mount *mount)
{
	return dentry ? path_into(scratch, TEXT_PATH, dentry, mount, namespace_of(current_task())) : 0;
}

static __always_inline __u32 start_of_source(struct varmor_scratch *scratch, const struct mounting *given)
{
	if (given->operations == VARMOR_MOUNT_NEW)
		return given->device ? put_device(scratch, given->device) : PATH_BYTES;
	return start_of_path(scratch, given->source, given->source_mount);
}

/* Finds the rules that match the path of a file. A file without a path may match any rule. */
static __always_inline void find_meant(struct meant *meant, const struct varmor_path_sets *sets,
				       struct varmor_scratch *scratch, __u32 start)
{
	meant->all = 0;
	if (!sets->automaton.table)
		return;
	if (start == 0 || start > PATH_BYTES)
		meant->all = 1;
	else
		meant->number = marks_of(scratch, &sets->automaton, TEXT_PATH, start);
}

/* Removes the subtype, the part after the dot (fuse.sshfs), because the task chooses that name. */
static __always_inline void leave_out_subtype(char *fstype)
{
	bool behind = false;

#pragma clang loop unroll(full)
	for (__u32 i = 1; i < TYPE_BYTES; i++) {
		behind |= fstype[i] == '.';
		if (behind)
			fstype[i] = 0;
	}
}

/* Returns the verdict of the mount rules. */
static __noinline __u32 verdict_of_mounting(struct varmor_scratch *scratch, const struct mounting *given, __u32 rules)
{
	struct varmor_mounts *mounts = mounts_numbered(rules);
	struct loop loop = { .scratch = scratch };
	struct mount_match *match;

	if (!scratch || !given || !mounts)
		return 0;
	match = &scratch->mounts;
	match->given = *given;
	leave_out_subtype(match->given.fstype);
	match->rules = rules;
	match->at = 0;
	match->verdict = 0;
	match->source = (struct meant){};
	match->target = (struct meant){};
	if (!given->nowhere) {
		find_meant(&match->source, &mounts->sources, scratch, start_of_source(scratch, given));
		find_meant(&match->target, &mounts->targets, scratch,
			   start_of_path(scratch, given->target, given->target_mount));
	}
	if (open_mount_rules(&loop))
		match_mount_rules(&loop, mounts->count);
	return match->verdict & VARMOR_ALLOW ? 0 : match->verdict;
}

/*
 * Whether the mount rules refuse the operation. The function is not static, for the reason given at varmor_refuses().
 */
VERIFIED_ONCE __noinline int varmor_refuses_mounting(const struct mounting *given)
{
	struct varmor_profile *profile = current_profile();
	struct varmor_scratch *scratch;
	struct body body = {};
	__u32 verdict, start;
	bool refused;

	if (!profile || !given || (!profile->mounts && !profile->mode))
		return 0;
	scratch = take_scratch();
	if (!scratch)
		return !profile->mode;
	verdict = verdict_of_mounting(scratch, given, profile->mounts);
	refused = !profile->mode && verdict & VARMOR_DENY;
	/* An allowed new file system is reported when the task mounts it, not when the task creates it. */
	if ((profile->mode || verdict & VARMOR_AUDIT) && (refused || !given->nowhere)) {
		body.numbers[0] = given->operations & VARMOR_MOUNT_UMOUNT ? UMOUNT : given->flags | given->found;
		__builtin_memcpy(body.numbers + 1, given->fstype, TYPE_BYTES);
		start = start_of_path(scratch, given->target, given->target_mount);
		varmor_report(scratch, profile->id,
			      REPORT(VARMOR_EVENT_KIND_MOUNT, action_of(profile, refused),
				     start ? 0 : VARMOR_EVENT_FLAG_PATH_UNKNOWN, sizeof(__u32)),
			      &body, start);
	}
	leave_scratch(scratch);
	return refused;
}

static __always_inline __u32 operation_of(unsigned long flags)
{
	if (flags & MS_REMOUNT)
		return VARMOR_MOUNT_REMOUNT;
	if (flags & MS_BIND)
		return VARMOR_MOUNT_BIND;
	if (flags & MS_PROPAGATION)
		return VARMOR_MOUNT_PROPAGATION;
	return flags & MS_MOVE ? VARMOR_MOUNT_MOVE : VARMOR_MOUNT_NEW;
}

/*
 * Whether the profile protects the parent directories of any path. Such a directory may be in a mount that moves or
 * becomes the root.
 */
static __always_inline bool protects_ways(void)
{
	struct varmor_profile *profile = current_profile();

	return profile && !profile->mode && profile->any & VARMOR_FILE_WAY;
}

/*
 * Accesses to check for a file that a mount covers. The new mount may be a symbolic link, because a link can be bound
 * over any file.
 */
#define COVERED (CARRIED | ASKED_OF_NEW_WAY)

/*
 * Not inlined: the result of an inlined function is on the stack as 32 bits, and the verifier of Linux 6.12 does not
 * see that it is never positive.
 */
static CALLED int may_cover(const struct path *path)
{
	return may(path->dentry, path->mnt, COVERED, MAY_WRITE_IT);
}

/*
 * Whether the mount rules refuse mount(2), or the call moves a mount although the profile protects parent directories.
 * Not inlined, because on Linux 6.1 all functions of a call chain share 512 bytes of stack.
 */
static CALLED bool refuses_mount(const char *device, const struct path *path, const char *type, __u32 flags)
{
	struct mounting mounting = {};
	__u32 operation = operation_of(flags);

	mounting.operations = operation;
	mounting.flags = flags;
	mounting.target = path->dentry;
	mounting.target_mount = mount_of(path->mnt);
	if (operation & (VARMOR_MOUNT_REMOUNT | VARMOR_MOUNT_PROPAGATION)) {
		mounting.source = mounting.target;
		mounting.source_mount = mounting.target_mount;
	}
	mounting.device = device;
	if (operation == VARMOR_MOUNT_NEW)
		bpf_probe_read_kernel_str(mounting.fstype, sizeof(mounting.fstype), type);
	else
		__builtin_memcpy(mounting.fstype, "none", 5);
	return varmor_refuses_mounting(&mounting) || (operation == VARMOR_MOUNT_MOVE && protects_ways());
}

/*
 * The hook receives the source of a bind or move only as the task's text, which can lead anywhere and can change. So
 * the source counts as any path. File rules still apply, because a bound file keeps its other names.
 */
SEC("lsm/sb_mount")
int BPF_PROG(varmor_sb_mount, const char *device, const struct path *path, const char *type, unsigned long flags,
	     void *data)
{
	if (!container_of_task(current_task()))
		return 0;
	REFUSE_IF(refuses_mount(device, path, type, (__u32)flags));
	if (!(operation_of(flags) & (VARMOR_MOUNT_NEW | VARMOR_MOUNT_BIND | VARMOR_MOUNT_MOVE)))
		return 0;
	return may_cover(path);
}

/*
 * Whether the file system shows another file system's files under new names, and opens them by private mounts of the
 * kernel.
 */
static __always_inline bool is_stacked(const struct super_block *files)
{
	char type[TYPE_BYTES] = {};

	bpf_probe_read_kernel_str(type, sizeof(type), BPF_CORE_READ(files, s_type, name));
	return begins_with(type, "overlay", sizeof("overlay")) || begins_with(type, "ecryptfs", sizeof("ecryptfs"));
}

/*
 * Called for fsconfig(2), and for mount(2) after sb_mount. Files of a new file system can be opened before it is
 * attached.
 */
SEC("lsm/sb_kern_mount")
int BPF_PROG(varmor_sb_kern_mount, const struct super_block *files)
{
	struct mounting mounting = {};

	if (!container_of_task(current_task()))
		return 0;
	REFUSE_IF(protects_ways() && is_stacked(files));
	mounting.operations = VARMOR_MOUNT_NEW;
	mounting.nowhere = 1;
	bpf_probe_read_kernel_str(mounting.fstype, sizeof(mounting.fstype), BPF_CORE_READ(files, s_type, name));
	REFUSE_IF(varmor_refuses_mounting(&mounting));
	return 0;
}

/* Whether this is the file system's only mount, and so not a copy of another mount. */
static __always_inline bool is_only_mount(struct mount *mount)
{
	struct super_block *files = BPF_CORE_READ(mount, mnt.mnt_sb);

	return first_mount(files) == mount && !mount_after(mount, files);
}

/*
 * Returns the flags of mount(2) for a mount that was made by the newer system calls. MS_RELATIME is left out, because
 * it is the default.
 */
static __noinline __u32 flags_of(struct mount *mount)
{
	__u32 own = (__u32)BPF_CORE_READ(mount, mnt.mnt_flags), all = (__u32)BPF_CORE_READ(mount, mnt.mnt_sb, s_flags);

	return (own & (MNT_NOSUID | MNT_NODEV | MNT_NOEXEC)) << 1 | (own & (MNT_NOATIME | MNT_NODIRATIME)) << 7 |
	       (own & MNT_NOSYMFOLLOW) << 1 | (own & MNT_READONLY ? MS_RDONLY : 0) |
	       (own & (MNT_NOATIME | MNT_RELATIME) ? 0 : MS_STRICTATIME) |
	       (all & (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC));
}

static __always_inline bool stands(struct mount *mount)
{
	return BPF_CORE_READ(mount, mnt_parent) != mount;
}

static CALLED bool refuses_move(const struct path *from, const struct path *to)
{
	struct mounting mounting = {};
	struct mount *mount = mount_of(from->mnt);

	mounting.device = BPF_CORE_READ(mount, mnt_devname);
	mounting.target = to->dentry;
	mounting.target_mount = mount_of(to->mnt);
	if (stands(mount)) {
		mounting.operations = VARMOR_MOUNT_MOVE;
		mounting.source = from->dentry;
		mounting.source_mount = mount;
		__builtin_memcpy(mounting.fstype, "none", 5);
	} else {
		mounting.operations = is_only_mount(mount) ? VARMOR_MOUNT_NEW : VARMOR_MOUNT_NEW | VARMOR_MOUNT_BIND;
		mounting.found = flags_of(mount) | (mounting.operations & VARMOR_MOUNT_BIND ? MS_BIND : 0);
		bpf_probe_read_kernel_str(mounting.fstype, sizeof(mounting.fstype),
					  BPF_CORE_READ(mount, mnt.mnt_sb, s_type, name));
	}
	return varmor_refuses_mounting(&mounting) || (stands(mount) && protects_ways());
}

/*
 * Checks move_mount(2). With an attached mount, the call is a move. With a detached mount, it completes a new mount or
 * a copy.
 */
SEC("lsm/move_mount")
int BPF_PROG(varmor_move_mount, const struct path *from, const struct path *to)
{
	if (!container_of_task(current_task()))
		return 0;
	REFUSE_IF(refuses_move(from, to));
	return may_cover(to);
}

static CALLED bool refuses_unmount(struct vfsmount *mount)
{
	struct mounting mounting = {};

	mounting.operations = VARMOR_MOUNT_UMOUNT;
	mounting.source = mounting.target = mount->mnt_root;
	mounting.source_mount = mounting.target_mount = mount_of(mount);
	__builtin_memcpy(mounting.fstype, "none", 5);
	return varmor_refuses_mounting(&mounting);
}

SEC("lsm/sb_umount")
int BPF_PROG(varmor_sb_umount, struct vfsmount *mount, int flags)
{
	if (!container_of_task(current_task()))
		return 0;
	REFUSE_IF(refuses_unmount(mount));
	return may(mount->mnt_root, mount, CARRIED, MAY_WRITE_IT);
}

/*
 * pivot_root(2) in another mount namespace does not change names in the container's first namespace, while that
 * namespace exists.
 */
SEC("lsm/sb_pivotroot")
int BPF_PROG(varmor_sb_pivotroot, const struct path *made, const struct path *old)
{
	struct task_struct *task = current_task();
	struct varmor_container *container = container_numbered(container_of_task(task));
	struct mnt_namespace *own = namespace_of(task), *first;
	struct mounting mounting = {};

	if (!container)
		return 0;
	mounting.operations = VARMOR_MOUNT_MOVE;
	mounting.source = BPF_CORE_READ(task, fs, root.dentry);
	mounting.source_mount = mount_of(BPF_CORE_READ(task, fs, root.mnt));
	mounting.target = old->dentry;
	mounting.target_mount = mount_of(old->mnt);
	__builtin_memcpy(mounting.fstype, "none", 5);
	REFUSE_IF(varmor_refuses_mounting(&mounting));
	if (!protects_ways())
		return 0;
	first = first_namespace(container, own);
	REFUSE_IF(!first || first == own || !varmor_is_mounted_in(BPF_CORE_READ(task, fs, root.dentry, d_sb), first));
	return 0;
}
