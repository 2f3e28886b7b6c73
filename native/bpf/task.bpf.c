/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Assigns tasks to containers. A forked task inherits its parent's container. A container's first task, and a task that
 * a runtime adds later, get their container from the name of their cgroup when they execute the container's program.
 */
#include "changes.h"
#include "file.h"
#include "mounts.h"
#include "path.h"
#include "task.h"

#define SIGCONT 18
#define SIGSTOP 19
#define SIGNAL_STOP_STOPPED 1
#define JOBCTL_STOP_PENDING (1UL << 17)
#define PF_FORKNOEXEC 0x40
#define CGROUP_DEPTH 32
#define SCOPE ".scope"

#ifndef VARMOR_OLD
struct storage_walk {
	struct hlist_node *at;
	__u32 map;
	__u32 container;
};

static long look_at_storage(__u32 round, struct storage_walk *walk)
{
	struct bpf_local_storage_elem *one;
	struct bpf_local_storage_map *map;

	if (!walk->at)
		return 1;
	one = (void *)walk->at - bpf_core_field_offset(struct bpf_local_storage_elem, snode);
	walk->at = BPF_CORE_READ(one, snode.next);
	map = BPF_CORE_READ(one, sdata.smap);
	if (BPF_CORE_READ(map, map.id) != walk->map)
		return 0;
	bpf_core_read(&walk->container, sizeof(walk->container), &one->sdata.data);
	return 1;
}

#define STORAGES 64

static __always_inline __u32 stored_container(struct task_struct *task, __u32 map)
{
	struct storage_walk walk = { .map = map };

	walk.at = BPF_CORE_READ(task, bpf_storage, list.first);
	walk.container = varmor_unknown_zero;
	bpf_loop(STORAGES, look_at_storage, &walk, 0);
	return walk.container;
}

/* Reads a task's container from its storage without the BPF helper, for container_of_task(). */
__hidden __noinline __u32 varmor_container_by_hand(struct task_struct *task)
{
	struct bpf_map *map = (void *)&varmor_tasks;

	return task ? stored_container(task, map->id) : 0;
}

/* Like varmor_container_by_hand, for a task by its address. */
__weak __noinline __u32 varmor_container_at(__u64 address)
{
	struct bpf_map *map = (void *)&varmor_tasks;

	return stored_container((void *)address, map->id);
}

/* The container to which the programs of another build have bound the task; 0: none. */
__weak __noinline __u32 varmor_container_before(__u64 address)
{
	__u32 zero = 0, *map = bpf_map_lookup_elem(&varmor_before, &zero);

	return map && *map ? stored_container((void *)address, *map) : 0;
}
#else
static __always_inline __u32 container_in(void *map, __u64 address)
{
	struct varmor_task *own = map ? bpf_map_lookup_elem(map, &address) : NULL;

	return own ? own->container : 0;
}

__weak __noinline __u32 varmor_container_at(__u64 address)
{
	return container_in(&varmor_tasks, address);
}

__weak __noinline __u32 varmor_container_before(__u64 address)
{
	__u32 zero = 0;

	return container_in(bpf_map_lookup_elem(&varmor_before, &zero), address);
}
#endif

#ifdef VARMOR_OLD
/* Removes the entry, because the kernel may reuse the task's address. */
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
	__u64 number; /* id of the highest cgroup named after a container; never reused */
	__u32 root_level;
	struct varmor_container_id id; /* the container of that cgroup */
	bool found;
	bool says;
	/* In a union to save stack, which is scarce before Linux 5.13. */
	union {
		char name[128];
		struct varmor_placed placed;
	};
};

#define EACH_BYTE(byte) ((byte) * 0x0101010101010101ULL)
/* Sets the highest bit of each byte of a word that is at least the given byte. A byte above 127 counts as 128 less. */
#define NOT_BELOW(word, byte) (((word) | EACH_BYTE(0x80ULL)) - EACH_BYTE((__u64)(byte)))

/* Checks eight digits at a time, without branches: the verifier would follow both sides of each branch. */
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

/*
 * Notes the cgroup if its name ends with a container's id: ID, cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope,
 * slice:cri-containerd:ID.
 */
