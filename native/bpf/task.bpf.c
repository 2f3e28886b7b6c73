/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which container a task is of. It is that of the task which forked it; the first task of a container, and one that is put into it
 * later, have it from the name of their cgroup, when they run the container's program.
 */
#include "file.h"
#include "path.h"
#include "task.h"

#define SIGSTOP 19
#define PF_FORKNOEXEC 0x40
#define CGROUP_DEPTH 32
#define SCOPE ".scope"

SEC("lsm/task_alloc")
int BPF_PROG(varmor_task_alloc, struct task_struct *task, unsigned long clone_flags, int before)
{
	__u32 container = container_of_task(current_task());

	/* Better no process than one outside of the rules. */
	if (!before && container && !bind(task, container))
		return -ENOMEM;
	return before;
}

#ifdef VARMOR_OLD
/* The address may soon be that of another task. */
SEC("lsm/task_free")
int BPF_PROG(varmor_task_free, struct task_struct *task)
{
	__u64 key = (__u64)task;

	bpf_map_delete_elem(&varmor_tasks, &key);
	return 0;
}
#endif

struct cgroup_walk {
	struct cgroup *at;
	struct varmor_container_id id; /* of the highest one that is called by an id */
	bool found;
	char name[128];
};

#define EACH_BYTE(byte) ((byte) * 0x0101010101010101ULL)
/* Has the highest bit of each byte of a word that is not below another one; bytes over 127 count as 128 less. */
#define NOT_BELOW(word, byte) (((word) | EACH_BYTE(0x80ULL)) - EACH_BYTE((__u64)(byte)))

/* Eight digits at a time, and without branches, of which a verifier would follow both ways. */
static __always_inline bool is_hex(const struct varmor_container_id *id)
{
	const __u64 *words = (const void *)id->hex;
	__u64 all = EACH_BYTE(0x80ULL);

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < sizeof(id->hex) / sizeof(*words); i++) {
		__u64 digits = NOT_BELOW(words[i], '0') & ~NOT_BELOW(words[i], '9' + 1);
		__u64 letters = NOT_BELOW(words[i], 'a') & ~NOT_BELOW(words[i], 'f' + 1);

		all &= (digits | letters) & ~words[i];
	}
	return all == EACH_BYTE(0x80ULL);
}

static __always_inline bool is_scope(const char *end)
{
	for (__u32 i = 0; i < sizeof(SCOPE) - 1; i++)
		if (end[i] != SCOPE[i])
			return false;
	return true;
}

/* Ids are the last part of a name: ID, cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope, and slice:cri-containerd:ID. */
static long look_at_cgroup(__u32 round, struct cgroup_walk *walk)
{
	struct cgroup *cgroup = walk->at;
	struct varmor_container_id id __attribute__((aligned(8)));
	const char *name;
	long length;

	if (!cgroup)
		return 1;
	walk->at = (void *)BPF_CORE_READ(cgroup, self.parent);
	name = BPF_CORE_READ(cgroup, kn, name);
	length = bpf_probe_read_kernel_str(walk->name, sizeof(walk->name), name) - 1;
	if (length >= (long)sizeof(SCOPE) - 1 && length < (long)sizeof(walk->name)) {
		char end[sizeof(SCOPE)] = {};

		bpf_probe_read_kernel(end, sizeof(end) - 1, name + length - (sizeof(SCOPE) - 1));
		if (is_scope(end))
			length -= sizeof(SCOPE) - 1;
	}
	if (length < (long)sizeof(id) || bpf_probe_read_kernel(&id, sizeof(id), name + length - sizeof(id)) || !is_hex(&id))
		return 0;
	walk->id = id;
	walk->found = true;
	return 0;
}

/*
 * The container whose cgroup a task is in, from its number. A task may make cgroups below its own and call them as it likes: the
 * highest counts.
 * Returns whether it is in one at all; 0 for a number that is not known, or is that of no profile.
 */
static __noinline bool find_by_cgroup(struct task_struct *task, __u32 *number, bool *known)
{
	struct cgroup_walk walk = {};
	struct cgroup *cgroup;
	__u32 *found;

	if (!task || !number || !known)
		return false;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	/* Where version 1 rules, all are in the root of version 2. */
	if (cgroup && BPF_CORE_READ(cgroup, level) == 0 && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		cgroup = BPF_CORE_READ(task, cgroups, subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)], cgroup);
	walk.at = cgroup;
	REPEAT(CGROUP_DEPTH, CGROUP_DEPTH, look_at_cgroup, &walk);
	if (!walk.found)
		return false;
	found = bpf_map_lookup_elem(&varmor_ids, &walk.id);
	*known = found;
	*number = found ? *found : 0;
	return true;
}

static __always_inline const struct varmor_settings *settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&varmor_settings, &zero);
}

/* The mount namespace of a container is that in which its first program runs, whatever later ones are in. */
static __always_inline void note_mnt_ns(__u32 number, __u32 mnt_ns)
{
	struct varmor_container *container = container_numbered(number);

	if (container)
		put_once(&container->mnt_ns, mnt_ns);
}

/*
 * The runtime's own program gets everything ready in a mount namespace of the container, but it was run in the host's. What it runs
 * then is the container's.
 */
SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(varmor_bprm_creds_for_exec, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task();
	const struct varmor_settings *set = settings();
	__u32 mnt_ns = mnt_ns_of(task), number = 0;
	bool known = false;

	if (!set || mnt_ns == set->host_mnt_ns || container_of_task(task) || !find_by_cgroup(task, &number, &known))
		return 0;
	if (!known && set->strict_start)
		bpf_send_signal(SIGSTOP);
	if (!number)
		return 0;
	if (!bind(task, number))
		return -ENOMEM;
	note_mnt_ns(number, mnt_ns);
	return may(BPF_CORE_READ(bprm, file, f_path.dentry), BPF_CORE_READ(bprm, file, f_path.mnt), VARMOR_FILE_EXEC, MAY_EXECUTE);
}

/* Whether a task is the runtime's, on its way to run a container's program: forked by one outside, and from a program of there. */
static __always_inline bool is_runtimes(struct task_struct *task, __u32 mnt_ns)
{
	struct mount *of_exe = mount_of(BPF_CORE_READ(task, mm, exe_file, f_path.mnt));

	return BPF_CORE_READ(task, flags) & PF_FORKNOEXEC && BPF_CORE_READ(of_exe, mnt_ns, ns.inum) != mnt_ns &&
	       BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns, ns.inum) != mnt_ns;
}

/*
 * Finds the tasks of containers, and binds those that were there before their container was known. Threads share what their process
 * does, so each is looked at. A task that forks meanwhile is found by the next look.
 */
SEC("iter/task")
int varmor_find_tasks(struct bpf_iter__task *ctx)
{
	const struct varmor_settings *set = settings();
	struct task_struct *task = ctx->task;
	struct varmor_found found = {};
	__u32 mnt_ns;
	bool known;

	if (!task || !set)
		return 0;
	found.container = container_of_task(task);
	found.pid = BPF_CORE_READ(task, pid);
	if (!found.container) {
		mnt_ns = mnt_ns_of(task);
		if (mnt_ns == 0 || mnt_ns == set->host_mnt_ns || !find_by_cgroup(task, &found.container, &known) || !found.container)
			return 0;
		if (is_runtimes(task, mnt_ns) || !bind(task, found.container))
			return 0;
		found.bound = 1;
	}
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}
