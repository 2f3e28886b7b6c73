/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_NAPI_HELP_H
#define VARMOR_NAPI_HELP_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit-socket.h"

/* Throws an error because a call of Node-API failed: out of memory, or an exception is already pending. */
napi_value give_up(napi_env env, const char *what);

#define TRY(call)                                   \
	do {                                        \
		if ((call) != napi_ok)              \
			return give_up(env, #call); \
	} while (0)

bool set_number(napi_env env, napi_value object, const char *name, double value);
bool set_null(napi_env env, napi_value object, const char *name);
/* Sets the property to the value, or to null if the value is not known. */
bool set_known(napi_env env, napi_value object, const char *name, bool known, double value);

/* Makes an error with step and errno; NULL with an exception. */
napi_value step_error(napi_env env, const struct failure *failure);
/* Throws the failure as such an error. */
napi_value throw_failure(napi_env env, const struct failure *failure);

/* Whether a JavaScript number is a whole number within bounds. A conversion would change any other number. */
bool is_whole(double number, double least, double most);

/* Gets a whole number within bounds; false with a RangeError that names it. */
bool get_u32(napi_env env, napi_value object, const char *name, uint32_t least, uint32_t most, uint32_t *value);

/* Gets a text without NUL that fits into the room; false with an exception that names it. */
bool get_text(napi_env env, napi_value value, const char *what, char *text, size_t room);
bool get_named_text(napi_env env, napi_value object, const char *name, char *text, size_t room);

/* Gets the wanted number of arguments; false with an exception. */
bool get_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args);

#endif
