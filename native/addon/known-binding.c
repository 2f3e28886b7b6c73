/* SPDX-License-Identifier: Apache-2.0 */
/* Makes known records available to Node.js; src/audit/batch/known-addon.ts has the types. */
#include "known-binding.h"

#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "fork-binding.h"
#include "known-records.h"
#include "napi-help.h"

#define MAX_TEXT 65536
#define MAX_FORK_KEY 0x1p53
#define MAX_SECONDS 1e9 /* a larger number would not fit as nanoseconds */

/* The numbers have the order of `state` in known-addon.ts. */
enum {
	STATE_AT,
	STATE_OUT,
	STATE_WRITTEN,
	STATE_FILTERED,
	STATE_STOP,
	STATE_TOUCHED,
	STATE_KIND,
	STATE_AUDIT,
	STATE_END,
	STATE_VALUES,
	STATE_NUMBERS = STATE_VALUES + 2 * KNOWN_VALUES,
};

/* Kinds and counters are in memory of JavaScript, which keeps that memory at least as long as this binding. */
struct binding {
	struct known_records *records;
	int32_t *state;
	const struct known_form *learnt; /* the form that was learnt last, for comparison */
	bool counted; /* V8 knows the size of this memory */
};

struct array {
	void *data;
	size_t len;
};

static const napi_type_tag tag = { 0x6b6e6f776e207265, 0x636f726473206f66 };

static bool get_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t least, struct array *array)
{
	napi_typedarray_type kind;

	if (napi_get_typedarray_info(env, value, &kind, &array->len, &array->data, NULL, NULL) == napi_ok &&
	    kind == wanted && array->len >= least)
		return true;
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "typed array");
	return false;
}

static bool get_int(napi_env env, napi_value value, int64_t least, int64_t most, int64_t *number)
{
	double given;

	/* Read as a double, because napi_get_value_int64 changes NaN and infinity to 0 and drops fractions. */
	if (napi_get_value_double(env, value, &given) == napi_ok && is_whole(given, (double)least, (double)most)) {
		*number = (int64_t)given;
		return true;
	}
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "number");
	return false;
}

/* Gets the wanted number of arguments; the first one is the known records. NULL with an exception. */
static struct binding *get_binding(napi_env env, napi_callback_info info, size_t wanted, napi_value *args)
{
	bool is_ours = false;
	void *data = NULL;

	if (!get_args(env, info, wanted, args))
		return NULL;
	if (napi_check_object_type_tag(env, args[0], &tag, &is_ours) == napi_ok && is_ours &&
	    napi_unwrap(env, args[0], &data) == napi_ok)
		return data;
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "known records");
	return NULL;
}

static void free_binding(napi_env env, void *data, void *hint)
{
	struct binding *b = data;
	int64_t all;

	(void)hint;
	if (b->counted)
		napi_adjust_external_memory(env, -(int64_t)known_records_bytes, &all);
	known_records_free(b->records);
	free(b);
}

/* openKnown(state, events, touched) */
static napi_value open_known(napi_env env, napi_callback_info info)
{
	struct array state, events, touched;
	struct binding *b;
	napi_value args[3], object;
	int64_t all;

	if (!get_args(env, info, 3, args) || !get_array(env, args[0], napi_int32_array, STATE_NUMBERS, &state) ||
	    !get_array(env, args[1], napi_uint32_array, KNOWN_OPENINGS, &events) ||
	    !get_array(env, args[2], napi_int32_array, KNOWN_OPENINGS, &touched))
		return NULL;
	TRY(napi_create_object(env, &object));
	b = calloc(1, sizeof(*b));
	if (!b)
		return give_up(env, "memory");
	b->records = known_records_new();
	b->state = state.data;
	if (!b->records || napi_wrap(env, object, b, free_binding, NULL, NULL) != napi_ok) {
		free_binding(env, b, NULL);
		return give_up(env, "memory");
	}
	/* Tells V8 the size. Otherwise V8 sees only a small object, and does not collect it to free these megabytes. */
	b->counted = napi_adjust_external_memory(env, (int64_t)known_records_bytes, &all) == napi_ok;
	TRY(napi_type_tag_object(env, object, &tag));
	known_records_use_counters(b->records, events.data, touched.data, &b->state[STATE_TOUCHED]);
	return object;
}

