/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Reports all forks of processes and all ends of threads on the node. */
#include "changes.h"

/* Runs before the child runs. The child is in the container of the task that forks, even with CLONE_PARENT. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(varmor_process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct varmor_change change = { .when = bpf_ktime_get_ns() };

	if (child->pid != child->tgid)
		return 0;
	change.what = VARMOR_CHANGE_FORKED;
	change.pid = child->tgid;
	change.parent = parent->tgid;
	put_change(&change, sizeof(change));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(varmor_process_exit, struct task_struct *task)
{
	struct varmor_change change = { .when = bpf_ktime_get_ns() };

	change.what = task->pid == task->tgid ? VARMOR_CHANGE_ENDED : VARMOR_CHANGE_THREAD_ENDED;
	change.pid = task->tgid;
	put_change(&change, sizeof(change));
	return 0;
}
