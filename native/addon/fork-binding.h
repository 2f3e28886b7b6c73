/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_BINDING_H
#define VARMOR_FORK_BINDING_H

#include <node_api.h>

/* Adds the functions of fork trees to the module's exports, and returns these. */
napi_value fork_binding_define(napi_env env, napi_value exports);

#endif
