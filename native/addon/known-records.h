/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns audit records of known forms into lines of violations.log, if the process' container is known. The decoder in
 * TypeScript teaches it all facts and writes the same bytes (src/audit/batch/known-records.ts). It stops before each
 * record for which it lacks a fact. For use by one thread only.
 */
#ifndef VARMOR_KNOWN_RECORDS_H
#define VARMOR_KNOWN_RECORDS_H

#include "known-forms.h"
#include "known-kinds.h"

/* Maximum openings that are known at a time: JavaScript has a counter for each. */
#define KNOWN_OPENINGS 4096

enum known_stop { KNOWN_AT_END, KNOWN_NO_FORM, KNOWN_NO_PROCESS, KNOWN_OTHER_RECORD };

struct known_run {
	const uint8_t *bytes;
	size_t len;
	uint8_t *out;
	size_t out_room;
	/* Whether a process has had its pid, and been in the container, since then; NULL if there is no fork tree. */
	bool (*holds)(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *container);
	uint64_t now; /* nanoseconds of CLOCK_MONOTONIC */
	/* Where the run begins; afterwards, where it stopped. */
	size_t at;
	size_t out_len;
	/* Results of the run. */
	uint32_t written;
	uint32_t filtered;
	enum known_stop stop;
	/* About the record at which the run stopped, if only its process is unknown. */
	uint8_t kind;
	size_t audit;
	size_t end;
	struct known_range values[KNOWN_VALUES];
};

struct known_text {
	const char *text;
	uint32_t len;
};

/* A living process in the fork tree: with it, facts found for one second can hold for other seconds, too. */
struct known_fork {
	uint32_t tree; /* 0: none */
	uint64_t key;
	uint64_t until; /* nanoseconds of CLOCK_MONOTONIC; after this, JavaScript is asked again what the process runs */
};

/* The facts that a line states about its process. */
struct known_process_facts {
	uint32_t pid;
	double second; /* Unix second for which it is valid, or more seconds by `fork`; 0: all of this batch from `since` on */
	double since;
	bool of_batch; /* the facts hold for this batch only */
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
	int32_t head;  /* number of its ProfileHead */
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
 * The openings' counters, and a list of the counters above zero, which JavaScript empties. `KNOWN_OPENINGS` elements
 * each.
 */
void known_records_use_counters(struct known_records *k, uint32_t *events, int32_t *touched, int32_t *touched_count);

/* Begins a batch. held: facts that were found for a second still hold for that second. */
void known_records_begin(struct known_records *k, bool held);
/* Forgets everything except the forms. */
void known_records_forget(struct known_records *k);

/* Each returns a number; -1 if there is no room until known_records_forget. */
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