/* useKinds(known, places, rows, arena, touched, rowsOf, others, touchedOthers, lineKinds, sums) */
static napi_value use_kinds(napi_env env, napi_callback_info info)
{
	struct array a[9];
	struct known_kinds kinds;
	struct binding *b;
	napi_value args[10];
	size_t i;

	b = get_binding(env, info, 10, args);
	for (i = 0; i < 9; i++)
		if (!b || !get_array(env, args[i + 1], i == 2 ? napi_uint8_array : napi_int32_array,
				     i == 8 ? KINDS_SUMS : 0, &a[i]))
			return NULL;
	kinds = (struct known_kinds){
		.places = a[0].data,
		.place_count = (uint32_t)a[0].len,
		.rows = a[1].data,
		.row_count = (uint32_t)(a[1].len / 8),
		.arena = a[2].data,
		.arena_len = (uint32_t)a[2].len,
		.touched = a[3].data,
		.rows_of = a[4].data,
		.others = a[5].data,
		.touched_others = a[6].data,
		.owners = (uint32_t)a[4].len,
		.line_kinds = a[7].data,
		.line_count = (uint32_t)a[7].len,
		.sums = a[8].data,
	};
	if (!kinds.place_count || (kinds.place_count & (kinds.place_count - 1)) || a[3].len < kinds.row_count ||
	    a[5].len < kinds.owners || a[6].len / 2 < kinds.owners)
		return give_up(env, "useKinds");
	known_records_use_kinds(b->records, &kinds);
	return NULL;
}

/* beginKnown(known, held) */
static napi_value begin_known(napi_env env, napi_callback_info info)
{
	struct binding *b;
	napi_value args[2];
	bool held;

	b = get_binding(env, info, 2, args);
	if (!b)
		return NULL;
	TRY(napi_get_value_bool(env, args[1], &held));
	known_records_begin(b->records, held);
	return NULL;
}

/* forgetKnown(known) */
static napi_value forget_known(napi_env env, napi_callback_info info)
{
	struct binding *b;
	napi_value args[1];

	b = get_binding(env, info, 1, args);
	if (b)
		known_records_forget(b->records);
	return NULL;
}

static void set_values(struct binding *b, const struct known_range *values, size_t end)
{
	int i;

	b->state[STATE_END] = (int32_t)end;
	for (i = 0; i < KNOWN_VALUES; i++) {
		b->state[STATE_VALUES + 2 * i] = (int32_t)values[i].start;
		b->state[STATE_VALUES + 2 * i + 1] = (int32_t)values[i].end;
	}
}

/* runKnown(known, bytes, output) */
static napi_value run_known(napi_env env, napi_callback_info info)
{
	struct array bytes, output;
	struct known_run run;
	struct binding *b;
	napi_value args[3];

	b = get_binding(env, info, 3, args);
	if (!b || !get_array(env, args[1], napi_uint8_array, 0, &bytes) ||
	    !get_array(env, args[2], napi_uint8_array, 0, &output))
		return NULL;
	run = (struct known_run){
		.bytes = bytes.data,
		.len = bytes.len,
		.out = output.data,
		.out_room = output.len,
		.at = (uint32_t)b->state[STATE_AT],
		.out_len = (uint32_t)b->state[STATE_OUT],
		.holds = fork_binding_holds,
		.now = now_ns(),
	};
	if (run.len > INT32_MAX || run.out_room > INT32_MAX || run.at > run.len || run.out_len > run.out_room)
		return give_up(env, "runKnown");
	known_records_run(b->records, &run);
	b->state[STATE_AT] = (int32_t)run.at;
	b->state[STATE_OUT] = (int32_t)run.out_len;
	b->state[STATE_WRITTEN] = (int32_t)run.written;
	b->state[STATE_FILTERED] = (int32_t)run.filtered;
	b->state[STATE_STOP] = (int32_t)run.stop;
	b->state[STATE_KIND] = run.kind;
	b->state[STATE_AUDIT] = (int32_t)run.audit;
	set_values(b, run.values, run.end);
	return NULL;
}

static bool get_parts(const struct array *numbers, const struct array *literals, struct known_part *parts,
		      uint32_t *count)
{
	const int32_t *number = numbers->data;
	size_t at = 0;

	*count = (uint32_t)(numbers->len / 2);
	if (numbers->len / 2 > KNOWN_MAX_PARTS)
		return false;
	for (uint32_t i = 0; i < *count; i++, number += 2) {
		if (number[0] < 0 || (size_t)number[0] > literals->len - at || number[1] < 0)
			return false;
		parts[i] = (struct known_part){
			.literal = (const uint8_t *)literals->data + at,
			.len = (uint32_t)number[0],
			.value = (enum known_value)number[1],
		};
		at += (size_t)number[0];
	}
	return true;
}

