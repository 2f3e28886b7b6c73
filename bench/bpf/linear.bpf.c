/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A reference for native/bpf: it looks for the same path in one rule after another. Each rule is a prefix of a path or
 * a whole path, compared eight bytes at a time. The program checks opened files, and reports nothing.
 */
#define VARMOR_MAPS
#include "path.h"
#include "task.h"

char LICENSE[] SEC("license") = "GPL";

volatile __u32 varmor_unknown_zero = 0;

/* The fallback for finding a task's container, which the kernels of a bench do not need. */
__hidden __noinline __u32 varmor_container_by_hand(struct task_struct *task)
{
	return 0;
}

#define RULES 10000
#define WORDS 7

struct linear_rule {
	__u32 length; /* length of the text in bytes */
	__u32 whole;  /* 1 if the path must end here */
	__u64 text[WORDS];
};

struct linear_rules {
	__u64 count;
	struct linear_rule rules[RULES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct linear_rules);
} linear_rules SEC(".maps");

struct search {
	struct linear_rules *rules;
	__u8 *text;
	__u32 start;
	bool found;
};

static long compare(__u32 number, struct search *search)
{
	const struct linear_rule *rule;
	__u32 length, at = search->start;

	if (number >= RULES)
		return 1;
	rule = &search->rules->rules[number];
	length = rule->length;
	if (length > PATH_BYTES - at || (rule->whole && length != PATH_BYTES - at))
		return 0;
	for (__u32 i = 0; i < WORDS; i++) {
		__u32 rest = length - 8 * i;
		__u64 mask = rest < 8 ? (1ULL << (8 * rest)) - 1 : ~0ULL;

		if (8 * i >= length)
			break;
		if ((*(__u64 *)(search->text + ((at + 8 * i) & (PATH_BYTES - 1))) ^ rule->text[i]) & mask)
			return 0;
	}
	search->found = true;
	return 1;
}

SEC("lsm/file_open")
int BPF_PROG(linear_file_open, struct file *file)
{
	struct search search = {};
	struct varmor_scratch *scratch;
	__u32 zero = 0, start;

	if (!container_of_task(current_task()))
		return 0;
	search.rules = bpf_map_lookup_elem(&linear_rules, &zero);
	scratch = take_scratch();
	if (!search.rules || !scratch)
		return 0;
	start = path_into(scratch, TEXT_PATH, file->f_path.dentry, mount_of(file->f_path.mnt), namespace_of(current_task()));
	if (start && start < PATH_BYTES) {
		search.text = scratch->path;
		search.start = start + varmor_unknown_zero;
		bpf_loop(search.rules->count, compare, &search, 0);
	}
	leave_scratch(scratch);
	REFUSE_IF(search.found);
	return 0;
}
