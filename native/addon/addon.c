/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit listener for Node.js; fork-binding.c has the fork tree. Its types, and what each function does for a caller,
 * are in src/audit/source/audit-addon.ts, which is the only file that loads it.
 *
 * JavaScript pulls: the listener's thread only says that there is something (a thread-safe function whose calls are
 * merged into one while it is pending), and `read` takes the oldest batch. A caller that does not read stops the
 * thread, and the kernel's socket buffer holds what comes.
 */
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "audit-listener.h"
#include "fork-binding.h"
#include "napi-help.h"

#define MAX_BATCH_BYTES (64 * 1024 * 1024)
#define MAX_BATCHES 1024
#define MAX_NAP_MS 1000
#define MAX_MS (24 * 60 * 60 * 1000)

/* Released by whichever goes last: the handle in JavaScript or the thread-safe function. */
struct binding {
	napi_env env;
	struct listener *listener;
	napi_threadsafe_function wake;
	_Atomic bool wake_pending;
	bool closed;
	int owners;
};

static const napi_type_tag binding_tag = { 0x8f1c5d0be6a94c37, 0xb2e07a1f4d3895c6 };

/* Pairs of first and last type in a Uint16Array. */
static bool get_types(napi_env env, napi_value object, struct type_set *types)
{
	napi_typedarray_type kind;
	napi_value array;
	uint16_t *pairs;
	size_t len, i;
	unsigned int type;

	if (napi_get_named_property(env, object, "types", &array) != napi_ok ||
	    napi_get_typedarray_info(env, array, &kind, &len, (void **)&pairs, NULL, NULL) != napi_ok ||
	    kind != napi_uint16_array || len % 2) {
		napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "types");
		return false;
	}
	for (i = 0; i < len; i += 2)
		for (type = pairs[i]; type <= pairs[i + 1]; type++)
			type_set_add(types, (uint16_t)type);
	return true;
}

static bool get_options(napi_env env, napi_value object, struct listener_options *options)
{
	return get_u32(env, object, "batchBytes", MIN_BATCH_BYTES, MAX_BATCH_BYTES, &options->batch_bytes) &&
	       get_u32(env, object, "batches", 2, MAX_BATCHES, &options->batches) &&
	       get_u32(env, object, "flushMs", 0, MAX_MS, &options->flush_ms) &&
	       get_u32(env, object, "napMs", 0, MAX_NAP_MS, &options->nap_ms) &&
	       get_u32(env, object, "sampleMs", 0, MAX_MS, &options->sample_ms) &&
	       get_u32(env, object, "receiveBuffer", 0, INT32_MAX, &options->receive_buffer) &&
	       get_u32(env, object, "backlogLimit", 0, INT32_MAX, &options->backlog_limit) &&
	       get_u32(env, object, "feed", 0, INT32_MAX, &options->feed) &&
	       get_types(env, object, &options->types);
}

/* On the listener's thread. */
static void wake(void *context)
{
	struct binding *b = context;

	if (!atomic_exchange(&b->wake_pending, true))
		napi_call_threadsafe_function(b->wake, NULL, napi_tsfn_nonblocking);
}

/* On the JavaScript thread; env is NULL when the environment is going away. */
static void call_wake(napi_env env, napi_value callback, void *context, void *data)
{
	struct binding *b = context;
	napi_value undefined;

	(void)data;
	if (!env)
		return;
	/* Before the call: what becomes ready during it must wake once more. */
	atomic_store(&b->wake_pending, false);
	if (napi_get_undefined(env, &undefined) == napi_ok)
		napi_call_function(env, undefined, callback, 0, NULL, NULL);
}

static void disown(struct binding *b)
{
	if (--b->owners)
		return;
	if (b->listener)
		listener_free(b->listener);
	free(b);
}

static void close_binding(void *arg)
{
	struct binding *b = arg;

	if (b->closed)
		return;
	b->closed = true;
	listener_close(b->listener);
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

static napi_status create_wake(napi_env env, napi_value callback, struct binding *b)
{
	napi_value name;
	napi_status status = napi_create_string_utf8(env, "varmor audit", NAPI_AUTO_LENGTH, &name);

	if (status != napi_ok)
		return status;
	return napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, b, finalize_wake, b, call_wake, &b->wake);
}

static napi_value create_handle(napi_env env, struct binding *b)
{
	napi_value handle;

	if (napi_create_external(env, b, finalize_handle, NULL, &handle) != napi_ok) {
		close_binding(b);
		return give_up(env, "handle");
	}
	b->owners++;
	TRY(napi_type_tag_object(env, handle, &binding_tag));
	return handle;
}

