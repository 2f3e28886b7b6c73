/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns audit records of known forms, of processes whose container is known, into lines of violations.log. All that it
 * knows it has been taught by the decoder in TypeScript, which puts the same bytes (src/audit/batch/known-records.ts), and
 * it stops before each record of which it does not know all. Of one thread.
 */
#ifndef VARMOR_KNOWN_RECORDS_H
#define VARMOR_KNOWN_RECORDS_H

#include "known-forms.h"
#include "known-kinds.h"

/* Openings that are known at a time: JavaScript has a counter for each. */
#define KNOWN_OPENINGS 4096

enum known_stop { KNOWN_AT_END, KNOWN_NO_FORM, KNOWN_NO_PROCESS, KNOWN_OTHER_RECORD };

struct known_run {
	const uint8_t *bytes;
	size_t len;
	uint8_t *out;
	size_t out_room;
	/* Whether a process still has its pid and is in the container, and has been since then; NULL where nobody can say. */
	bool (*holds)(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *container);
	uint64_t now; /* nanoseconds of CLOCK_MONOTONIC */
	/* Where it begins, and has stopped. */
	size_t at;
	size_t out_len;
	/* What has come of it. */
	uint32_t written;
	uint32_t filtered;
	enum known_stop stop;
	/* Of the record that it has stopped at, where only its process is not known. */
	uint8_t kind;
	size_t audit;
	size_t end;
	struct known_range values[KNOWN_VALUES];
};

struct known_text {
	const char *text;
	uint32_t len;
};

/* A living process as the forks know it: with that, what was found of one second holds for others, too. */
struct known_fork {
	uint32_t tree; /* 0: none */
	uint64_t key;
	uint64_t until; /* nanoseconds of CLOCK_MONOTONIC: then it is asked for again what it runs */
};

/* What a line of a process says of it. */
struct known_process_facts {
	uint32_t pid;
	double second; /* unix seconds of the events for which alone it holds, but for `fork`; 0: for those of this batch, from `since` on */
	double since;
	bool of_batch; /* it holds for this batch only */
	struct known_fork fork;
	int label;
	struct known_text about;
	uint8_t kind;
	int opening;
};

struct known_opening_facts {
	struct known_text start;
	/* Of the middle, before and behind the seconds of the event. */
	struct known_text before;
	struct known_text behind;
	struct known_text container; /* its id, with a NUL; empty for none */
	int32_t place; /* of its container in the table of kinds */
	int32_t head;  /* number of its ProfileHead */
	int32_t origin; /* the same for all openings of one attribution: container, mount namespace and reason */
};

struct known_records;

/* Of one of them, without the texts. */
extern const size_t known_records_bytes;

struct known_records *known_records_new(void);
void known_records_free(struct known_records *k);
struct known_forms *known_records_forms(struct known_records *k);
void known_records_use_kinds(struct known_records *k, const struct known_kinds *kinds);
/* Counters of the openings, and which of them are above zero since JavaScript has emptied the list: `KNOWN_OPENINGS` each. */
void known_records_use_counters(struct known_records *k, uint32_t *events, int32_t *touched, int32_t *touched_count);

/* Begins a batch. held: what was found of a second still holds for that one. */
void known_records_begin(struct known_records *k, bool held);
/* Forgets all but the forms. */
void known_records_forget(struct known_records *k);

/* Each returns a number; -1 where there is no room, until all is forgotten. */
int known_records_add_label(struct known_records *k, struct known_text bytes, struct known_text json);
int known_records_add_opening(struct known_records *k, const struct known_opening_facts *facts);
/* AppArmor's records under the label are passed over. */
void known_records_pass_over(struct known_records *k, int label);
enum known_taught { KNOWN_NO_ROOM = -1, KNOWN_REFUSED, KNOWN_TAUGHT };

/* Refused: its numbers are none that were given, or it is too long. */
enum known_taught known_records_teach(struct known_records *k, const struct known_process_facts *facts);
/* The texts of a second. */
bool known_records_set_second(struct known_records *k, double second, const struct known_text texts[KNOWN_TIMES]);

/* Writes lines until there is a record of which something is not known. */
void known_records_run(struct known_records *k, struct known_run *run);

#endif
