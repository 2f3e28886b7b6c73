/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Checks capabilities in all user namespaces, and operations that need no capability: user namespaces, userfaultfd,
 * bpf(2).
 */
#include "report.h"
#include "task.h"

#define CAP_OPT_NOAUDIT 2

#define OVERLAY 0x0079616c7265766fULL /* "overlay" */
#define OVERLAY_WORDS 32

/*
 * Whether an overlay file system stores these credentials. They belong to the process that mounted the overlay, which
 * uses them for the lower files. The module's struct is unknown at build time, so this searches its first members.
 */
static __noinline bool is_kept_by(const struct cred *cred, struct super_block *files)
{
	__u64 words[OVERLAY_WORDS];
	__u64 type = 0;

	if (!cred || !files)
		return false;
	bpf_probe_read_kernel(&type, sizeof(type), BPF_CORE_READ(files, s_type, name));
	if (type != OVERLAY || bpf_probe_read_kernel(words, sizeof(words), BPF_CORE_READ(files, s_fs_info)))
		return false;
	for (__u32 i = 0; i < OVERLAY_WORDS; i++)
		if (words[i] == (__u64)cred)
			return true;
	return false;
}

/*
 * Copies of an overlay's credentials. To create a file, the overlay makes a copy with the file's owner. The kernel may
 * reuse an address, so a new credential at that address removes the entry. If the map is full, the profile applies to
 * the copy.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} varmor_overlay_copies SEC(".maps");

/* Whether the credentials belong to the overlay of the container's root, of its program or of its current folder. */
static __always_inline bool is_of_overlay(struct task_struct *task, const struct cred *cred)
{
	if (cred == BPF_CORE_READ(task, real_cred))
		return false;
	return is_kept_by(cred, BPF_CORE_READ(task, fs, root.mnt, mnt_sb)) ||
	       is_kept_by(cred, BPF_CORE_READ(task, mm, exe_file, f_path.mnt, mnt_sb)) ||
	       is_kept_by(cred, BPF_CORE_READ(task, fs, pwd.mnt, mnt_sb));
}

/*
 * Whether an overlay asks with its own credentials. Other kernel code that uses other credentials than the task's own
 * still acts for the task (io_uring, access(2)).
 */
static __always_inline bool asks_for_itself(const struct cred *cred)
{
	struct task_struct *task = current_task();
	__u64 key = (__u64)cred;

	if (cred == BPF_CORE_READ(task, real_cred))
		return false;
	return bpf_map_lookup_elem(&varmor_overlay_copies, &key) || is_of_overlay(task, cred);
}

SEC("lsm/cred_prepare")
int BPF_PROG(varmor_copied_credentials, struct cred *made, const struct cred *of)
{
	struct task_struct *task = current_task();
	__u64 key = (__u64)made;
	__u8 one = 1;

	if (!is_outside(task) && container_of_task(task) && is_of_overlay(task, of))
		bpf_map_update_elem(&varmor_overlay_copies, &key, &one, BPF_ANY);
	else
		bpf_map_delete_elem(&varmor_overlay_copies, &key);
	return 0;
}

SEC("lsm/cred_alloc_blank")
int BPF_PROG(varmor_new_credentials, struct cred *made)
{
	__u64 key = (__u64)made;

	bpf_map_delete_elem(&varmor_overlay_copies, &key);
	return 0;
}

SEC("lsm/capable")
int BPF_PROG(varmor_capable, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options)
{
	struct varmor_profile *profile = current_profile();
	struct body body = { { (__u32)capability } };
	__u64 bit = 1ULL << (capability & 63);
	__u32 verdict = 0;

	if (!profile || asks_for_itself(cred))
		return 0;
	if (profile->capability_deny & bit)
		verdict |= VARMOR_DENY;
	/* The kernel only probes for the capability and continues without it, so this is not reported. */
	if (options & CAP_OPT_NOAUDIT) {
		REFUSE_IF(!profile->mode && verdict & VARMOR_DENY);
		return 0;
	}
	if (profile->capability_audit & bit)
		verdict |= VARMOR_AUDIT;
	REFUSE_IF(judge(profile, verdict, VARMOR_EVENT_KIND_CAPABILITY, sizeof(__u32), &body));
	return 0;
}

