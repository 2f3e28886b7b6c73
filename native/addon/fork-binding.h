/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_BINDING_H
#define VARMOR_FORK_BINDING_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

/* Adds the functions of fork trees to the module's exports and returns the exports. */
napi_value fork_binding_define(napi_env env, napi_value exports);

/* Calls fork_tree_holds for the tree with this number; false if the tree is closed. For any thread. */
bool fork_binding_holds(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *id);

#endif
