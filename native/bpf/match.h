/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The marks that an automaton has for a path: one walk over its bytes, whatever the number of rules (src/profile/bpf/table.ts). */
#ifndef VARMOR_MATCH_H
#define VARMOR_MATCH_H

#include "maps.h"

#define CELL(table, size, index) (*(__u32 *)((table) + ((VARMOR_TABLE_CLASSES + 4 * (index)) & ((size)-4))))

struct match {
	__u8 *table;
	__u8 *text;
	__u32 state;
	__u32 at;
};

#define MATCH(name, size)                                                                                           \
	static long step_##name(__u32 round, struct match *match)                                                   \
	{                                                                                                           \
		__u32 class = match->table[match->text[match->at & (PATH_BYTES - 1)]];                              \
		__u32 cell = CELL(match->table, size, match->state + class);                                        \
                                                                                                                    \
		if ((cell & 0xff) != class) {                                                                       \
			cell = CELL(match->table, size, match->state);                                              \
			if (cell & 0xff) {                                                                          \
				match->state = 0;                                                                   \
				return 1;                                                                           \
			}                                                                                           \
		}                                                                                                   \
		match->state = cell >> 8;                                                                           \
		match->at++;                                                                                        \
		return 0;                                                                                           \
	}                                                                                                           \
	static __noinline __u32 marks_##name(const struct varmor_automaton *automaton, __u8 *text, __u32 start)     \
	{                                                                                                           \
		__u32 number = automaton->table & ~(3U << VARMOR_TABLE_SIZE_SHIFT), zero = 0, cell;                 \
		void *map = bpf_map_lookup_elem(&varmor_##name##_tables, &number);                                  \
		struct match match = { .text = text, .state = automaton->start, .at = start + varmor_unknown_zero }; \
                                                                                                                    \
		if (map)                                                                                            \
			match.table = bpf_map_lookup_elem(map, &zero);                                              \
		if (!match.table)                                                                                   \
			return ~0U;                                                                                 \
		bpf_loop(PATH_BYTES - start, step_##name, &match, 0);                                               \
		cell = CELL(match.table, size, match.state + 1);                                                    \
		if (!match.state || (cell & 0xff) != 1)                                                             \
			return 0;                                                                                   \
		return CELL(match.table, size, automaton->cells + (cell >> 8));                                     \
	}

MATCH(small, VARMOR_TABLE_SMALL)
MATCH(medium, VARMOR_TABLE_MEDIUM)
MATCH(large, VARMOR_TABLE_LARGE)

/* The marks of the path that begins at `start`; all where the table is not there. */
static __always_inline __u32 marks_of(const struct varmor_automaton *automaton, __u8 *text, __u32 start)
{
	if (!automaton->table)
		return 0;
	switch (automaton->table >> VARMOR_TABLE_SIZE_SHIFT) {
	case 0:
		return marks_small(automaton, text, start);
	case 1:
		return marks_medium(automaton, text, start);
	default:
		return marks_large(automaton, text, start);
	}
}

#endif
