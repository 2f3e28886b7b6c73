/* SPDX-License-Identifier: Apache-2.0 */
#include "batch-binding.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const napi_type_tag binding_tag = { 0x8f1c5d0be6a94c37, 0xb2e07a1f4d3895c6 };

void batch_binding_wake(void *context)
{
	struct batch_binding *b = context;

	if (!atomic_exchange(&b->wake_pending, true))
		napi_call_threadsafe_function(b->wake, NULL, napi_tsfn_nonblocking);
}

/* Runs on the JavaScript thread. env is NULL while Node.js destroys the environment. */
static void call_wake(napi_env env, napi_value callback, void *context, void *data)
{
	struct batch_binding *b = context;
	napi_value undefined;

	(void)data;
	if (!env)
		return;
	/* Cleared before the call, so that a batch that becomes ready during the call wakes JavaScript once more. */
	atomic_store(&b->wake_pending, false);
	if (napi_get_undefined(env, &undefined) == napi_ok)
		napi_call_function(env, undefined, callback, 0, NULL, NULL);
}

static void disown(struct batch_binding *b)
{
	if (--b->owners)
		return;
	if (b->producer)
		b->ask->free(b->producer);
	free(b);
}

static void close_binding(void *arg)
{
	struct batch_binding *b = arg;

	if (b->closed)
		return;
	b->closed = true;
	b->ask->close(b->producer);
	napi_remove_env_cleanup_hook(b->env, close_binding, b);
	napi_release_threadsafe_function(b->wake, napi_tsfn_abort);
}

static void finalize_wake(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	disown(data);
}

static void finalize_handle(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	close_binding(data);
	disown(data);
}

struct batch_binding *batch_binding_new(napi_env env, napi_value callback, const struct batch_producer *ask)
{
	struct batch_binding *b = calloc(1, sizeof(*b));
	napi_value name;

	if (!b) {
		give_up(env, "memory");
		return NULL;
	}
	b->env = env;
	b->ask = ask;
	b->owners = 1;
	if (napi_create_string_utf8(env, "varmor batches", NAPI_AUTO_LENGTH, &name) == napi_ok &&
	    napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, b, finalize_wake, b, call_wake,
					    &b->wake) == napi_ok)
		return b;
	free(b);
	give_up(env, "wake");
	return NULL;
}

napi_value batch_binding_open(napi_env env, struct batch_binding *b, void *producer, const struct failure *failure)
{
	napi_value handle;

	if (!producer) {
		b->closed = true;
		napi_release_threadsafe_function(b->wake, napi_tsfn_abort);
		return throw_failure(env, failure);
	}
	b->producer = producer;
	/*
	 * Hooks run in reverse order. This hook is added after the thread-safe function's hook, so the thread ends
	 * before that function is released.
	 */
	napi_add_env_cleanup_hook(env, close_binding, b);
	if (napi_create_external(env, b, finalize_handle, NULL, &handle) != napi_ok) {
		close_binding(b);
		return give_up(env, "handle");
	}
	b->owners++;
	TRY(napi_type_tag_object(env, handle, &binding_tag));
	return handle;
}

struct batch_binding *batch_binding_get(napi_env env, napi_callback_info info, napi_value *second)
{
	napi_value args[2];
	size_t argc = 2;
	napi_valuetype kind = napi_undefined;
	bool ours = false;
	void *data = NULL;

	if (napi_get_cb_info(env, info, &argc, args, NULL, NULL) == napi_ok && argc >= 1)
		napi_typeof(env, args[0], &kind);
	if (kind == napi_external)
		napi_check_object_type_tag(env, args[0], &binding_tag, &ours);
	if (!ours || napi_get_value_external(env, args[0], &data) != napi_ok) {
		give_up(env, "not a producer of batches");
		return NULL;
	}
	if (second)
		*second = args[1];
	return data;
}

/* Copies the oldest batch into the caller's memory, which may be shared with other threads. */
static napi_value read_batch(napi_env env, napi_callback_info info)
{
	napi_value memory, result;
	struct batch_binding *b = batch_binding_get(env, info, &memory);
	napi_typedarray_type kind;
	struct batch *batch;
	uint32_t len = 0;
	size_t room;
	void *bytes;

	if (!b)
		return NULL;
	if (napi_get_typedarray_info(env, memory, &kind, &room, &bytes, NULL, NULL) != napi_ok ||
	    kind != napi_uint8_array)
		return give_up(env, "read(producer, bytes)");
	batch = b->ask->oldest(b->producer);
	if (batch) {
		if (batch->len > room)
			return give_up(env, "room for a batch");
		len = (uint32_t)batch->len;
		memcpy(bytes, batch->bytes, len);
		b->ask->release(b->producer);
	}
	TRY(napi_create_uint32(env, len, &result));
	return result;
}

static napi_value stop_producer(napi_env env, napi_callback_info info)
{
	struct batch_binding *b = batch_binding_get(env, info, NULL);

	if (b)
		b->ask->stop(b->producer);
	return NULL;
}

static napi_value close_producer(napi_env env, napi_callback_info info)
{
	struct batch_binding *b = batch_binding_get(env, info, NULL);

	if (b)
		close_binding(b);
	return NULL;
}

static napi_value has_ended(napi_env env, napi_callback_info info)
{
	struct batch_binding *b = batch_binding_get(env, info, NULL);
	napi_value result;

	if (!b)
		return NULL;
	TRY(napi_get_boolean(env, b->closed || b->ask->ended(b->producer), &result));
	return result;
}

bool batch_binding_define(napi_env env, napi_value exports)
{
	const napi_property_descriptor functions[] = {
		{ "read", NULL, read_batch, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "stop", NULL, stop_producer, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "ended", NULL, has_ended, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "close", NULL, close_producer, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	return napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions) == napi_ok;
}
