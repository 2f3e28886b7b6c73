/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the ring of records available to Node.js. src/audit/source/ring-addon.ts has the types and describes each
 * function.
 */
#include "bpf-ring-binding.h"

#include "batch-binding.h"
#include "bpf-ring.h"
#include "napi-help.h"

#define MAX_MS 60000
#define MAX_BATCH_BYTES (64 * 1024 * 1024)
#define MAX_BATCHES 1024
#define MAX_POSITION 0x1p53

static const struct batch_producer producer = {
	.oldest = bpf_ring_oldest,
	.release = bpf_ring_release,
	.stop = bpf_ring_stop,
	.ended = bpf_ring_ended,
	.close = bpf_ring_close,
	.free = bpf_ring_free,
};

static bool get_double(napi_env env, napi_value object, const char *name, double *value)
{
	napi_value property;

	if (napi_get_named_property(env, object, name, &property) == napi_ok &&
	    napi_get_value_double(env, property, value) == napi_ok && is_whole(*value, 0, MAX_POSITION))
		return true;
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", name);
	return false;
}

static napi_value open_ring(napi_env env, napi_callback_info info)
{
	struct bpf_ring_options options = { .wake = batch_binding_wake };
	struct failure failure = { "memory", 0 };
	struct batch_binding *b;
	napi_value args[2], from;
	double position;

	if (!get_args(env, info, 2, args) ||
	    !get_named_text(env, args[0], "folder", options.folder, sizeof(options.folder)) ||
	    !get_u32(env, args[0], "batchBytes", MIN_RECORD_BATCH, MAX_BATCH_BYTES, &options.batch_bytes) ||
	    !get_u32(env, args[0], "batches", 2, MAX_BATCHES, &options.batches) ||
	    !get_u32(env, args[0], "flushMs", 0, MAX_MS, &options.flush_ms) ||
	    !get_u32(env, args[0], "napMs", 1, MAX_MS, &options.nap_ms))
		return NULL;
	TRY(napi_get_named_property(env, args[0], "from", &from));
	if (!get_u32(env, from, "id", 0, UINT32_MAX, &options.from_id) || !get_double(env, from, "position", &position))
		return NULL;
	options.from = (uint64_t)position;
	b = batch_binding_new(env, args[1], &producer);
	if (!b)
		return NULL;
	options.context = b;
	return batch_binding_open(env, b, bpf_ring_start(&options, &failure), &failure);
}

static napi_value ring_stats(napi_env env, napi_callback_info info)
{
	struct batch_binding *b = batch_binding_get(env, info, NULL);
	struct bpf_ring *r;
	napi_value stats;

	if (!b)
		return NULL;
	r = b->producer;
	TRY(napi_create_object(env, &stats));
	if (set_number(env, stats, "id", (double)r->id) &&
	    set_number(env, stats, "records", (double)r->counts.records) &&
	    set_number(env, stats, "malformed", (double)r->counts.malformed) &&
	    set_number(env, stats, "stalls", (double)r->counts.stalls) &&
	    set_number(env, stats, "ringFull", (double)bpf_ring_counter(r, 1)) &&
	    set_number(env, stats, "noScratch", (double)bpf_ring_counter(r, 2)) &&
	    set_number(env, stats, "heldBack", (double)bpf_ring_counter(r, 3)) &&
	    set_number(env, stats, "ringFullNoted", r->noted ? (double)r->noted->ring_full : 0) &&
	    set_number(env, stats, "noScratchNoted", r->noted ? (double)r->noted->no_scratch : 0))
		return stats;
	return give_up(env, "stats");
}

static napi_value taken(napi_env env, napi_callback_info info)
{
	struct batch_binding *b = batch_binding_get(env, info, NULL);
	napi_value position;

	if (!b)
		return NULL;
	TRY(napi_create_double(env, (double)((struct bpf_ring *)b->producer)->taken, &position));
	return position;
}

/* Called when JavaScript has stored all records up to a position, and has reported this number of lost records. */
static napi_value done(napi_env env, napi_callback_info info)
{
	double position, full, no_scratch;
	napi_value what;
	struct batch_binding *b = batch_binding_get(env, info, &what);
	struct bpf_ring *r;

	if (!b || !get_double(env, what, "position", &position) || !get_double(env, what, "ringFull", &full) ||
	    !get_double(env, what, "noScratch", &no_scratch))
		return NULL;
	r = b->producer;
	bpf_ring_done(r, (uint64_t)position);
	if (r->noted) {
		r->noted->ring_full = (uint64_t)full;
		r->noted->no_scratch = (uint64_t)no_scratch;
	}
	return NULL;
}

bool bpf_ring_binding_define(napi_env env, napi_value exports)
{
	const napi_property_descriptor functions[] = {
		{ "openRing", NULL, open_ring, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "ringStats", NULL, ring_stats, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "taken", NULL, taken, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "done", NULL, done, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	return napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions) == napi_ok &&
	       batch_binding_define(env, exports);
}
