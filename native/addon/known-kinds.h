/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_KNOWN_KINDS_H
#define VARMOR_KNOWN_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The table of kinds, in the memory of src/audit/batch/kind-table.ts, which says what its columns are. */
struct known_kinds {
	int32_t *places;
	uint32_t place_count; /* a power of two */
	int32_t *rows;
	uint32_t row_count;
	uint8_t *arena;
	uint32_t arena_len;
	int32_t *touched; /* as many as rows */
	int32_t *rows_of;
	int32_t *others;
	uint32_t owners; /* in each of these two */
	int32_t *touched_others; /* twice as many */
	int32_t *line_kinds;
	uint32_t line_count; /* room; 0 where the kind of each line is not asked for */
	int32_t *sums;
};

/* The order of `sums` is that of KindTable's. */
enum { KINDS_ROWS, KINDS_ARENA_END, KINDS_TOUCHED, KINDS_TOUCHED_OTHERS, KINDS_LINES, KINDS_SEED, KINDS_SUMS };

/* By what events are of one kind, beside the bytes that are counted. */
struct known_kind {
	int32_t place; /* of the container */
	int32_t head;
	int32_t prefix;
	uint8_t number; /* encode/event-head.ts */
};

/* Instead of a row: the event has none and gets none; JavaScript has to make one. */
#define KNOWN_OTHER_KIND (-1)
#define KNOWN_NEW_KIND (-2)

/* Whether the lists of the table have room for one event more. */
bool known_kinds_have_room(const struct known_kinds *t, int32_t place);
/* The row of an event's kind. */
int32_t known_kinds_find(const struct known_kinds *t, const struct known_kind *kind, const uint8_t *counted, uint32_t len);
/* Counts an event whose line begins at `line` of the output. */
void known_kinds_count(const struct known_kinds *t, int32_t place, int32_t number, size_t line);

#endif
