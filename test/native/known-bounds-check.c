/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the memory of the decoder of known records beyond its bounds, under the address sanitizer, which counts the
 * allocated bytes. Exits with 1 if the decoder keeps more, or keeps nothing new when it is full.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known-facts.h"

#define MIB (1u << 20)
#define TEXT (64u << 10)

/* Of the sanitizer; gcc does not install its header everywhere. */
size_t __sanitizer_get_current_allocated_bytes(void);

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "not so: %s\n", what);
	exit(1);
}

static struct known_part part(const char *literal, enum known_value value)
{
	return (struct known_part){ (const uint8_t *)literal, (uint32_t)strlen(literal), value };
}

static void put_number(char *digits, int number)
{
	digits[0] = (char)('0' + number / 10);
	digits[1] = (char)('0' + number % 10);
}

/* Learns forms of 32 literals at each of three places, 33,824 parts together. */
static void fill_forms(struct known_forms *forms)
{
	const struct known_piece piece = { .kind = KNOWN_TEXT, .len = 2 };
	const struct known_form head = { .counted = KNOWN_VALUES };
	char first[] = "a=\"00\" profile=\"", second[] = "\" b=\"00\" pid=", third[] = " c=\"00\"\n";
	struct known_part parts[] = { part(first, KNOWN_PROFILE), part(second, KNOWN_PID), part(third, KNOWN_VALUES) };
	const char line[] = "a=\"31\" profile=\"x\" b=\"31\" pid=1 c=\"31\"\n";
	struct known_range values[KNOWN_VALUES];
	size_t before = __sanitizer_get_current_allocated_bytes(), end;

	for (int i = 0; i < 32 * 32 * 32; i++) {
		struct known_form *form = known_form_new(&head, &piece, 1, "}\n", 2);

		put_number(first + 3, i / 1024);
		put_number(second + 5, i / 32 % 32);
		put_number(third + 4, i % 32);
		expect(form && known_forms_add(forms, KNOWN_APPARMOR, parts, 3, form), "a new form is kept");
		expect(__sanitizer_get_current_allocated_bytes() - before < 3 * MIB, "forms take less than 3 MiB");
	}
	expect(known_forms_match(forms, KNOWN_APPARMOR, (const uint8_t *)line, strlen(line), 0, values, &end), "the last form is known");
}

static void fill_texts(struct known_records *k)
{
	static char text[TEXT];
	const struct known_text none = { "", 0 }, large = { text, TEXT };
	const struct known_opening_facts opening = { .start = large, .before = none, .behind = none, .container = none };
	const struct known_opening_facts small = { .start = none, .before = none, .behind = none, .container = none };
	struct known_process_facts facts = { .pid = 1, .about = { text, 1 } };
	int labels = 0, openings = 1;

	expect(known_records_add_opening(k, &small) == 0 && known_records_add_label(k, none, none) == 0, "there is room");
	expect(known_records_teach(k, &facts) == KNOWN_TAUGHT, "a process is known");
	while (known_records_add_label(k, large, none) >= 0 && labels < 128)
		labels++;
	while (known_records_add_opening(k, &opening) >= 0)
		openings++;
	expect(labels == 128 && openings == 127, "texts of labels, openings and processes take 16 MiB together");
	for (facts.pid = 2, facts.about.len = 4096; known_records_teach(k, &facts) == KNOWN_TAUGHT; facts.pid++)
		;
	expect(facts.pid > 2 && facts.pid < 40, "those of processes, too");
	facts.about.len = 4097;
	expect(known_records_teach(k, &facts) == KNOWN_REFUSED, "a process with more than 4 KiB is refused");
	known_records_forget(k);
	for (labels = 0; known_records_add_label(k, none, none) >= 0; labels++)
		;
	expect(labels == KNOWN_LABELS, "there are 4,096 labels");
	for (facts.pid = 1, facts.about.len = 0; facts.pid < 100000; facts.pid++) {
		size_t before = __sanitizer_get_current_allocated_bytes();

		if (facts.pid == 1)
			expect(known_records_add_opening(k, &small) == 0, "there is room again");
		expect(known_records_teach(k, &facts) == KNOWN_TAUGHT, "a further process is known");
		if (facts.pid > 90000)
			expect(__sanitizer_get_current_allocated_bytes() == before, "in place of another one");
	}
}

int main(void)
{
	struct known_records *k = known_records_new();

	if (!k)
		return 2;
	fill_forms(known_records_forms(k));
	fill_texts(k);
	known_records_free(k);
	return 0;
}
