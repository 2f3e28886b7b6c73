/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about processes, labels and seconds that known-records.c was taught. Private to that file. */
#ifndef VARMOR_KNOWN_FACTS_H
#define VARMOR_KNOWN_FACTS_H

#include <string.h>

#include "known-records.h"

#define KNOWN_SET_BITS 11
#define KNOWN_WAYS 4
#define KNOWN_PROCESSES (KNOWN_WAYS << KNOWN_SET_BITS)
#define KNOWN_LABELS 4096
#define KNOWN_FOREIGN_PLACES 1024
#define KNOWN_KINDS_A_FAMILY 3
#define KNOWN_NO_OPENING (-1)
#define KNOWN_SECOND_DIGITS 11 /* digits */

struct known_label {
	char *text; /* the label's bytes, then its JSON */
	uint32_t len;
	uint32_t json_len;
};

struct known_opening {
	char *text; /* start, before, behind, id of the container */
	uint32_t start_len;
	uint32_t before_len;
	uint32_t behind_len;
	uint32_t container_len;
	int32_t place;
	int32_t head;
	int32_t origin;
};

struct known_process {
	uint32_t pid; /* 0: none */
	uint64_t batch; /* the batch in which it was taught; 0: never */
	bool of_batch;
	double second;
	double since;
	struct known_fork fork;
	int label;
	int opening[KNOWN_KINDS_A_FAMILY];
	char *about;
	uint32_t about_len;
};

struct known_records {
	struct known_forms *forms;
	struct known_kinds kinds;
	uint32_t *events;
	int32_t *touched;
	int32_t *touched_count;
	uint64_t batch;
	uint64_t held_since; /* facts from before this batch are invalid unless they are renewed */
	uint32_t multiplier; /* random, so that an attacker cannot choose which processes share a set */
	double second;
	char digits[KNOWN_SECOND_DIGITS + 1];
	uint32_t digits_len;
	char *times[KNOWN_TIMES];
	uint32_t times_len[KNOWN_TIMES];
	uint32_t labels;
	uint32_t openings;
	uint32_t bytes;
	struct known_label label[KNOWN_LABELS];
	struct known_opening opening[KNOWN_OPENINGS];
	/* Numbers plus 1 of the labels whose AppArmor records are skipped. */
	uint32_t foreign[KNOWN_FOREIGN_PLACES];
	struct known_process process[KNOWN_FAMILIES][KNOWN_PROCESSES];
};

/* Returns the process with this pid, even if its facts are invalid. */
struct known_process *known_facts_process(struct known_records *k, enum known_family family, uint32_t pid);
/*
 * Whether the process' facts are valid for the second whose texts are known. To use facts from another second, this
 * asks the fork tree.
 */
bool known_facts_hold(const struct known_records *k, const struct known_run *run, struct known_process *p);
bool known_facts_is_label(const struct known_records *k, int number, const uint8_t *bytes, size_t len);
/* Whether AppArmor's records under the label are skipped. */
bool known_facts_is_foreign(const struct known_records *k, const uint8_t *bytes, size_t len);

static inline char *known_put(char *at, const void *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

#endif
