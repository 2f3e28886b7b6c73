/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the decoder of known records under the sanitizers. It teaches the decoder forms and processes as JavaScript
 * does, and passes records that are whole, cut or changed, in exactly sized memory, with output buffers of any size.
 * Exits with 1 if the decoder exceeds its memory, or if a known record has another line than expected. Prints the
 * number of lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known-facts.h"

#define ROUNDS 60000
#define ROWS 16384
#define OWNERS 4

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "not so: %s\n", what);
	exit(1);
}

static struct known_text text_of(const char *text)
{
	return (struct known_text){ text, (uint32_t)strlen(text) };
}

static struct known_part part(const char *literal, enum known_value value)
{
	return (struct known_part){ (const uint8_t *)literal, (uint32_t)strlen(literal), value };
}

static struct known_form *form_of(uint8_t kind, enum known_value counted)
{
	const struct known_form head = { .kind = kind, .prefix = kind, .added = 1, .counted_len = 5, .counted = counted };
	const struct known_piece pieces[] = {
		{ .kind = KNOWN_START }, { .kind = KNOWN_OPEN, .value = KNOWN_PID }, { .kind = KNOWN_MIDDLE },
		{ .kind = KNOWN_ID },	 { .kind = KNOWN_SERIAL },		     { .kind = KNOWN_FRACTION },
		{ .kind = KNOWN_LABEL }, { .kind = KNOWN_QUOTED, .value = KNOWN_COMM }, { .kind = KNOWN_TIME },
		{ .kind = KNOWN_HASH },	 { .kind = KNOWN_ABOUT },		     { .kind = KNOWN_TEXT, .len = 2 },
	};

	return known_form_new(&head, pieces, sizeof(pieces) / sizeof(pieces[0]), "kind:}\n", 7);
}

static const char *const lines[] = {
	"type=AVC msg=audit(1740381264.123:%u): apparmor=\"DENIED\" profile=\"varmor-a\" name=\"/etc/%u\" pid=%u comm=\"sh\" mask=\"r\"\n",
	"type=1400 audit(1740381264.123:%u): apparmor=\"DENIED\" profile=\"varmor-a\" name=\"/b%u\" pid=%u comm=\"\" mask=\"r\"\n",
	"type=1400 audit(1740381264.123:%u): apparmor=\"DENIED\" profile=\"snap%u\" pid=%u comm=\"x\" capability=1\n",
	"type=1326 audit(1740381264.123:%u): uid=0 subj=varmor-a pid=%u comm=\"a\" exe=\"/x%u\" syscall=1 ip=0x7f code=0x0\n",
	"type=SYSCALL msg=audit(1740381264.123:%u): arch=%u %u\n",
};

static void learn(struct known_forms *forms)
{
	const struct known_part open[] = { part("apparmor=\"DENIED\" profile=\"", KNOWN_PROFILE), part("\" name=\"", KNOWN_NAME),
					   part("\" pid=", KNOWN_PID), part(" comm=\"", KNOWN_COMM), part("\" mask=\"r\"\n", KNOWN_VALUES) };
	const struct known_part unnamed[] = { open[0], open[2], open[3], part("\" capability=1\n", KNOWN_VALUES) };
	const struct known_part call[] = { part("uid=0 subj=", KNOWN_PROFILE), part(" pid=", KNOWN_PID), part(" comm=\"", KNOWN_COMM),
					   part("\" exe=\"", KNOWN_EXE), part("\" syscall=1 ip=", KNOWN_IP), part(" code=0x0\n", KNOWN_VALUES) };
	const struct known_part no_end[] = { open[0], open[2], part(" mask\n mask", KNOWN_VALUES) };
	const struct known_part twice[] = { open[0], open[2], part(" ", KNOWN_PID), open[4] };
	struct known_form *form = form_of(0, KNOWN_NAME);
	struct known_range values[KNOWN_VALUES];
	char many[] = "apparmor=\"DENIED\" operation=\"0000\" profile=\"";
	struct known_part made_up[] = { part(many, KNOWN_PROFILE), open[2], open[3], unnamed[3] };
	size_t end;
	int i, digit, rest;

	expect(!known_forms_add(forms, KNOWN_APPARMOR, unnamed, 4, form), "a form without a value that its line needs is refused");
	expect(!known_forms_add(forms, KNOWN_APPARMOR, no_end, 3, form), "a form of two lines is refused");
	expect(!known_forms_add(forms, KNOWN_APPARMOR, twice, 4, form), "a form with one value twice is refused");
	for (i = 0; i < 9000; i++) {
		struct known_form *other = form_of(1, KNOWN_VALUES);

		for (digit = 3, rest = i; digit >= 0; digit--, rest /= 10)
			many[29 + digit] = (char)('0' + rest % 10);
		expect(known_forms_add(forms, i % 2 ? KNOWN_APPARMOR : KNOWN_SECCOMP, made_up, 4, other), "there is always room");
		if (i % 3 == 0)
			known_forms_drop(forms, other);
	}
	expect(known_forms_add(forms, KNOWN_APPARMOR, open, 5, form), "a form is kept");
	expect(!known_forms_add(forms, KNOWN_APPARMOR, open, 5, form), "once");
	known_forms_drop(forms, form);
	expect(!known_forms_match(forms, KNOWN_APPARMOR, (const uint8_t *)lines[0] + 41, strlen(lines[0]) - 41, 0, values, &end), "and dropped");
	form = form_of(0, KNOWN_NAME);
	expect(known_forms_add(forms, KNOWN_APPARMOR, open, 5, form), "and kept again");
	expect(known_forms_add(forms, KNOWN_APPARMOR, unnamed, 4, form_of(1, KNOWN_VALUES)), "a form without a name is kept");
	expect(known_forms_add(forms, KNOWN_SECCOMP, call, 6, form_of(3, KNOWN_VALUES)), "a form of calls is kept");
	expect(!known_form_new(&(struct known_form){ 0 }, (struct known_piece[]){ { .kind = KNOWN_LABEL }, { .kind = KNOWN_LABEL } }, 2, "", 0),
	       "what is not the record's is put once");
}

