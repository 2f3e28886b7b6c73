/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_BINDING_H
#define VARMOR_FORK_BINDING_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

/* Adds the functions of fork trees to the module's exports, and returns these. */
napi_value fork_binding_define(napi_env env, napi_value exports);

/* As fork_tree_holds, of the tree with the number; false when that is closed. From any thread. */
bool fork_binding_holds(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *id);

#endif