static struct known_form *get_form(const int32_t *head, const struct array *numbers, const struct array *texts)
{
	const struct known_form facts = {
		.kind = (uint8_t)head[0],
		.prefix = head[1],
		.added = (uint32_t)head[2],
		.counted_len = (uint32_t)head[3],
		.counted = (uint8_t)head[4],
	};
	struct known_piece pieces[KNOWN_MAX_PIECES];
	const int32_t *number = numbers->data;
	uint32_t i, count = (uint32_t)(numbers->len / 3);

	if (numbers->len / 3 > KNOWN_MAX_PIECES || texts->len > KNOWN_MAX_TEXT)
		return NULL;
	for (i = 0; i < count; i++, number += 3)
		pieces[i] = (struct known_piece){ (uint8_t)number[0], (uint8_t)number[1], (uint16_t)number[2], 0 };
	return known_form_new(&facts, pieces, count, texts->data, (uint32_t)texts->len);
}

/* learnForm(known, family, parts, literals, head, pieces, texts) */
static napi_value learn_form(napi_env env, napi_callback_info info)
{
	struct array parts, literals, head, pieces, texts;
	struct known_part part[KNOWN_MAX_PARTS];
	struct known_form *form = NULL;
	struct binding *b;
	napi_value args[7], result;
	int64_t family;
	uint32_t count;
	bool learnt = false;

	b = get_binding(env, info, 7, args);
	if (!b || !get_int(env, args[1], 0, KNOWN_FAMILIES - 1, &family) ||
	    !get_array(env, args[2], napi_int32_array, 0, &parts) ||
	    !get_array(env, args[3], napi_uint8_array, 0, &literals) ||
	    !get_array(env, args[4], napi_int32_array, 5, &head) ||
	    !get_array(env, args[5], napi_int32_array, 0, &pieces) ||
	    !get_array(env, args[6], napi_uint8_array, 0, &texts))
		return NULL;
	if (get_parts(&parts, &literals, part, &count))
		form = get_form(head.data, &pieces, &texts);
	if (form)
		learnt = known_forms_add(known_records_forms(b->records), (enum known_family)family, part, count, form);
	if (!learnt)
		free(form);
	b->learnt = learnt ? form : NULL;
	TRY(napi_get_boolean(env, learnt, &result));
	return result;
}

/* matchForm(known, family, bytes, body) */
static napi_value match_form(napi_env env, napi_callback_info info)
{
	struct known_range ranges[KNOWN_VALUES] = { 0 };
	struct array bytes;
	struct binding *b;
	napi_value args[4], result;
	int64_t family, body;
	const struct known_form *form;
	size_t end = 0;

	b = get_binding(env, info, 4, args);
	if (!b || !get_int(env, args[1], 0, KNOWN_FAMILIES - 1, &family) ||
	    !get_array(env, args[2], napi_uint8_array, 0, &bytes) || !get_int(env, args[3], 0, INT32_MAX, &body))
		return NULL;
	form = known_forms_match(known_records_forms(b->records), (enum known_family)family, bytes.data, bytes.len,
				 (size_t)body, ranges, &end);
	set_values(b, ranges, end);
	TRY(napi_get_boolean(env, form && form == b->learnt, &result));
	return result;
}

/* dropForm(known) */
static napi_value drop_form(napi_env env, napi_callback_info info)
{
	struct binding *b;
	napi_value args[1];

	b = get_binding(env, info, 1, args);
	if (!b)
		return NULL;
	known_forms_drop(known_records_forms(b->records), b->learnt);
	b->learnt = NULL;
	return NULL;
}

/* Splits joined texts by their lengths. */
static bool get_texts(const struct array *bytes, const uint32_t *lengths, int count, struct known_text *texts)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		if (lengths[i] > MAX_TEXT || lengths[i] > bytes->len - at)
			return false;
		texts[i] = (struct known_text){ (const char *)bytes->data + at, lengths[i] };
		at += lengths[i];
	}
	return true;
}

static bool get_number_and_texts(napi_env env, napi_callback_info info, int count, struct binding **b, double *numbers,
				 size_t number_count, struct known_text *texts)
{
	struct array bytes, lengths, given;
	napi_value args[4];

	*b = get_binding(env, info, 4, args);
	if (!*b || !get_array(env, args[1], napi_float64_array, number_count, &given) ||
	    !get_array(env, args[2], napi_uint32_array, (size_t)count, &lengths) ||
	    !get_array(env, args[3], napi_uint8_array, 0, &bytes))
		return false;
	if (number_count)
		memcpy(numbers, given.data, number_count * sizeof(*numbers));
	if (get_texts(&bytes, lengths.data, count, texts))
		return true;
	give_up(env, "texts");
	return false;
}

