/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_KNOWN_BINDING_H
#define VARMOR_KNOWN_BINDING_H

#include <node_api.h>
#include <stdbool.h>

/* Adds the functions of known records to `exports`. */
bool known_binding_define(napi_env env, napi_value exports);

#endif