static long look_at_cgroup(__u32 round, struct cgroup_walk *walk)
{
	struct cgroup *cgroup = walk->at;
	struct varmor_container_id id __attribute__((aligned(8)));
	const char *name;
	__u64 number;
	long length;

	if (!cgroup || (__u32)BPF_CORE_READ(cgroup, level) <= walk->root_level)
		return 1;
	walk->at = (void *)BPF_CORE_READ(cgroup, self.parent);
	name = BPF_CORE_READ(cgroup, kn, name);
	number = BPF_CORE_READ(cgroup, kn, id);
	length = bpf_probe_read_kernel_str(walk->name, sizeof(walk->name), name) - 1;
	/* slice:cri-containerd:ID may be longer than the buffer, so its end is read separately. */
	if (length == (long)sizeof(walk->name) - 1) {
		name += sizeof(id);
		length = bpf_probe_read_kernel_str(walk->name, sizeof(walk->name), name) - 1;
	}
	if (length >= (long)sizeof(SCOPE) - 1 && length < (long)sizeof(walk->name)) {
		char end[sizeof(SCOPE)] = {};

		bpf_probe_read_kernel(end, sizeof(end) - 1, name + length - (sizeof(SCOPE) - 1));
		if (is_scope(end))
			length -= sizeof(SCOPE) - 1;
	}
	if (length < (long)sizeof(id) || bpf_probe_read_kernel(&id, sizeof(id), name + length - sizeof(id)) ||
	    !is_hex(&id))
		return 0;
	walk->id = id;
	walk->number = number;
	walk->found = true;
	return 0;
}

static __always_inline struct cgroup *cgroup_of(struct css_set *set)
{
	struct cgroup *cgroup = BPF_CORE_READ(set, dfl_cgrp);

	/* If the node uses cgroup version 1, all tasks are in the root cgroup of version 2. */
	if (cgroup && BPF_CORE_READ(cgroup, level) == 0 &&
	    bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		cgroup = BPF_CORE_READ(set, subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)], cgroup);
	return cgroup;
}

static __always_inline void say_place(struct cgroup_walk *walk)
{
	walk->placed = (struct varmor_placed){
		.when = bpf_ktime_get_ns(),
		.what = VARMOR_CHANGE_PLACED,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};
	__builtin_memcpy(walk->placed.id, walk->id.hex, sizeof(walk->id.hex));
	put_change(&walk->placed, sizeof(walk->placed));
}

static __always_inline struct varmor_settings *settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&varmor_settings, &zero);
}

/* Looks for the highest cgroup of a task, below the node's root cgroup, that is named after a container. */
static __always_inline bool find_cgroup(struct task_struct *task, const struct varmor_settings *set,
					struct cgroup_walk *walk)
{
	walk->at = cgroup_of(BPF_CORE_READ(task, cgroups));
	walk->root_level = set->root_level;
	REPEAT(CGROUP_DEPTH, CGROUP_DEPTH, look_at_cgroup, walk);
	return walk->found;
}

/*
 * Returns the number of the container that the task's cgroup names, VARMOR_NOT_IN_ONE, or VARMOR_NOT_KNOWN if the agent
 * does not know the container yet. A task can create cgroups with any name below its own, so the highest cgroup counts.
 * The verifier checks the function separately, so it takes an address, not a pointer.
 * With `says`, also reports the current task if a runtime put it into the container: the task has another cgroup than
 * its parent and has not executed a program yet. Without the report, it may end before the agent sees it.
 */
__weak __noinline int varmor_number_by_cgroup(__u64 address, __u32 says)
{
	const struct varmor_settings *set = settings();
	struct task_struct *task = (void *)address;
	struct cgroup_walk walk = {};
	__u32 *found;

	if (!set)
		return VARMOR_NOT_IN_ONE;
	walk.says = says && BPF_CORE_READ(task, flags) & PF_FORKNOEXEC &&
		    BPF_CORE_READ(task, cgroups) != BPF_CORE_READ(task, real_parent, cgroups);
	if (!find_cgroup(task, set, &walk))
		return VARMOR_NOT_IN_ONE;
	if (walk.says)
		say_place(&walk);
	found = bpf_map_lookup_elem(&varmor_ids, &walk.id);
	return found ? *found & VARMOR_NUMBERS : VARMOR_NOT_KNOWN;
}

/* Returns the id of the container's cgroup that a task is in; 0 if the task is not in a container's cgroup. */
__weak __noinline __u64 varmor_number_of_cgroup(__u64 address)
{
	const struct varmor_settings *set = settings();
	struct task_struct *task = (void *)address;
	struct cgroup_walk walk = {};

	if (!set)
		return 0;
	return find_cgroup(task, set, &walk) ? walk.number : 0;
}

