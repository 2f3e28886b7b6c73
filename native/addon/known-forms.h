/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of audit records in a storm. A form is literal text and open values in turn. It is learnt from a record
 * that the decoder in TypeScript has read. A record that matches the form differs from that record only in the open
 * values. src/audit/batch/known-records.ts explains why, and calls this.
 */
#ifndef VARMOR_KNOWN_FORMS_H
#define VARMOR_KNOWN_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum known_family { KNOWN_APPARMOR, KNOWN_SECCOMP, KNOWN_FAMILIES };

/* Values that a form leaves open, in the order of `openValues` in src/audit/encode/line-pieces.ts. */
enum known_value { KNOWN_PROFILE, KNOWN_PID, KNOWN_COMM, KNOWN_NAME, KNOWN_EXE, KNOWN_IP, KNOWN_VALUES };

/* Pieces that make up a line, in the order of `pieces` in src/audit/encode/line-pieces.ts. */
enum known_piece_kind {
	KNOWN_TEXT, /* literal text */
	KNOWN_OPEN, /* an open value */
	KNOWN_QUOTED, /* an open value with its quotes */
	KNOWN_LABEL, /* the profile as JSON */
	KNOWN_START, /* the start of the line up to the pid */
	KNOWN_MIDDLE, /* from after the pid into the event */
	KNOWN_ID, /* id of the audit record */
	KNOWN_SERIAL,
	KNOWN_FRACTION, /* fraction of the record's second, with the dot */
	KNOWN_HASH, /* hash of the record, with its dash and quote */
	KNOWN_ABOUT, /* facts about the process and the container */
	KNOWN_TIME, /* the first text of a second */
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
	uint8_t value; /* for KNOWN_OPEN and KNOWN_QUOTED */
	uint16_t len; /* for KNOWN_TEXT */
	uint32_t at; /* for KNOWN_TEXT: offset in the form's text */
};

struct known_form {
	uint8_t kind; /* number of the event's kind: encode/event-head.ts */
	int32_t prefix; /* number of the KindPrefix */
	uint32_t added; /* bytes at the end of the line that do not come from the record */
	uint32_t counted_len; /* events are counted by this many bytes of the form's text */
	uint8_t counted; /* and by this open value; KNOWN_VALUES: only by the text */
	uint32_t pieces;
	uint32_t ranges; /* number of pieces that are parts of the record, or not longer than such a part */
	uint32_t values; /* a bit for each open value that the form needs */
	uint32_t text_len; /* of all texts together */
	struct known_piece piece[KNOWN_MAX_PIECES];
	char text[];
};

struct known_part {
	const uint8_t *literal;
	uint32_t len;
	enum known_value value; /* value after the literal; KNOWN_VALUES after the last literal */
};

/*
 * Makes a form from a head (the fields before `pieces`) and pieces. `text` has the bytes by which events are counted,
 * and then the texts of the pieces. Returns NULL if the pieces do not make a form. A piece that is not from the record
 * may occur only once, so that a line has a maximum length.
 */
struct known_form *known_form_new(const struct known_form *head, const struct known_piece *pieces, uint32_t count,
				  const char *text, uint32_t text_len);

struct known_forms;

struct known_forms *known_forms_new(void);
void known_forms_free(struct known_forms *f);

/*
 * Stores a form and takes ownership of it. If there is no room, drops the form whose last match is oldest. Returns
 * false if the parts do not make a form, the form is known already, or memory ran out; then the caller keeps the form.
 */
bool known_forms_add(struct known_forms *f, enum known_family family, const struct known_part *parts, uint32_t count,
		     struct known_form *form);
/* Forgets one form. */
void known_forms_drop(struct known_forms *f, const struct known_form *form);

/*
 * Finds the form of the record whose fields begin at `body`; NULL if there is none. Sets `end` to the offset of the
 * line's end.
 */
const struct known_form *known_forms_match(struct known_forms *f, enum known_family family, const uint8_t *bytes,
					   size_t len, size_t body, struct known_range *values, size_t *end);

#endif
