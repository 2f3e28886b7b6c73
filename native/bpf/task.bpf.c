/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A task is of the container of the task that forked it. */
#include "task.h"

SEC("lsm/task_alloc")
int BPF_PROG(varmor_task_alloc, struct task_struct *task, unsigned long clone_flags, int before)
{
	struct varmor_task *own = bpf_task_storage_get(&varmor_tasks, bpf_get_current_task_btf(), 0, 0), *child;

	if (before || !own)
		return before;
	child = bpf_task_storage_get(&varmor_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	/* Better no process than one outside of the rules. */
	if (!child)
		return -ENOMEM;
	child->container = own->container;
	return 0;
}