/*
 * Returns the first process of a task's pid namespace; NULL in the outermost namespace, or if the task itself belongs
 * to that process.
 */
static __always_inline struct task_struct *first_of_pids(struct task_struct *task)
{
	struct pid *of_task = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(of_task, level);
	struct pid_namespace *pids = NULL;
	struct task_struct *first;
	void *pid = of_task;

	if (!level)
		return NULL;
	bpf_probe_read_kernel(&pids, sizeof(pids),
			      pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, ns));
	first = BPF_CORE_READ(pids, child_reaper);
	return first && BPF_CORE_READ(first, signal) != BPF_CORE_READ(task, signal) ? first : NULL;
}

/*
 * Returns the container of the first process in the task's pid namespace, if a runtime has added the task to that
 * namespace; otherwise 0.
 */
__weak __noinline __u32 varmor_container_of_pids(__u64 address)
{
	struct task_struct *task = (void *)address, *first = first_of_pids(task);

	return first ? varmor_container_at(address_of(first)) : 0;
}

struct cgroup_search {
	struct cgroup *at;
	__u64 number;
	bool found;
};

static long compare_cgroup(__u32 round, struct cgroup_search *search)
{
	/* A variable, because BPF_CORE_READ would look for this program's struct in the kernel. */
	struct cgroup *cgroup = search->at;

	if (!cgroup)
		return 1;
	search->found = BPF_CORE_READ(cgroup, kn, id) == search->number;
	search->at = (void *)BPF_CORE_READ(cgroup, self.parent);
	return search->found;
}

/* Whether the first process of the pid namespace has left the cgroup of its container. */
static __always_inline bool has_moved(struct task_struct *first, __u32 number)
{
	struct varmor_container *container = container_numbered(number);
	struct cgroup_search search = { .found = varmor_unknown_zero };

	if (!container || !container->cgroup)
		return false;
	search.at = cgroup_of(BPF_CORE_READ(first, cgroups));
	search.number = container->cgroup;
	REPEAT(CGROUP_DEPTH, CGROUP_DEPTH, compare_cgroup, &search);
	return !search.found;
}

/*
 * Returns the container of a task that a runtime adds to a running container; `number` is its container by cgroup. The
 * pid namespace counts, too, because a container can move its processes to other cgroups. But a debug container, which
 * shares another container's pid namespace, has a cgroup and a mount namespace of its own.
 */
__weak __noinline int varmor_number_by_pids(__u64 address, int number)
{
	const struct varmor_settings *set = settings();
	struct task_struct *task = (void *)address, *first = first_of_pids(task);
	struct mnt_namespace *ns = BPF_CORE_READ(task, nsproxy, mnt_ns);
	bool shares;
	int joined;

	if (!first || !set)
		return number;
	joined = varmor_container_at(address_of(first)) & VARMOR_NUMBERS;
	if (!joined || joined == number)
		return number;
	shares = ns == BPF_CORE_READ(first, nsproxy, mnt_ns);
	/* The task is still the runtime's own program, or nsenter without --mount. */
	if (BPF_CORE_READ(ns, ns.inum) == set->host_mnt_ns)
		return shares ? joined : number;
	return shares || number == VARMOR_NOT_IN_ONE || has_moved(first, joined) ? joined : number;
}

/*
 * Stores the mount namespace in which a container's first program runs. If a container restarts under the same id, its
 * cgroup, pid namespace and mount namespace are new. A process that a runtime adds later shares the existing
 * namespaces, unless the container has moved to others.
 */
static __always_inline void note_mnt_ns(__u32 number, struct task_struct *task)
{
	struct varmor_container *container = container_numbered(number);
	struct mnt_namespace *ns = namespace_of(task);
	__u64 cgroup;

	if (!container)
		return;
	cgroup = varmor_number_of_cgroup(address_of(task));
	if (container->mnt_ns && (!container->cgroup || !cgroup || container->cgroup == cgroup ||
				  references_of(ns) != 1 || varmor_container_of_pids(address_of(task)) == number))
		return;
	note_namespace(container, ns);
	container->cgroup = cgroup;
	container->mnt_ns = mnt_ns_of(task);
}

/*
 * Stops the task before it returns to user space. The agent continues the task once it knows the container. The agent
 * first adds the container and then looks for stopped tasks, so this code first marks the task and then looks for the
 * container again. Returns false if it finds the container.
 */
