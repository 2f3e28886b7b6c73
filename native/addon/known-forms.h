/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of the audit records that make up a storm: literal text and open values in turn. A form is learnt from a
 * record that the decoder in TypeScript has read; a record that matches it has the same fields at the same places, but
 * for its open values. src/audit/batch/known-records.ts says why, and has the callers.
 */
#ifndef VARMOR_KNOWN_FORMS_H
#define VARMOR_KNOWN_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum known_family { KNOWN_APPARMOR, KNOWN_SECCOMP, KNOWN_FAMILIES };

/* Values that a form leaves open; the order is that of `openValues` in src/audit/encode/line-pieces.ts. */
enum known_value { KNOWN_PROFILE, KNOWN_PID, KNOWN_COMM, KNOWN_NAME, KNOWN_EXE, KNOWN_IP, KNOWN_VALUES };

/* What is put in turn to make a line; the order is that of `pieces` in src/audit/encode/line-pieces.ts. */
enum known_piece_kind {
	KNOWN_TEXT,	/* as it is */
	KNOWN_OPEN,	/* an open value */
	KNOWN_QUOTED,	/* the same with its quotes */
	KNOWN_LABEL,	/* the profile as JSON */
	KNOWN_START,	/* from the brace to the pid */
	KNOWN_MIDDLE,	/* from behind the pid into the event */
	KNOWN_ID,	/* of the audit record */
	KNOWN_SERIAL,
	KNOWN_FRACTION,	/* of its second, with the dot */
	KNOWN_HASH,	/* of the record, with its dash and quote */
	KNOWN_ABOUT,	/* what is known of process and container */
	KNOWN_TIME,	/* the first of the texts of a second */
	KNOWN_TIMES = 4,
	KNOWN_PIECE_KINDS = KNOWN_TIME + KNOWN_TIMES,
};

#define KNOWN_MAX_PARTS 8
#define KNOWN_MAX_PIECES 48
#define KNOWN_MAX_LITERAL 512
#define KNOWN_MAX_TEXT 8192
#define KNOWN_MAX_COUNTED 512

struct known_range {
	uint32_t start;
	uint32_t end;
};

struct known_piece {
	uint8_t kind;
	uint8_t value; /* of KNOWN_OPEN and KNOWN_QUOTED */
	uint16_t len;  /* of KNOWN_TEXT */
	uint32_t at;   /* of KNOWN_TEXT, in the form's text */
};

struct known_form {
	uint8_t kind;	      /* number of the event's kind: encode/event-head.ts */
	int32_t prefix;	      /* number of the KindPrefix */
	uint32_t added;	      /* bytes at the end of the line that are not the record's */
	uint32_t counted_len; /* what its events are counted by: so many bytes of its text, */
	uint8_t counted;      /* and an open value behind them; KNOWN_VALUES: none */
	uint32_t pieces;
	uint32_t ranges;   /* pieces that are parts of the record, or shorter than one */
	uint32_t values;   /* bits of the open values that it needs */
	uint32_t text_len; /* of all texts together */
	struct known_piece piece[KNOWN_MAX_PIECES];
	char text[];
};

struct known_part {
	const uint8_t *literal;
	uint32_t len;
	enum known_value value; /* that follows; KNOWN_VALUES behind the last one */
};

/*
 * Makes a form of a head, whose fields before `pieces` count, and of pieces whose texts stand one behind the other, behind what
 * its events are counted by. NULL if that is none: what is not the record's is put once at most, so that the length of a line is bounded.
 */
struct known_form *known_form_new(const struct known_form *head, const struct known_piece *pieces, uint32_t count,
				  const char *text, uint32_t text_len);

struct known_forms;

struct known_forms *known_forms_new(void);
void known_forms_free(struct known_forms *f);

/*
 * Keeps a form, which is taken over. What was matched least lately goes where there is no room. Returns false if the parts are
 * no form or one that is known, or without memory: then it is not taken.
 */
bool known_forms_add(struct known_forms *f, enum known_family family, const struct known_part *parts, uint32_t count,
		     struct known_form *form);
/* Forgets one form. */
void known_forms_drop(struct known_forms *f, const struct known_form *form);

/*
 * Finds the form of the pairs that begin at `body`; NULL if there is none. `end` becomes the offset of the line's end.
 */
const struct known_form *known_forms_match(struct known_forms *f, enum known_family family, const uint8_t *bytes, size_t len,
					   size_t body, struct known_range *values, size_t *end);

#endif
