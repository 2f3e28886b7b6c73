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

/* Linux 6.1 and later. */
SEC("lsm/userns_create")
int BPF_PROG(varmor_userns_create, const struct cred *cred)
{
	struct varmor_profile *profile = current_profile();
	struct body body = {};

	REFUSE_IF(profile && judge(profile, profile->userns, VARMOR_EVENT_KIND_USERNS, 0, &body));
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