static napi_value open_listener(napi_env env, napi_callback_info info)
{
	struct listener_options options = { .wake = wake };
	struct failure failure = { "memory", 0 };
	struct binding *b;
	napi_value args[2];
	size_t argc = 2;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 2 || !get_options(env, args[0], &options))
		return give_up(env, "open(options, wake)");
	b = calloc(1, sizeof(*b));
	if (!b)
		return give_up(env, "memory");
	b->env = env;
	if (create_wake(env, args[1], b) != napi_ok) {
		free(b);
		return give_up(env, "wake");
	}
	b->owners = 1;
	options.context = b;
	b->listener = listener_start(&options, &failure);
	if (!b->listener) {
		b->closed = true;
		napi_release_threadsafe_function(b->wake, napi_tsfn_abort);
		return throw_failure(env, &failure);
	}
	/* Added after the thread-safe function, so it runs before that one's own hook: the thread ends first. */
	napi_add_env_cleanup_hook(env, close_binding, b);
	return create_handle(env, b);
}

/* The listener that is the first argument; the one behind it, if that is asked for. */
static struct binding *get_binding(napi_env env, napi_callback_info info, napi_value *second)
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
		give_up(env, "not a listener");
		return NULL;
	}
	if (second)
		*second = args[1];
	return data;
}

/* Copies the oldest batch. Its memory is the caller's, and may be shared with other threads. */
static napi_value read_batch(napi_env env, napi_callback_info info)
{
	napi_value memory, result;
	struct binding *b = get_binding(env, info, &memory);
	napi_typedarray_type kind;
	struct batch *batch;
	uint32_t len = 0;
	size_t room;
	void *bytes;

	if (!b)
		return NULL;
	if (napi_get_typedarray_info(env, memory, &kind, &room, &bytes, NULL, NULL) != napi_ok || kind != napi_uint8_array)
		return give_up(env, "read(listener, bytes)");
	batch = listener_oldest(b->listener);
	if (batch) {
		if (batch->len > room)
			return give_up(env, "room for a batch");
		len = (uint32_t)batch->len;
		memcpy(bytes, batch->bytes, len);
		listener_release(b->listener);
	}
	TRY(napi_create_uint32(env, len, &result));
	return result;
}

static napi_value stop_listener(napi_env env, napi_callback_info info)
{
	struct binding *b = get_binding(env, info, NULL);

	if (b)
		listener_stop(b->listener);
	return NULL;
}

static napi_value close_listener(napi_env env, napi_callback_info info)
{
	struct binding *b = get_binding(env, info, NULL);

	if (b)
		close_binding(b);
	return NULL;
}

static napi_value has_ended(napi_env env, napi_callback_info info)
{
	struct binding *b = get_binding(env, info, NULL);
	napi_value result;

	if (!b)
		return NULL;
	TRY(napi_get_boolean(env, b->closed || listener_ended(b->listener), &result));
	return result;
}

static bool set_counts(napi_env env, napi_value stats, const struct listener_counts *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "received", c->received },
		{ "passed", c->passed },
		{ "filtered", c->filtered },
		{ "foreign", c->foreign },
		{ "malformed", c->malformed },
		{ "truncated", c->truncated },
		{ "discarded", c->discarded },
		{ "overruns", c->overruns },
		{ "stalls", c->stalls },
		{ "samples", c->samples },
		{ "error", (uint64_t)c->error },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!set_number(env, stats, rows[i].name, (double)rows[i].value))
			return false;
	return true;
}

static bool set_kernel(napi_env env, napi_value stats, struct listener *l)
{
	uint64_t drops = listener_socket_drops(l);
	bool known = l->backlog.known;

	return set_number(env, stats, "receiveBuffer", l->socket_buffer) &&
	       set_known(env, stats, "socketDrops", drops != UINT64_MAX, (double)drops) &&
	       set_known(env, stats, "kernelLost", known, (double)l->counts.kernel_lost) &&
	       set_known(env, stats, "kernelBacklog", known, l->counts.kernel_backlog) &&
	       set_known(env, stats, "auditEnabled", known, l->counts.audit_enabled) &&
	       set_known(env, stats, "auditd", known, l->counts.auditd) &&
	       set_known(env, stats, "backlogLimitBefore", known, l->backlog.before) &&
	       set_known(env, stats, "backlogLimitAfter", known, l->backlog.after) &&
	       set_number(env, stats, "backlogError", l->backlog.error);
}

static napi_value get_stats(napi_env env, napi_callback_info info)
{
	struct binding *b = get_binding(env, info, NULL);
	napi_value stats;

	if (!b)
		return NULL;
	TRY(napi_create_object(env, &stats));
	if (!set_counts(env, stats, &b->listener->counts) || !set_kernel(env, stats, b->listener))
		return give_up(env, "stats");
	return stats;
}

NAPI_MODULE_INIT()
{
	const napi_property_descriptor functions[] = {
		{ "open", NULL, open_listener, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "read", NULL, read_batch, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "stop", NULL, stop_listener, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "close", NULL, close_listener, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "ended", NULL, has_ended, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "stats", NULL, get_stats, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	TRY(napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions));
	return fork_binding_define(env, exports);
}