static void teach(struct known_records *k, const int *openings)
{
	static const struct known_text times[KNOWN_TIMES] = { { "TIME", 4 }, { "", 0 }, { "", 0 }, { "", 0 } };
	static const uint8_t kinds[] = { 0, 1, 3 };
	uint32_t pid, i;

	expect(known_records_set_second(k, 1740381264, times), "a second is known");
	for (pid = 1; pid < 40; pid++)
		for (i = 0; i < 3; i++) {
			struct known_process_facts facts = { .pid = pid, .second = pid % 3 ? 1740381264 : 0, .since = pid % 5 ? 0 : 2e9,
							     .fork = { pid % 2, pid, pid % 7 ? UINT64_MAX : 0 }, .label = 0, .about = text_of(pid % 2 ? "" : ",\"process\":{}"), .kind = kinds[i],
							     .opening = openings[any(OWNERS)] };

			expect(known_records_teach(k, &facts) == KNOWN_TAUGHT, "a process is known");
		}
}

static size_t record(char *out, size_t room)
{
	uint32_t i = any(sizeof(lines) / sizeof(lines[0])), pid = any(45), few = any(30);
	int len = snprintf(out, room, lines[i], any(1000), i == 3 ? pid : few, i == 3 ? few : pid);

	if (any(4) == 0)
		out[any((uint32_t)len)] = (char)any(256);
	return (size_t)len - (any(20) == 0 ? any((uint32_t)len) : 0);
}

static unsigned int renewals;

static bool sometimes(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *container)
{
	expect(tree == 1 && key == pid && since == 1740381264 - 1.0 && strcmp(container, "c") == 0, "it asks for what it was taught");
	renewals++;
	return any(2);
}

/* Continues after each record at which the decoder stops, as JavaScript does. */
static uint64_t decode(struct known_records *k, const uint8_t *bytes, size_t len, size_t room)
{
	uint8_t *out = malloc(room + 1);
	struct known_run run = { .bytes = bytes, .len = len, .out = out, .out_room = room, .holds = sometimes };
	uint64_t written = 0;

	while (run.at < len) {
		size_t before = run.at, out_before = run.out_len;
		const uint8_t *end;

		run.written = run.filtered = 0;
		known_records_run(k, &run);
		expect(run.at >= before && run.at <= len && run.out_len >= out_before && run.out_len <= room, "it stays in its bounds");
		expect((run.written == 0) == (run.out_len == out_before), "a line is put when it is counted");
		expect(run.out_len == 0 || out[run.out_len - 1] == '\n', "lines are whole");
		written += run.written;
		if (run.stop == KNOWN_AT_END) {
			expect(run.at == len, "it has come to the end");
			break;
		}
		end = memchr(bytes + run.at, '\n', len - run.at);
		run.at = end ? (size_t)(end - bytes) + 1 : len;
	}
	free(out);
	return written;
}

/* Computes the row for the kind of a system call as hashRange() and KindTable.count() do in JavaScript. */
static void add_rows(struct known_kinds *kinds)
{
	const uint8_t text[] = "kind:";
	uint32_t of, hash, place;
	int i;

	memcpy(kinds->arena, text, 5);
	for (i = 0; i < OWNERS; i++) {
		uint32_t word;

		memcpy(&word, text, 4);
		hash = (5 ^ word) * 0x9e3779b1u;
		hash = (hash ^ text[4]) * 0x85ebca6bu;
		hash ^= hash >> 15;
		of = ((uint32_t)i << 4) | 3;
		hash ^= ((of + 1) * 0x9e3779b1u) ^ ((uint32_t)i * 0x85ebca6bu) ^ (3 * 0xc2b2ae35u);
		for (place = hash ^ (hash >> 16); kinds->places[place & (kinds->place_count - 1)]; place += (hash >> 17) | 1)
			;
		place &= kinds->place_count - 1;
		memcpy(kinds->rows + 8 * i, (int32_t[]){ (int32_t)hash, (int32_t)of, i, 3, 0, 5, 0, 0 }, 8 * sizeof(int32_t));
		kinds->places[place] = i + 1;
	}
}

