/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf-object.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

static bool has_hook(const char *function)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	bool has = kernel && btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC) > 0;

	btf__free(kernel);
	return has;
}

bool bpf_needs_old_object(void)
{
	/*
	 * libbpf cannot probe a helper for LSM programs. A kernel that has these helpers has them for all program
	 * types, so this probes the type KPROBE.
	 */
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) <= 0 ||
	       libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) <= 0 || !has_hook("bpf_lsm_userns_create");
}
