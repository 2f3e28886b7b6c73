/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_RULES_BINDING_H
#define VARMOR_RULES_BINDING_H

#include <node_api.h>
#include <stdbool.h>

/* Adds `readAuditRules` to the exports. */
bool rules_binding_define(napi_env env, napi_value exports);

#endif
