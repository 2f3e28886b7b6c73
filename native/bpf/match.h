/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Finds the marks that an automaton assigns to a path. It reads each byte once, so the cost does not depend on the
 * number of rules (src/profile/bpf/table.ts).
 */
#ifndef VARMOR_MATCH_H
#define VARMOR_MATCH_H

#include "compat.h"

#define CELL(table, size, index) (*(__u32 *)((table) + ((VARMOR_TABLE_CLASSES + 4 * (index)) & ((size) - 4))))

/*
 * Each round handles several bytes, which saves work between rounds. The old object handles one byte, because the
 * verifier of its kernels checks each byte separately.
 */
#ifndef VARMOR_OLD
#define BYTES_AT_ONCE 8
#else
#define BYTES_AT_ONCE 1
#endif

#define MATCH(name, size)                                                                           \
	static __always_inline bool open_##name(struct loop *loop)                                  \
	{                                                                                           \
		struct match *match = &loop->scratch->match;                                        \
		__u32 number = match->automaton.table & ~(3U << VARMOR_TABLE_SIZE_SHIFT), zero = 0; \
		void *map = bpf_map_lookup_elem(&varmor_##name##_tables, &number);                  \
                                                                                                    \
		loop->text = text_of(loop->scratch, match->text);                                   \
		loop->table = map ? bpf_map_lookup_elem(map, &zero) : NULL;                         \
		return loop->table;                                                                 \
	}                                                                                           \
	static long step_##name(__u32 round, struct loop *loop)                                     \
	{                                                                                           \
		struct match *match = &loop->scratch->match;                                        \
		__u32 state = match->state, at = match->at;                                         \
                                                                                                    \
		for (__u32 i = 0; i < BYTES_AT_ONCE && at < PATH_BYTES; i++, at++) {                \
			__u32 class = loop->table[loop->text[at]];                                  \
			__u32 cell = CELL(loop->table, size, state + class);                        \
                                                                                                    \
			if ((cell & 0xff) != class) {                                               \
				cell = CELL(loop->table, size, state);                              \
				if (cell & 0xff) {                                                  \
					match->state = 0;                                           \
					return 1;                                                   \
				}                                                                   \
			}                                                                           \
			state = cell >> 8;                                                          \
		}                                                                                   \
		match->state = state;                                                               \
		match->at = at;                                                                     \
		return at >= PATH_BYTES;                                                            \
	}                                                                                           \
	LONG_LOOP(walk_##name, PATH_BYTES, open_##name, step_##name)                                \
	SHARED __noinline __u32 varmor_marks_##name(struct varmor_scratch *scratch)                 \
	{                                                                                           \
		struct loop loop = { .scratch = scratch };                                          \
		struct match *match;                                                                \
		__u32 cell;                                                                         \
                                                                                                    \
		if (!scratch || !open_##name(&loop))                                                \
			return ~0U;                                                                 \
		match = &scratch->match;                                                            \
		walk_##name(&loop, PATH_BYTES - match->at);                                         \
		cell = CELL(loop.table, size, match->state + 1);                                    \
		if (!match->state || (cell & 0xff) != 1)                                            \
			return 0;                                                                   \
		return CELL(loop.table, size, match->automaton.cells + (cell >> 8));                \
	}

MATCH(small, VARMOR_TABLE_SMALL)
MATCH(medium, VARMOR_TABLE_MEDIUM)
MATCH(large, VARMOR_TABLE_LARGE)
MATCH(huge, VARMOR_TABLE_HUGE)

/* The marks of the path that begins at `start` in a text of the scratch; all marks if the table is missing. */
static __always_inline __u32 marks_of(struct varmor_scratch *scratch, const struct varmor_automaton *automaton,
				      enum text text, __u32 start)
{
	if (!automaton->table)
		return 0;
	scratch->match.automaton = *automaton;
	scratch->match.text = text;
	scratch->match.state = automaton->start;
	scratch->match.at = start;
	switch (automaton->table >> VARMOR_TABLE_SIZE_SHIFT) {
	case 0:
		return varmor_marks_small(scratch);
	case 1:
		return varmor_marks_medium(scratch);
	case 2:
		return varmor_marks_large(scratch);
	default:
		return varmor_marks_huge(scratch);
	}
}

#endif
