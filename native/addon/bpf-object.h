/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_OBJECT_H
#define VARMOR_BPF_OBJECT_H

#include <stdbool.h>

/*
 * Whether varmor-old.bpf.o is loaded, because the kernel lacks a feature that varmor.bpf.o needs: bpf_loop() (Linux
 * 5.17), task storage (5.11) or the hook for new user namespaces (6.1). This probes each feature and does not compare
 * versions, because distributions backport features into older kernels.
 */
bool bpf_needs_old_object(void);

#endif
