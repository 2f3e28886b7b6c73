/* SPDX-License-Identifier: Apache-2.0 */
#include "known-records.h"

#include "known-facts.h"
#include "record-hash.h"

#define MAX_SERIAL 20 /* digits */
/* For longer keys, src/audit/batch/kind-table.ts counts by a hash. */
#define MAX_KEY 1024

/* The current record. */
struct record {
	enum known_family family;
	size_t start;
	size_t body;
	size_t end;
	struct known_range id;
	struct known_range fraction;
	struct known_range serial;
	struct known_range values[KNOWN_VALUES];
	uint32_t pid;
};

static bool begins(const struct known_run *run, size_t at, const char *text, size_t len)
{
	return len <= run->len - at && memcmp(run->bytes + at, text, len) == 0;
}

static size_t digits_end(const struct known_run *run, size_t at)
{
	while (at < run->len && run->bytes[at] >= '0' && run->bytes[at] <= '9')
		at++;
	return at;
}

/* Reads `audit(1740366282.121:674): ` as the kernel writes it, for the second whose texts are known. */
static bool read_id(const struct known_records *k, const struct known_run *run, size_t at, struct record *r)
{
	size_t fraction, serial, end;

	if (!begins(run, at, "audit(", 6) || !k->digits_len || !begins(run, at + 6, k->digits, k->digits_len))
		return false;
	fraction = at + 6 + k->digits_len;
	if (!begins(run, fraction, ".", 1) || digits_end(run, fraction + 1) != fraction + 4)
		return false;
	serial = fraction + 5;
	if (!begins(run, fraction + 4, ":", 1))
		return false;
	end = digits_end(run, serial);
	if (end == serial || end - serial > MAX_SERIAL || (run->bytes[serial] == '0' && end > serial + 1) ||
	    !begins(run, end, "): ", 3))
		return false;
	r->id = (struct known_range){ (uint32_t)(at + 6), (uint32_t)end };
	r->fraction = (struct known_range){ (uint32_t)fraction, (uint32_t)(fraction + 4) };
	r->serial = (struct known_range){ (uint32_t)serial, (uint32_t)end };
	r->body = end + 3;
	return true;
}

/* How lines from auditd and from the listener begin. */
static const struct opening_text {
	const char *text;
	size_t len;
	enum known_family family;
} record_openings[] = {
#define OPENING(text, family) { text, sizeof(text) - 1, family }
	OPENING("type=1400 ", KNOWN_APPARMOR),
	OPENING("type=AVC msg=", KNOWN_APPARMOR),
	OPENING("type=1326 ", KNOWN_SECCOMP),
	OPENING("type=SECCOMP msg=", KNOWN_SECCOMP),
#undef OPENING
};

static bool locate(const struct known_records *k, const struct known_run *run, struct record *r)
{
	size_t i;

	for (i = 0; i < sizeof(record_openings) / sizeof(record_openings[0]); i++)
		if (begins(run, run->at, record_openings[i].text, record_openings[i].len)) {
			r->family = record_openings[i].family;
			return read_id(k, run, run->at + record_openings[i].len, r);
		}
	return false;
}

/*
 * Whether the record's type starts unlike all types that src/audit/decode/locate-record.ts knows. This is true for most
 * lines of audit.log.
 */
static bool is_other_type(const struct known_run *run)
{
	uint8_t first;

	if (run->len - run->at < 12 || !begins(run, run->at, "type=", 5))
		return false;
	first = run->bytes[run->at + 5];
	if (first <= 'A')
		return false;
	if (first == 'U')
		return begins(run, run->at + 6, "SER_", 4) && !begins(run, run->at + 10, "AV", 2);
	return first != 'S' || run->bytes[run->at + 6] != 'E';
}

static uint32_t number_of(const uint8_t *digits, size_t len)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < len && number <= UINT32_MAX; i++)
		number = number * 10 + digits[i] - '0';
	return number > INT32_MAX ? 0 : (uint32_t)number;
}

static char *put_range(char *at, const uint8_t *bytes, struct known_range range)
{
	return known_put(at, bytes + range.start, range.end - range.start);
}

/* Builds the key by which an event is counted. Returns its length; 0 if it is too long. */
static uint32_t key_of(const struct known_form *form, const struct record *r, const uint8_t *bytes, uint8_t *key)
{
	struct known_range range = { 0, 0 };
	char *at;

	if (form->counted < KNOWN_VALUES)
		range = r->values[form->counted];
	if (range.end - range.start > MAX_KEY - form->counted_len)
		return 0;
	at = known_put((char *)key, form->text, form->counted_len);
	return (uint32_t)((uint8_t *)put_range(at, bytes, range) - key);
}

static char *put_hash(char *at, uint32_t hash)
{
	static const char digits[] = "0123456789abcdef";
	int shift;

	*at++ = '-';
	for (shift = 28; shift >= 0; shift -= 4)
		*at++ = digits[(hash >> shift) & 15];
	*at++ = '"';
	return at;
}

