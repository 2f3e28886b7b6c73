/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the audit listener available to Node.js. fork-binding.c does the same for the fork tree, and known-binding.c
 * for the decoder of known records. Only src/audit/source/audit-addon.ts loads this addon; it declares the types and
 * describes each function.
 *
 * If the caller does not read, the listener's thread waits, and new records stay in the kernel's socket buffer.
 */
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "audit-listener.h"
#include "batch-binding.h"
#include "fork-binding.h"
#include "known-binding.h"
#include "napi-help.h"
#include "rules-binding.h"

#define MAX_BATCH_BYTES (64 * 1024 * 1024)
#define MAX_BATCHES 1024
#define MAX_NAP_MS 1000
#define MAX_MS (24 * 60 * 60 * 1000)

/* No header defines these commands of syslog(2). */
#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_SIZE_BUFFER 10
#define MAX_KERNEL_LOG (32 * 1024 * 1024)

/* Reads the types from a Uint16Array that holds pairs of a first and a last type. */
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
	       get_u32(env, object, "feed", 0, INT32_MAX, &options->feed) && get_types(env, object, &options->types);
}

static const struct batch_producer listener = {
	.oldest = listener_oldest,
	.release = listener_release,
	.stop = listener_stop,
	.ended = listener_ended,
	.close = listener_close,
	.free = listener_free,
};

static napi_value open_listener(napi_env env, napi_callback_info info)
{
	struct listener_options options = { .wake = batch_binding_wake };
	struct failure failure = { "memory", 0 };
	struct batch_binding *b;
	napi_value args[2];
	size_t argc = 2;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 2 || !get_options(env, args[0], &options))
		return give_up(env, "open(options, wake)");
	b = batch_binding_new(env, args[1], &listener);
	if (!b)
		return give_up(env, "wake");
	options.context = b;
	return batch_binding_open(env, b, listener_start(&options, &failure), &failure);
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
		{ "configChanges", c->config_changes },
		{ "exclusionsRemoved", c->exclusions_removed },
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
	struct batch_binding *b = batch_binding_get(env, info, NULL);
	struct listener *l;
	napi_value stats;

	if (!b)
		return NULL;
	l = b->producer;
	TRY(napi_create_object(env, &stats));
	if (!set_counts(env, stats, &l->counts) || !set_kernel(env, stats, l))
		return give_up(env, "stats");
	return stats;
}

/*
 * Returns the kernel's log. The kernel adds a priority and a time to each line, so the text may be longer than the
 * kernel's buffer.
 */
static char *kernel_log(int *len)
{
	int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
	int room = size > MAX_KERNEL_LOG / 2 ? MAX_KERNEL_LOG : 2 * size;
	char *text = size < 0 ? NULL : malloc((size_t)room + 1);

	if (!text)
		return NULL;
	*len = klogctl(SYSLOG_ACTION_READ_ALL, text, room);
	if (*len >= 0)
		return text;
	free(text);
	return NULL;
}

static napi_value read_kernel_log(napi_env env, napi_callback_info info)
{
	struct failure failure = { "syslog", 0 };
	napi_value buffer;
	napi_status status;
	char *text;
	int len;

	(void)info;
	errno = 0;
	text = kernel_log(&len);
	if (!text) {
		failure.error = errno;
		return throw_failure(env, &failure);
	}
	status = napi_create_buffer_copy(env, (size_t)len, text, NULL, &buffer);
	free(text);
	TRY(status);
	return buffer;
}

NAPI_MODULE_INIT()
{
	const napi_property_descriptor functions[] = {
		{ "open", NULL, open_listener, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "stats", NULL, get_stats, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "readKernelLog", NULL, read_kernel_log, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	TRY(napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions));
	if (!rules_binding_define(env, exports) || !batch_binding_define(env, exports) ||
	    !known_binding_define(env, exports))
		return NULL;
	return fork_binding_define(env, exports);
}