static __always_inline bool stop(struct task_struct *task, int *number)
{
	struct varmor_task *own = make_own_task(task);

	if (own)
		own->stopped = 1;
	bpf_send_signal(SIGSTOP);
	*number = number_by_cgroup(task);
	if (*number < 0)
		return true;
	if (own)
		own->stopped = 0;
	bpf_send_signal(SIGCONT);
	return false;
}

/*
 * The runtime executes its own program in the host's mount namespace, and then prepares the container in a new mount
 * namespace. So the first program that is executed in the new namespace is the container's.
 */
SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(varmor_bprm_creds_for_exec, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task();
	const struct varmor_settings *set = settings();
	__u32 mnt_ns = mnt_ns_of(task);
	int number;

	if (!set || container_of_task(task))
		return 0;
	number = mnt_ns == set->host_mnt_ns ? VARMOR_NOT_IN_ONE : place_current(task);
	number = varmor_number_by_pids(address_of(task), number);
	if (number == VARMOR_NOT_KNOWN && set->strict_start && stop(task, &number))
		return 0;
	/* 0: the container has no profile. */
	if (number <= 0)
		return 0;
	if (!bind(task, number))
		return -ENOMEM;
	if (mnt_ns != set->host_mnt_ns)
		note_mnt_ns(number, task);
	return may(BPF_CORE_READ(bprm, file, f_path.dentry), BPF_CORE_READ(bprm, file, f_path.mnt), VARMOR_FILE_EXEC,
		   MAY_EXECUTE);
}

/* Inode number of the namespace of detached mounts, since Linux 6.18. */
#define MNT_NS_ANON_INO 0xEFFFFFF7U

/*
 * Whether a task belongs to the runtime and will execute a container's program. A process of the host has forked such a
 * task, and its current program is on the host, in memory or on a detached mount.
 */
static __always_inline bool is_runtimes(struct task_struct *task, __u32 host)
{
	struct mount *of_exe = mount_of(BPF_CORE_READ(task, mm, exe_file, f_path.mnt));
	__u32 exe = BPF_CORE_READ(of_exe, mnt_ns, ns.inum);

	return BPF_CORE_READ(task, flags) & PF_FORKNOEXEC && (exe == host || exe == 0 || exe == MNT_NS_ANON_INO) &&
	       BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns, ns.inum) == host;
}

/*
 * Returns the container of a running task that is not bound; 0, VARMOR_NOT_IN_ONE or VARMOR_NOT_KNOWN if it has no
 * known container.
 */
__weak __noinline int varmor_number_of_running(__u64 address)
{
	const struct varmor_settings *set = settings();
	struct task_struct *task = (void *)address;
	int number = varmor_container_before(address);
	__u32 mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);

	if (container_numbered(number))
		return number;
	if (!set || !mnt_ns)
		return VARMOR_NOT_IN_ONE;
	number = mnt_ns == set->host_mnt_ns ? VARMOR_NOT_IN_ONE : number_by_cgroup(task);
	number = varmor_number_by_pids(address, number);
	return number > 0 && is_runtimes(task, set->host_mnt_ns) ? 0 : number;
}

/* Nanoseconds after each visit of the iterator during which children of unbound tasks are bound. */
#define FINDING 10000000000ULL

/* Returns the container for the children of a task; 0: none. */
static __always_inline __u32 container_of_forks(struct task_struct *parent)
{
	const struct varmor_settings *set = settings();
	__u32 container = container_of_task(parent);
	int number;

	/* The iterator may already have passed the child's pid, so the child is bound here. */
	if (container || !set || bpf_ktime_get_ns() >= set->finding_until)
		return container;
	number = varmor_number_of_running(address_of(parent));
	return number > 0 ? number : 0;
}

SEC("lsm/task_alloc")
int BPF_PROG(varmor_task_alloc, struct task_struct *task, unsigned long clone_flags, int before)
{
	__u32 container = container_of_forks(current_task());

	/* If the child cannot be bound, the fork fails, because the child would run without rules. */
	if (!before && container && !bind(task, container))
		return -ENOMEM;
	return before;
}

/*
 * Binds a child if its parent was bound, or the iterator started, after the program at task_alloc. The child gets its
 * pid between both programs, so the iterator may already have passed that pid.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(varmor_task_visible, struct task_struct *parent, struct task_struct *child)
{
	__u32 container;

	if (container_of_task(child))
		return 0;
	container = container_of_forks(parent);
	if (container)
		bind(child, container);
	return 0;
}

/*
 * Whether a task that a program stopped is still stopped, or about to stop. If not, another process has continued the
 * task.
 */