static napi_value number_result(napi_env env, int number)
{
	napi_value result;

	TRY(napi_create_int32(env, number, &result));
	return result;
}

/* addLabel(known, [], lengths of bytes and JSON, texts) */
static napi_value add_label(napi_env env, napi_callback_info info)
{
	struct known_text texts[2];
	struct binding *b;

	if (!get_number_and_texts(env, info, 2, &b, NULL, 0, texts))
		return NULL;
	return number_result(env, known_records_add_label(b->records, texts[0], texts[1]));
}

/* passOver(known, label) */
static napi_value pass_over(napi_env env, napi_callback_info info)
{
	struct binding *b;
	napi_value args[2];
	int64_t label;

	b = get_binding(env, info, 2, args);
	if (b && get_int(env, args[1], 0, INT32_MAX, &label))
		known_records_pass_over(b->records, (int)label);
	return NULL;
}

/* addOpening(known, [place, head, origin], lengths of start, before, behind and container id with a NUL, texts) */
static napi_value add_opening(napi_env env, napi_callback_info info)
{
	struct known_opening_facts facts;
	struct known_text texts[4];
	struct binding *b;
	double numbers[3];
	int i;

	if (!get_number_and_texts(env, info, 4, &b, numbers, 3, texts))
		return NULL;
	for (i = 0; i < 3; i++)
		if (!is_whole(numbers[i], INT32_MIN, INT32_MAX))
			return give_up(env, "addOpening");
	facts = (struct known_opening_facts){
		.start = texts[0],
		.before = texts[1],
		.behind = texts[2],
		.container = texts[3],
		.place = (int32_t)numbers[0],
		.head = (int32_t)numbers[1],
		.origin = (int32_t)numbers[2],
	};
	return number_result(env, known_records_add_opening(b->records, &facts));
}

/*
 * teachProcess(known, [pid, second, since, label, kind, opening, of this batch only, tree, key, until],
 * [length of about], about)
 */
static napi_value teach_process(napi_env env, napi_callback_info info)
{
	struct known_process_facts facts;
	struct known_text about;
	struct binding *b;
	double n[10];

	if (!get_number_and_texts(env, info, 1, &b, n, 10, &about))
		return NULL;
	if (!is_whole(n[0], 0, INT32_MAX) || !is_whole(n[3], 0, INT32_MAX) || !is_whole(n[4], 0, UINT8_MAX) ||
	    !is_whole(n[5], 0, INT32_MAX) || !is_whole(n[7], 0, UINT32_MAX) || !is_whole(n[8], 0, MAX_FORK_KEY - 1) ||
	    !(n[9] >= 0 && n[9] < MAX_SECONDS))
		return give_up(env, "teachProcess");
	facts = (struct known_process_facts){
		.pid = (uint32_t)n[0],
		.second = n[1],
		.since = n[2],
		.of_batch = n[6] != 0,
		.fork = { (uint32_t)n[7], (uint64_t)n[8], (uint64_t)(n[9] * 1e9) },
		.label = (int)n[3],
		.about = about,
		.kind = (uint8_t)n[4],
		.opening = (int)n[5],
	};
	return number_result(env, known_records_teach(b->records, &facts));
}

/* setSecond(known, [second], lengths of its texts, texts) */
static napi_value set_second(napi_env env, napi_callback_info info)
{
	struct known_text texts[KNOWN_TIMES];
	struct binding *b;
	double second;

	if (!get_number_and_texts(env, info, KNOWN_TIMES, &b, &second, 1, texts))
		return NULL;
	return number_result(env, known_records_set_second(b->records, second, texts));
}

bool known_binding_define(napi_env env, napi_value exports)
{
	const napi_property_descriptor functions[] = {
		{ "openKnown", NULL, open_known, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "useKinds", NULL, use_kinds, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "beginKnown", NULL, begin_known, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "forgetKnown", NULL, forget_known, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "runKnown", NULL, run_known, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "learnForm", NULL, learn_form, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "matchForm", NULL, match_form, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "dropForm", NULL, drop_form, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "passOver", NULL, pass_over, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "addLabel", NULL, add_label, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "addOpening", NULL, add_opening, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "teachProcess", NULL, teach_process, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "setSecond", NULL, set_second, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	return napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions) == napi_ok;
}