static __always_inline bool refuses_userns(void)
{
	struct varmor_profile *profile = current_profile();
	struct body body = {};

	return profile && judge(profile, profile->userns, VARMOR_EVENT_KIND_USERNS, 0, &body);
}

#ifndef VARMOR_OLD
SEC("lsm/userns_create")
int BPF_PROG(varmor_userns_create, const struct cred *cred)
{
	REFUSE_IF(refuses_userns());
	return 0;
}
#else
#define CLONE_NEWUSER 0x10000000

/*
 * Linux before 6.1 has no hook for new user namespaces. It calls this hook when a process is forked into a new
 * namespace.
 */
SEC("lsm/task_alloc")
int BPF_PROG(varmor_userns_of_task, struct task_struct *task, unsigned long clone_flags, int before)
{
	REFUSE_IF(!before && clone_flags & CLONE_NEWUSER && refuses_userns());
	return before;
}

/*
 * Linux before 6.1 calls this hook when unshare(2) needs new credentials for a user namespace. If the hook refuses,
 * unshare(2) returns ENOMEM.
 */
#ifdef __TARGET_ARCH_x86
#define STACK_BYTES 16384
#define X32 0x40000000
#define UNSHARE 272
#define UNSHARE_32 310 /* number in 32-bit programs; the 64-bit call with this number makes no credentials */

SEC("lsm/cred_prepare")
int BPF_PROG(varmor_userns_of_credentials)
{
	struct task_struct *task = current_task();
	struct pt_regs *registers;
	__u64 call, flags = 0;

	if (!container_of_task(task))
		return 0;
	/*
	 * The registers of the system call are at the end of the kernel stack. Before Linux 6.0 only x86 attaches
	 * programs to LSM hooks, so no other architecture needs this.
	 */
	registers = BPF_CORE_READ(task, stack) + STACK_BYTES - bpf_core_type_size(struct pt_regs);
	call = BPF_CORE_READ(registers, orig_ax) & ~X32;
	if (call == UNSHARE)
		flags = BPF_CORE_READ(registers, di);
	else if (call == UNSHARE_32)
		flags = BPF_CORE_READ(registers, bx);
	REFUSE_IF(flags & CLONE_NEWUSER && refuses_userns());
	return 0;
}
#endif
#endif

#define USERFAULTFD_0 0x756166726573755bULL /* "[userfau" */
#define USERFAULTFD_1 0x0000005d6466746cULL /* "ltfd]" */

/* A userfaultfd has no path, but the name of its inode identifies it. */
SEC("lsm/inode_init_security_anon")
int BPF_PROG(varmor_anonymous_inode, struct inode *inode, const struct qstr *name)
{
	struct varmor_profile *profile = current_profile();
	__u64 words[2] = {};
	struct body body = {};

	if (!profile || (!profile->userfaultfd && !profile->mode))
		return 0;
	/* If the name cannot be read, the file counts as a userfaultfd. */
	if (bpf_probe_read_kernel_str(words, sizeof(words), BPF_CORE_READ(name, name)) > 0 &&
	    (words[0] != USERFAULTFD_0 || words[1] != USERFAULTFD_1))
		return 0;
	REFUSE_IF(judge(profile, profile->userfaultfd, VARMOR_EVENT_KIND_USERFAULTFD, 0, &body));
	return 0;
}

SEC("lsm/bpf")
int BPF_PROG(varmor_bpf, int command, union bpf_attr *attributes, unsigned int size)
{
	struct varmor_profile *profile = current_profile();
	struct body body = { { (__u32)command } };
	__u32 verdict;

	if (!profile || (command != BPF_PROG_LOAD && command != BPF_MAP_CREATE))
		return 0;
	verdict = command == BPF_PROG_LOAD ? profile->bpf_prog_load : profile->bpf_map_create;
	REFUSE_IF(judge(profile, verdict, VARMOR_EVENT_KIND_BPF, sizeof(__u32), &body));
	return 0;
}
