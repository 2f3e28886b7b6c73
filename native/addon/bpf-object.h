/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_OBJECT_H
#define VARMOR_BPF_OBJECT_H

#include <stdbool.h>

/*
 * Whether the kernel lacks what varmor.bpf.o needs, so that varmor-old.bpf.o is loaded: bpf_loop() (Linux 5.17), storage of tasks (5.11)
 * or the hook for new user namespaces (6.1). They are looked for, as distributions take such things into older kernels.
 */
bool bpf_needs_old_object(void);

#endif