static __always_inline bool waits(struct task_struct *task, struct varmor_task *own)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	if (BPF_CORE_READ(signal, flags) & SIGNAL_STOP_STOPPED || BPF_CORE_READ(task, jobctl) & JOBCTL_STOP_PENDING ||
	    BPF_CORE_READ(signal, shared_pending.signal.sig[0]) & 1UL << (SIGSTOP - 1))
		return true;
	own->stopped = 0;
	return false;
}

/* Returns a pid's number in the namespace at this level. A pid has numbers only up to its own level. */
static __always_inline struct upid *number_at(struct pid *pid, __u32 level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

/* Returns the task's pid in the reader's pid namespace; 0 if it does not have a pid there. */
static __always_inline __u32 pid_for_reader(struct task_struct *task)
{
	struct pid *of_reader = BPF_CORE_READ(current_task(), thread_pid), *of_task = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(of_reader, level);
	struct upid *number = number_at(of_task, level);

	if (level > BPF_CORE_READ(of_task, level) ||
	    BPF_CORE_READ(number, ns) != BPF_CORE_READ(number_at(of_reader, level), ns))
		return 0;
	return BPF_CORE_READ(number, nr);
}

/* The depth of the cgroup that a task sees as the root. */
static __always_inline __u32 level_of_root(struct task_struct *task)
{
	struct cgroup *root = cgroup_of(BPF_CORE_READ(task, nsproxy, cgroup_ns, root_cset));

	return BPF_CORE_READ(root, level);
}

/*
 * Stores the address and id of a container's mount namespace, if the container started before the agent knew it. The
 * agent can only find out the namespace's inode number.
 */
static __always_inline void see_first_namespace(__u32 number, struct task_struct *task, __u32 mnt_ns)
{
	struct varmor_container *container = container_numbered(number);

	if (!container || !mnt_ns || container->mnt_ns != mnt_ns)
		return;
	if (!container->ns)
		note_namespace(container, BPF_CORE_READ(task, nsproxy, mnt_ns));
	if (!container->cgroup && number_by_cgroup(task) == (int)number)
		container->cgroup = varmor_number_of_cgroup(address_of(task));
}

/*
 * Lists the tasks of containers, and binds tasks that started before their container was known. It visits each thread,
 * because storage belongs to threads. Meanwhile other programs bind the children of unbound tasks. Otherwise a
 * container that forks all the time could stay ahead of the iterator.
 */
SEC("iter/task")
int varmor_find_tasks(struct bpf_iter__task *ctx)
{
	struct varmor_settings *set = settings();
	struct task_struct *task = ctx->task;
	struct varmor_found found = {};
	struct varmor_task *own;
	__u32 mnt_ns;
	int number;

	/*
	 * At the end the kernel runs the program without a task. A confined task may get a descriptor of the iterator's
	 * link.
	 */
	if (!task || !set || is_confined())
		return 0;
	set->finding_until = bpf_ktime_get_ns() + FINDING;
	mnt_ns = mnt_ns_of(task);
	found.pid = pid_for_reader(task);
	/* Process 1 of the reader's pid namespace is the node's first process. */
	if (mnt_ns == set->host_mnt_ns && found.pid == 1)
		set->root_level = level_of_root(task);
	found.container = container_of_task(task);
	if (!found.container) {
		number = varmor_number_of_running(address_of(task));
		if (number < 0)
			return 0;
		found.bound = number && bind(task, number);
		if (found.bound)
			found.container = number;
	}
	if (found.container)
		see_first_namespace(found.container, task, mnt_ns);
	own = own_task_of(task);
	found.stopped = own && own->stopped && waits(task, own);
	if (found.container || found.stopped)
		bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}

/*
 * Lists the map in each slot. Before Linux 6.8, each look-up from user space in a map of maps waits until all running
 * programs have ended, which takes over 20 ms for each slot.
 */
SEC("iter/bpf_map_elem")
int varmor_list_profiles(struct bpf_iter__bpf_map_elem *ctx)
{
	struct varmor_slot shown = {};
	__u32 *slot = ctx->key;
	struct bpf_map *map;

	if (!slot || is_confined())
		return 0;
	shown.slot = *slot;
	map = bpf_map_lookup_elem(&varmor_profiles, &shown.slot);
	if (!map)
		return 0;
	shown.map = map->id;
	bpf_seq_write(ctx->meta->seq, &shown, sizeof(shown));
	return 0;
}
