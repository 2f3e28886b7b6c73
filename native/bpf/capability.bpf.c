/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Capabilities, in whichever user namespace; and what needs none where a user namespace gives them all. */
#include "report.h"
#include "task.h"

#define CAP_OPT_NOAUDIT 2

SEC("lsm/capable")
int BPF_PROG(varmor_capable, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options)
{
	struct varmor_profile *profile = current_profile();
	struct body body = { { (__u32)capability } };
	__u64 bit = 1ULL << (capability & 63);
	__u32 verdict = 0;

	if (!profile)
		return 0;
	if (profile->capability_deny & bit)
		verdict |= VARMOR_DENY;
	/* The kernel only asks what a task may do, and does otherwise without it. */
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

/* There is no hook for it before Linux 6.1, but one for processes that are made in a new one, */
SEC("lsm/task_alloc")
int BPF_PROG(varmor_userns_of_task, struct task_struct *task, unsigned long clone_flags, int before)
{
	REFUSE_IF(!before && clone_flags & CLONE_NEWUSER && refuses_userns());
	return before;
}

/* and one for the credentials that unshare(2) needs for it. Where it gets none, it says that there is no memory. */
#ifdef __TARGET_ARCH_x86
#define STACK_BYTES 16384
#define X32 0x40000000
#define UNSHARE 272
#define UNSHARE_32 310 /* of programs of 32 bits; what has that number for others takes no credentials */

SEC("lsm/cred_prepare")
int BPF_PROG(varmor_userns_of_credentials)
{
	struct task_struct *task = current_task();
	struct pt_regs *registers;
	__u64 call, flags = 0;

	if (!container_of_task(task))
		return 0;
	/* Those of the call lie at the end of the kernel's stack. No other processor attaches programs to hooks before Linux 6.0. */
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
