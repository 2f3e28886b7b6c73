/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Writes records to the ring. A record is a header, the numbers of its kind, and its texts. */
#ifndef VARMOR_REPORT_H
#define VARMOR_REPORT_H

#include "path.h"
#include "task.h"
#include "throttle.h"

static __always_inline void put_task(struct varmor_event_header *header, struct task_struct *task)
{
	__u64 ids = bpf_get_current_pid_tgid(), owner = bpf_get_current_uid_gid();

	header->time = bpf_ktime_get_boot_ns();
	header->cgroup = bpf_get_current_cgroup_id();
	header->mnt_ns = mnt_ns_of(task);
	header->tgid = ids >> 32;
	header->tid = (__u32)ids;
	header->ppid = BPF_CORE_READ(task, real_parent, tgid);
	header->uid = (__u32)owner;
	header->gid = owner >> 32;
	bpf_get_current_comm(header->comm, sizeof(header->comm));
}

/* Copies a text that ends at PATH_BYTES. Returns its length. */
static __always_inline __u32 put_text(struct varmor_scratch *scratch, __u32 at, __u8 *text, __u32 start)
{
	__u32 length = PATH_BYTES - start;

	if (start == 0 || start > PATH_BYTES || length > PATH_BYTES)
		return 0;
	bpf_probe_read_kernel(scratch->record + (at & (RECORD_BYTES / 2 - 1)), length & (2 * PATH_BYTES - 1),
			      text + (start & (PATH_BYTES - 1)));
	return length;
}

/* The numbers of a record's kind. For a mount, the file system type (TYPE_BYTES) follows the first number. */
struct body {
	__u32 numbers[6];
};

static __always_inline __u32 put_type(struct varmor_scratch *scratch, __u32 at, const struct body *body)
{
	long length;

	at &= RECORD_BYTES - 1;
	if (at > RECORD_BYTES - TYPE_BYTES)
		return 0;
	length = bpf_probe_read_kernel_str(scratch->record + at, TYPE_BYTES, body->numbers + 1);
	return length > 0 ? length - 1 : 0;
}

#define REPORT(kind, action, flags, body_size) ((kind) | (action) << 8 | (flags) << 16 | (body_size) << 24)

/*
 * Writes a record. `what` is a value of REPORT(). `start` is where the path begins in the scratch; 0 for a record
 * without a path. If the ring is full, only a counter increases. Returns 0, because a global function must return a
 * number.
 */
SHARED __noinline int varmor_report(struct varmor_scratch *scratch, __u32 profile, __u32 what, const struct body *body,
				    __u32 start)
{
	struct task_struct *task = current_task();
	struct varmor_event_header *header;
	struct file *exe;
	__u32 size = sizeof(*header) + (what >> 24), exe_start = 0, length;

	if (!scratch || !body)
		return 0;
	header = (void *)scratch->record;
	__builtin_memset(header, 0, sizeof(*header));
	header->container = container_of_task(task);
	if (varmor_holds_back(header->container, what & 0xff))
		return 0;
	header->version = VARMOR_EVENT_VERSION;
	header->kind = what & 0xff;
	header->action = (what >> 8) & 0xff;
	header->flags = (what >> 16) & 0xff;
	header->profile = profile;
	put_task(header, task);
	__builtin_memcpy(scratch->record + sizeof(*header), body, sizeof(*body));
	exe = BPF_CORE_READ(task, mm, exe_file);
	if (exe)
		exe_start = path_into(scratch, TEXT_EXE, BPF_CORE_READ(exe, f_path.dentry),
				      mount_of(BPF_CORE_READ(exe, f_path.mnt)), namespace_of(task));
	length = put_text(scratch, size, scratch->exe, exe_start);
	header->exe_size = length;
	size += length;
	length = put_text(scratch, size, scratch->path, start);
	header->path_size = length;
	size += length;
	if (header->kind == VARMOR_EVENT_KIND_MOUNT) {
		length = put_type(scratch, size, body);
		header->type_size = length;
		size += length;
	}
	header->size = size;
	if (size > VARMOR_EVENT_SIZE_MAX)
		return 0;
	count(bpf_ringbuf_output(&varmor_ring, scratch->record, size, 0) ? VARMOR_RING_FULL : VARMOR_REPORTED);
	return 0;
}

/* Returns the action for a record: refused, or allowed and reported. */
static __always_inline __u32 action_of(const struct varmor_profile *profile, bool refused)
{
	if (profile->mode)
		return VARMOR_EVENT_ACTION_ALLOWED;
	return refused ? VARMOR_EVENT_ACTION_DENIED : VARMOR_EVENT_ACTION_AUDIT;
}

/* Writes a record without a file. */
SHARED CALLED int varmor_report_plain(__u32 profile, __u32 what, const struct body *body)
{
	struct varmor_scratch *scratch = take_scratch();

	if (!scratch)
		return 0;
	varmor_report(scratch, profile, what, body, 0);
	leave_scratch(scratch);
	return 0;
}

/*
 * Whether the profile refuses an access that concerns no file, by the bits VARMOR_DENY and VARMOR_AUDIT of `verdict`.
 * Writes the record; if no scratch is free, only a counter increases.
 */
static __always_inline bool judge(const struct varmor_profile *profile, __u32 verdict, __u32 kind, __u32 body_size,
				  const struct body *body)
{
	bool refused = !profile->mode && verdict & VARMOR_DENY;

	if (profile->mode || verdict & VARMOR_AUDIT)
		varmor_report_plain(profile->id, REPORT(kind, action_of(profile, refused), 0, body_size), body);
	return refused;
}

#endif