static char *put_piece(const struct known_records *k, const struct known_run *run, const struct record *r,
		       const struct known_form *form, const struct known_process *p, const struct known_opening *o,
		       const struct known_piece *piece, char *at)
{
	const struct known_label *l = &k->label[p->label];
	struct known_range range;

	switch (piece->kind) {
	case KNOWN_TEXT:
		return known_put(at, form->text + piece->at, piece->len);
	case KNOWN_OPEN:
		return put_range(at, run->bytes, r->values[piece->value]);
	case KNOWN_QUOTED:
		range = r->values[piece->value];
		return known_put(at, run->bytes + range.start - 1, range.end - range.start + 2);
	case KNOWN_LABEL:
		return known_put(at, l->text + l->len, l->json_len);
	case KNOWN_START:
		return known_put(at, o->text, o->start_len);
	case KNOWN_MIDDLE:
		at = known_put(at, o->text + o->start_len, o->before_len);
		at = known_put(at, k->digits, k->digits_len);
		return known_put(at, o->text + o->start_len + o->before_len, o->behind_len);
	case KNOWN_ID:
		return put_range(at, run->bytes, r->id);
	case KNOWN_SERIAL:
		return put_range(at, run->bytes, r->serial);
	case KNOWN_FRACTION:
		return put_range(at, run->bytes, r->fraction);
	case KNOWN_HASH:
		return put_hash(at, record_hash(run->bytes + r->body, r->end - form->added - r->body, 0));
	case KNOWN_ABOUT:
		return known_put(at, p->about, p->about_len);
	default:
		return known_put(at, k->times[piece->kind - KNOWN_TIME], k->times_len[piece->kind - KNOWN_TIME]);
	}
}

/* Returns an upper bound of the line's length, as if each part of the record were as long as the whole record. */
static size_t line_room(const struct known_records *k, const struct record *r, const struct known_form *form,
			const struct known_process *p, const struct known_opening *o)
{
	size_t room = form->text_len + form->ranges * (r->end - r->start) + k->label[p->label].json_len + o->start_len +
		      o->before_len + k->digits_len + o->behind_len + p->about_len;
	int i;

	for (i = 0; i < KNOWN_TIMES; i++)
		room += k->times_len[i];
	return room;
}

static void count_opening(struct known_records *k, int number)
{
	if (k->events[number]++ == 0)
		k->touched[(*k->touched_count)++] = number;
}

/* Writes the line. Returns false and writes nothing if a fact is missing. */
static bool write_line(struct known_records *k, struct known_run *run, const struct record *r,
		       const struct known_form *form, const struct known_process *p)
{
	int number = p->opening[form->kind % KNOWN_KINDS_A_FAMILY];
	const struct known_opening *o = &k->opening[number];
	const struct known_kind of = { o->place, o->head, form->prefix, form->kind };
	int32_t kind;
	uint8_t key[MAX_KEY];
	uint32_t i, len;
	char *at;

	if (r->end < r->body + form->added || run->out_room - run->out_len < line_room(k, r, form, p, o))
		return false;
	if (k->kinds.sums) {
		if (!known_kinds_have_room(&k->kinds, o->place))
			return false;
		len = key_of(form, r, run->bytes, key);
		kind = len ? known_kinds_find(&k->kinds, &of, key, len) : KNOWN_NEW_KIND;
		if (kind == KNOWN_NEW_KIND)
			return false;
		known_kinds_count(&k->kinds, o->place, kind, run->out_len);
	}
	at = (char *)run->out + run->out_len;
	for (i = 0; i < form->pieces; i++)
		at = put_piece(k, run, r, form, p, o, &form->piece[i], at);
	run->out_len = (size_t)(at - (char *)run->out);
	count_opening(k, number);
	run->written++;
	return true;
}

static enum known_stop process_record(struct known_records *k, struct known_run *run, struct record *r)
{
	const struct known_form *form;
	struct known_range range;
	struct known_process *p;
	const uint8_t *label;

	form = known_forms_match(k->forms, r->family, run->bytes, run->len, r->body, r->values, &r->end);
	if (!form)
		return KNOWN_NO_FORM;
	run->kind = form->kind;
	range = r->values[KNOWN_PROFILE];
	label = run->bytes + range.start;
	range.end -= range.start;
	r->pid = number_of(run->bytes + r->values[KNOWN_PID].start,
			   r->values[KNOWN_PID].end - r->values[KNOWN_PID].start);
	p = known_facts_process(k, r->family, r->pid);
	if (!p || !known_facts_is_label(k, p->label, label, range.end)) {
		if (r->family != KNOWN_APPARMOR || !known_facts_is_foreign(k, label, range.end))
			return KNOWN_NO_PROCESS;
		run->filtered++;
		return KNOWN_AT_END;
	}
	if (!known_facts_hold(k, run, p) || p->opening[form->kind % KNOWN_KINDS_A_FAMILY] == KNOWN_NO_OPENING)
		return KNOWN_NO_PROCESS;
	return write_line(k, run, r, form, p) ? KNOWN_AT_END : KNOWN_OTHER_RECORD;
}

void known_records_run(struct known_records *k, struct known_run *run)
{
	const uint8_t *line_end;
	struct record r = { 0 };

	run->stop = KNOWN_AT_END;
	while (run->at < run->len) {
		if (is_other_type(run)) {
			line_end = memchr(run->bytes + run->at, '\n', run->len - run->at);
			run->filtered++;
			run->at = line_end ? (size_t)(line_end - run->bytes) + 1 : run->len;
			continue;
		}
		r.start = run->at;
		run->stop = locate(k, run, &r) ? process_record(k, run, &r) : KNOWN_OTHER_RECORD;
		if (run->stop != KNOWN_AT_END) {
			run->audit = r.id.start - 6;
			run->end = r.end;
			memcpy(run->values, r.values, sizeof(run->values));
			return;
		}
		run->at = r.end + 1;
	}
}
