/* SPDX-License-Identifier: Apache-2.0 */
#include "rules-binding.h"

#include <errno.h>
#include <stdlib.h>

#include "audit-control.h"
#include "napi-help.h"

/*
 * A kernel thread lists the rules and may be slow. So a thread of libuv's pool waits for the list, not the JavaScript
 * thread.
 */
struct reading {
	napi_async_work work;
	napi_deferred promise;
	struct audit_rules rules;
	int error;
};

static void execute(napi_env env, void *data)
{
	struct reading *reading = data;

	(void)env;
	reading->error = -audit_rules_read(&reading->rules);
}

static napi_value answer(napi_env env, const struct audit_rules *rules)
{
	napi_value object, buffer;

	TRY(napi_create_object(env, &object));
	TRY(napi_create_buffer_copy(env, rules->len, rules->bytes, NULL, &buffer));
	TRY(napi_set_named_property(env, object, "rules", buffer));
	return set_number(env, object, "enabled", rules->enabled) ? object : give_up(env, "enabled");
}

static void complete(napi_env env, napi_status status, void *data)
{
	struct reading *reading = data;
	struct failure failure = { "rules", status == napi_ok ? reading->error : ECANCELED };
	napi_value value = failure.error ? step_error(env, &failure) : answer(env, &reading->rules);

	if (value && failure.error)
		napi_reject_deferred(env, reading->promise, value);
	else if (value)
		napi_resolve_deferred(env, reading->promise, value);
	napi_delete_async_work(env, reading->work);
	audit_rules_free(&reading->rules);
	free(reading);
}

static napi_value read_audit_rules(napi_env env, napi_callback_info info)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	napi_value title, promise;

	(void)info;
	if (reading && napi_create_string_utf8(env, "readAuditRules", NAPI_AUTO_LENGTH, &title) == napi_ok &&
	    napi_create_promise(env, &reading->promise, &promise) == napi_ok &&
	    napi_create_async_work(env, NULL, title, execute, complete, reading, &reading->work) == napi_ok &&
	    napi_queue_async_work(env, reading->work) == napi_ok)
		return promise;
	free(reading);
	return give_up(env, "readAuditRules");
}

bool rules_binding_define(napi_env env, napi_value exports)
{
	const napi_property_descriptor function = {
		.utf8name = "readAuditRules",
		.method = read_audit_rules,
		.attributes = napi_enumerable,
	};

	return napi_define_properties(env, exports, 1, &function) == napi_ok;
}
