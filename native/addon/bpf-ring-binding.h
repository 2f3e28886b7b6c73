/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_RING_BINDING_H
#define VARMOR_BPF_RING_BINDING_H

#include <node_api.h>
#include <stdbool.h>

/* Adds `openRing`, `ringStats`, `done` and the functions that all producers of batches have to the exports. */
bool bpf_ring_binding_define(napi_env env, napi_value exports);

#endif