/* The result must not depend on the table's random multiplier. */
static void expect_neighbours(void)
{
	static const uint32_t multipliers[] = { 1, 5, 0x80000001u, 0x55555557u };
	const struct known_text none = text_of("");
	const struct known_opening_facts opening = { .start = none, .before = none, .behind = none, .container = none };
	struct known_records *k = known_records_new();
	size_t i;

	expect(k, "there is memory");
	for (i = 0; i < sizeof(multipliers) / sizeof(multipliers[0]); i++) {
		struct known_process_facts facts = { .label = known_records_add_label(k, none, none), .about = none,
						     .opening = known_records_add_opening(k, &opening) };

		k->multiplier = multipliers[i];
		for (facts.pid = 1; facts.pid < 200; facts.pid++)
			expect(known_records_teach(k, &facts) == KNOWN_TAUGHT, "a process is known");
		for (facts.pid = 1; facts.pid < 200; facts.pid++)
			expect(known_facts_process(k, KNOWN_APPARMOR, facts.pid), "processes that follow one another have room");
		known_records_forget(k);
	}
	known_records_free(k);
}

static void expect_line(struct known_records *k)
{
	const char *given = "type=AVC msg=audit(1740381264.123:7): apparmor=\"DENIED\" profile=\"varmor-a\" name=\"/a\" pid=1 comm=\"sh\" mask=\"r\"\n";
	const char *wanted = "{1,1740381264;1740381264.123:77.123\"A\"\"sh\"TIME-";
	uint8_t out[4096];
	struct known_run run = { .bytes = (const uint8_t *)given, .len = strlen(given), .out = out, .out_room = sizeof(out) };

	known_records_run(k, &run);
	expect(run.stop == KNOWN_AT_END && run.written == 1, "a record that is known is written");
	expect(memcmp(out, wanted, strlen(wanted)) == 0 && memcmp(out + run.out_len - 3, "\"}\n", 3) == 0, "its line is as it was taught");
}

int main(void)
{
	static int32_t places[2 * ROWS], rows[8 * ROWS], touched[ROWS], rows_of[OWNERS], others[OWNERS], touched_others[2 * OWNERS];
	static int32_t line_kinds[64], sums[KINDS_SUMS], touched_openings[KNOWN_OPENINGS], touched_count;
	static uint32_t events[KNOWN_OPENINGS];
	static uint8_t arena[1 << 16];
	struct known_kinds kinds = { places, 2 * ROWS, rows, ROWS, arena, sizeof(arena), touched, rows_of, others, OWNERS,
				     touched_others, line_kinds, 64, sums };
	struct known_records *k = known_records_new();
	int openings[OWNERS], i, rows_touched = 0;
	uint64_t written = 0;
	char text[4096];

	if (!k)
		return 2;
	known_records_use_counters(k, events, touched_openings, &touched_count);
	learn(known_records_forms(k));
	expect(known_records_add_label(k, text_of("varmor-a"), text_of("\"A\"")) == 0, "a label is known");
	expect(known_records_add_label(k, text_of("snap1"), text_of("\"S\"")) == 1, "a foreign label is known");
	known_records_pass_over(k, 1);
	for (i = 0; i < OWNERS; i++) {
		struct known_opening_facts facts = { text_of("{"), text_of(","), text_of(";"), { i ? "c" : "", i ? 2 : 0 }, i, i, 0 };

		openings[i] = known_records_add_opening(k, &facts);
	}
	teach(k, openings);
	expect_line(k);
	expect_neighbours();
	known_records_use_kinds(k, &kinds);
	/* Now all owners have too many kinds. */
	for (i = 0; i < OWNERS; i++)
		rows_of[i] = 1000;
	add_rows(&kinds);
	for (i = 0; i < ROUNDS; i++) {
		size_t len = record(text, sizeof(text));
		uint8_t *bytes;

		if (any(2))
			len += record(text + len, sizeof(text) - len);
		bytes = malloc(len + 1);
		memcpy(bytes + 1, text, len);
		written += decode(k, bytes + 1, len, any(3) ? 8192 : any(600));
		free(bytes);
		memset(sums, 0, sizeof(sums));
		memset(others, 0, sizeof(others));
		while (touched_count)
			events[touched_openings[--touched_count]] = 0;
		if (any(50) == 0) {
			known_records_begin(k, any(2));
			if (any(2))
				teach(k, openings);
		}
	}
	for (i = 0; i < OWNERS; i++)
		rows_touched += kinds.rows[8 * i + 6] > 0;
	expect(renewals > 0, "it is asked whether processes live on");
	expect(rows_touched == OWNERS, "kinds that have a row are counted there");
	known_records_free(k);
	printf("%llu\n", (unsigned long long)written);
	return 0;
}
