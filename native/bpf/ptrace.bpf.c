/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Checks ptrace access to other processes. Both the tracer's and the target's profile must allow it. */
#include "report.h"
#include "task.h"

#define PTRACE_MODE_READ 0x01
#define PTRACE_MODE_NOAUDIT 0x04

/* The access bits of ptraceAccess in src/profile/bpf/bpf-profile.ts. Records use AppArmor's bits instead. */
enum { READ = 1, TRACE = 2, READ_BY = 4, TRACED_BY = 8 };

static __always_inline __u32 word_of(__u32 access)
{
	switch (access) {
	case READ:
		return 0x4;
	case TRACE:
		return 0x2;
	case READ_BY:
		return 0x10;
	default:
		return 0x8;
	}
}

/*
 * Whether the profile of container `own` refuses an access between a process in it and a process of container `other`.
 */
static __always_inline bool refuses(__u32 own, __u32 other, __u32 access, bool quiet)
{
	struct varmor_profile *profile = profile_of(container_numbered(own));
	bool outside = own != other;
	struct body body = { { word_of(access), outside } };
	__u32 verdict = 0;

	if (!profile)
		return false;
	if ((profile->ptrace_deny_all | (outside ? profile->ptrace_deny_outside : 0)) & access)
		verdict |= VARMOR_DENY;
	if (quiet)
		return !profile->mode && verdict;
	if ((profile->ptrace_audit_all | (outside ? profile->ptrace_audit_outside : 0)) & access)
		verdict |= VARMOR_AUDIT;
	return judge(profile, verdict, VARMOR_EVENT_KIND_PTRACE, 2 * sizeof(__u32), &body);
}

/*
 * Whether the task is a runtime's process that is about to enter the tracer's container. It gets its rules only when it
 * executes the container's program. A tracer that attaches before that would control a process without rules.
 */
static __always_inline bool is_on_its_way(struct task_struct *child, __u32 own)
{
	return is_confined() && varmor_number_by_pids(address_of(child), number_by_cgroup(child)) == (int)own;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(varmor_ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	__u32 own = container_of_task(current_task()), other = container_of_task(child);
	bool read = mode & PTRACE_MODE_READ, quiet = mode & PTRACE_MODE_NOAUDIT;

	REFUSE_IF(own && !other && is_on_its_way(child, own));
	REFUSE_IF(refuses(own, other, read ? READ : TRACE, quiet));
	REFUSE_IF(refuses(other, own, read ? READ_BY : TRACED_BY, quiet));
	return 0;
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(varmor_ptrace_traceme, struct task_struct *parent)
{
	__u32 own = container_of_task(current_task()), other = container_of_task(parent);

	REFUSE_IF(refuses(other, own, TRACE, false));
	REFUSE_IF(refuses(own, other, TRACED_BY, false));
	return 0;
}
