/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BPF_RING_BINDING_H
#define VARMOR_BPF_RING_BINDING_H

#include <node_api.h>
#include <stdbool.h>

/* Adds to the exports: `openRing`, `ringStats`, `done`, and the functions that all producers of batches have. */
bool bpf_ring_binding_define(napi_env env, napi_value exports);

#endif
