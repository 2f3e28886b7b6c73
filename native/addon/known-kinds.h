/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_KNOWN_KINDS_H
#define VARMOR_KNOWN_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The table of kinds. Its memory belongs to src/audit/batch/kind-table.ts, which describes the columns. */
struct known_kinds {
	int32_t *places;
	uint32_t place_count; /* a power of two */
	int32_t *rows;
	uint32_t row_count;
	uint8_t *arena;
	uint32_t arena_len;
	int32_t *touched; /* has as many elements as there are rows */
	int32_t *rows_of;
	int32_t *others;
	uint32_t owners; /* elements of each of the two arrays above */
	int32_t *touched_others; /* has twice as many elements */
	int32_t *line_kinds;
	uint32_t line_count; /* maximum number of lines; 0: the kinds of lines are not stored */
	int32_t *sums;
};

/* `sums` has the order of KindTable's sums. */
enum { KINDS_ROWS, KINDS_ARENA_END, KINDS_TOUCHED, KINDS_TOUCHED_OTHERS, KINDS_LINES, KINDS_SEED, KINDS_SUMS };

/* Events have the same kind if these fields and the bytes by which they are counted are equal. */
struct known_kind {
	int32_t place; /* the container's place */
	int32_t head;
	int32_t prefix;
	uint8_t number; /* encode/event-head.ts */
};

/*
 * Returned instead of a row. KNOWN_OTHER_KIND: the event gets no row. KNOWN_NEW_KIND: JavaScript must create the row.
 */
#define KNOWN_OTHER_KIND (-1)
#define KNOWN_NEW_KIND (-2)

/* Whether the lists of the table have room for another event. */
bool known_kinds_have_room(const struct known_kinds *t, int32_t place);
/* Returns the row of an event's kind. */
int32_t known_kinds_find(const struct known_kinds *t, const struct known_kind *kind, const uint8_t *counted,
			 uint32_t len);
/* Counts an event whose line begins at `line` of the output. */
void known_kinds_count(const struct known_kinds *t, int32_t place, int32_t number, size_t line);

#endif
