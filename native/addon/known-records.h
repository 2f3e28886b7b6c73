/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns audit records of known forms into lines of violations.log, if the process' container is known. The decoder in
 * TypeScript (src/audit/batch/known-records.ts) writes the same bytes, and teaches this code all facts. This code stops
 * before a record for which a fact is missing. Not thread safe.
 */
#ifndef VARMOR_KNOWN_RECORDS_H
#define VARMOR_KNOWN_RECORDS_H

#include "known-forms.h"
#include "known-kinds.h"

/* Maximum openings that are known at a time. JavaScript has a counter for each opening. */
#define KNOWN_OPENINGS 4096

enum known_stop { KNOWN_AT_END, KNOWN_NO_FORM, KNOWN_NO_PROCESS, KNOWN_OTHER_RECORD };

struct known_run {
	const uint8_t *bytes;
	size_t len;
	uint8_t *out;
	size_t out_room;
	/*
	 * Returns whether the process has had its pid, and was in the container, since the time `since`; NULL if there
	 * is no fork tree.
	 */
	bool (*holds)(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *container);
	uint64_t now; /* nanoseconds of CLOCK_MONOTONIC */
	/* The offset at which the run starts; afterwards, the offset at which it stopped. */
	size_t at;
	size_t out_len;
	/* Results of the run. */
	uint32_t written;
	uint32_t filtered;
	enum known_stop stop;
	/* Facts about the record at which the run stopped, if only its process is unknown. */
	uint8_t kind;
	size_t audit;
	size_t end;
	struct known_range values[KNOWN_VALUES];
};

struct known_text {
	const char *text;
	uint32_t len;
};

/* A living process in the fork tree. With it, facts from one second can be valid for other seconds, too. */
struct known_fork {
	uint32_t tree; /* 0: none */
	uint64_t key;
	uint64_t until; /* nanoseconds of CLOCK_MONOTONIC; then JavaScript must check again what the process runs */
};

/* The facts that a line states about its process. */
struct known_process_facts {
	uint32_t pid;
	/* Unix second of the facts (`fork`: of more seconds, too); 0: all of this batch from `since` on. */
	double second;
	double since;
	bool of_batch; /* the facts are valid only for this batch */
	struct known_fork fork;
	int label;
	struct known_text about;
	uint8_t kind;
	int opening;
};

struct known_opening_facts {
	struct known_text start;
	/* The texts of the middle before and behind the event's seconds. */
	struct known_text before;
	struct known_text behind;
	struct known_text container; /* id of the container, with a NUL; empty: none */
	int32_t place; /* place of its container in the table of kinds */
	int32_t head; /* number of its ProfileHead */
	int32_t origin; /* equal for all openings with the same container, mount namespace and reason */
};

struct known_records;

/* Size of a struct known_records, without the texts. */
extern const size_t known_records_bytes;

struct known_records *known_records_new(void);
void known_records_free(struct known_records *k);
struct known_forms *known_records_forms(struct known_records *k);
void known_records_use_kinds(struct known_records *k, const struct known_kinds *kinds);
/*
 * Sets the arrays for the openings' counters and for the list of counters above zero. Each has `KNOWN_OPENINGS`
 * elements. JavaScript empties the list.
 */
void known_records_use_counters(struct known_records *k, uint32_t *events, int32_t *touched, int32_t *touched_count);

/* Begins a batch. held: facts about a second remain valid for that second. */
void known_records_begin(struct known_records *k, bool held);
/* Forgets everything except the forms. */
void known_records_forget(struct known_records *k);

/* Each returns a number; -1 if the table is full until known_records_forget. */
int known_records_add_label(struct known_records *k, struct known_text bytes, struct known_text json);
int known_records_add_opening(struct known_records *k, const struct known_opening_facts *facts);
/* From now on, AppArmor's records under the label are skipped. */
void known_records_pass_over(struct known_records *k, int label);
enum known_taught { KNOWN_NO_ROOM = -1, KNOWN_REFUSED, KNOWN_TAUGHT };

/* Refuses facts that are too long or have numbers that were never returned. */
enum known_taught known_records_teach(struct known_records *k, const struct known_process_facts *facts);
/* Sets the texts of a second. */
bool known_records_set_second(struct known_records *k, double second, const struct known_text texts[KNOWN_TIMES]);

/* Writes lines until it meets a record for which a fact is missing. */
void known_records_run(struct known_records *k, struct known_run *run);

#endif
