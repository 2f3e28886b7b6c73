/* SPDX-License-Identifier: Apache-2.0 */
#include "known-kinds.h"

#include <string.h>

#include "record-hash.h"

/* Columns of a row, as in src/audit/batch/kind-table.ts. */
enum { ROW_HASH, ROW_OF, ROW_HEAD, ROW_PREFIX, ROW_START, ROW_END, ROW_EVENTS, ROW_LINE, ROW_COLUMNS };
#define KIND_BITS 4
#define MAX_PROBES 16
#define MAX_KINDS 256
#define FEW_KINDS 8

int32_t known_kinds_find(const struct known_kinds *t, const struct known_kind *kind, const uint8_t *counted,
			 uint32_t len)
{
	uint32_t of = ((uint32_t)kind->place << KIND_BITS) | kind->number;
	uint32_t hash = range_hash(counted, len, (uint32_t)t->sums[KINDS_SEED]) ^ ((of + 1) * 0x9e3779b1u) ^
			((uint32_t)kind->head * 0x85ebca6bu) ^ ((uint32_t)kind->prefix * 0xc2b2ae35u);
	uint32_t place = (hash ^ (hash >> 16)) & (t->place_count - 1);
	const int32_t *row;
	uint32_t step = (hash >> 17) | 1, start, end, used;
	int32_t number;
	int probe;

	for (probe = 0; probe < MAX_PROBES; probe++, place = (place + step) & (t->place_count - 1)) {
		number = t->places[place] - 1;
		if (number < 0)
			break;
		if ((uint32_t)number >= t->row_count)
			return KNOWN_NEW_KIND;
		row = t->rows + (size_t)number * ROW_COLUMNS;
		if ((uint32_t)row[ROW_HASH] != hash || (uint32_t)row[ROW_OF] != of || row[ROW_HEAD] != kind->head ||
		    row[ROW_PREFIX] != kind->prefix)
			continue;
		start = (uint32_t)row[ROW_START];
		end = (uint32_t)row[ROW_END];
		if (end - start == len && end <= t->arena_len && start <= end &&
		    memcmp(t->arena + start, counted, len) == 0)
			return number;
	}
	used = (uint32_t)t->sums[KINDS_ROWS];
	if (probe == MAX_PROBES || used >= t->row_count ||
	    t->rows_of[kind->place] >= (used < t->row_count / 2 ? MAX_KINDS : FEW_KINDS))
		return KNOWN_OTHER_KIND;
	return KNOWN_NEW_KIND;
}

bool known_kinds_have_room(const struct known_kinds *t, int32_t place)
{
	return t->sums && (uint32_t)place < t->owners && (uint32_t)t->sums[KINDS_TOUCHED] < t->row_count &&
	       (uint32_t)t->sums[KINDS_TOUCHED_OTHERS] < t->owners &&
	       (!t->line_count || (uint32_t)t->sums[KINDS_LINES] < t->line_count);
}

void known_kinds_count(const struct known_kinds *t, int32_t place, int32_t number, size_t line)
{
	int32_t *row;

	if (number == KNOWN_OTHER_KIND) {
		if (t->others[place]++ == 0) {
			row = t->touched_others + 2 * (size_t)t->sums[KINDS_TOUCHED_OTHERS]++;
			row[0] = place;
			row[1] = (int32_t)line;
		}
	} else {
		row = t->rows + (size_t)number * ROW_COLUMNS;
		if (row[ROW_EVENTS]++ == 0) {
			t->touched[t->sums[KINDS_TOUCHED]++] = number;
			row[ROW_LINE] = (int32_t)line;
		}
	}
	if (t->line_count)
		t->line_kinds[t->sums[KINDS_LINES]++] = number == KNOWN_OTHER_KIND ? ~place : number;
}
