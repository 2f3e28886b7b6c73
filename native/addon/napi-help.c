/* SPDX-License-Identifier: Apache-2.0 */
#include "napi-help.h"

#include <math.h>
#include <string.h>

napi_value give_up(napi_env env, const char *what)
{
	bool pending = false;

	napi_is_exception_pending(env, &pending);
	if (!pending)
		napi_throw_error(env, "ERR_NAPI", what);
	return NULL;
}

bool set_number(napi_env env, napi_value object, const char *name, double value)
{
	napi_value number;

	return napi_create_double(env, value, &number) == napi_ok &&
	       napi_set_named_property(env, object, name, number) == napi_ok;
}

bool set_null(napi_env env, napi_value object, const char *name)
{
	napi_value null;

	return napi_get_null(env, &null) == napi_ok && napi_set_named_property(env, object, name, null) == napi_ok;
}

bool set_known(napi_env env, napi_value object, const char *name, bool known, double value)
{
	return known ? set_number(env, object, name, value) : set_null(env, object, name);
}

napi_value step_error(napi_env env, const struct failure *failure)
{
	napi_value message, error, step;

	TRY(napi_create_string_utf8(env, strerror(failure->error), NAPI_AUTO_LENGTH, &message));
	TRY(napi_create_error(env, NULL, message, &error));
	TRY(napi_create_string_utf8(env, failure->step, NAPI_AUTO_LENGTH, &step));
	TRY(napi_set_named_property(env, error, "step", step));
	return set_number(env, error, "errno", failure->error) ? error : give_up(env, "errno");
}

napi_value throw_failure(napi_env env, const struct failure *failure)
{
	napi_value error = step_error(env, failure);

	if (error)
		TRY(napi_throw(env, error));
	return NULL;
}

bool is_whole(double number, double least, double most)
{
	return number >= least && number <= most && trunc(number) == number;
}

/* Read as a double, because napi_get_value_uint32 wraps a number that does not fit. */
bool get_u32(napi_env env, napi_value object, const char *name, uint32_t least, uint32_t most, uint32_t *value)
{
	napi_value property;
	double number;

	if (napi_get_named_property(env, object, name, &property) != napi_ok ||
	    napi_get_value_double(env, property, &number) != napi_ok || !is_whole(number, least, most)) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", name);
		return false;
	}
	*value = (uint32_t)number;
	return true;
}

/* Gets a text that fits into the room; false with an exception. */
bool get_text(napi_env env, napi_value value, const char *what, char *text, size_t room)
{
	size_t length;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) == napi_ok && length > 0 && length < room &&
	    napi_get_value_string_utf8(env, value, text, room, &length) == napi_ok && strlen(text) == length)
		return true;
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", what);
	return false;
}

bool get_named_text(napi_env env, napi_value object, const char *name, char *text, size_t room)
{
	napi_value value;

	return napi_get_named_property(env, object, name, &value) == napi_ok && get_text(env, value, name, text, room);
}

bool get_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args)
{
	size_t argc = wanted;

	if (napi_get_cb_info(env, info, &argc, args, NULL, NULL) == napi_ok && argc >= wanted)
		return true;
	give_up(env, "too few arguments");
	return false;
}
