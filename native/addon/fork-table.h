/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_TABLE_H
#define VARMOR_FORK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Containers that processes are known to be in at a time, beyond which the dead give up theirs, and the longest id of one with its NUL. */
#ifndef FORK_LABELS
#define FORK_LABELS 2048
#endif
#define FORK_LABEL_BYTES 65
/* Entries at most, so that a key fits into a double. */
#define FORK_ENTRIES (1u << 20)
/* Generations that an answer climbs at most. */
#define FORK_DEPTH 256

/*
 * Who was forked by whom, and in which container that was, for the living processes and the last dead ones, in fixed
 * memory. A pid has one entry for each process that had it. A child inherits the container of its parent, as it does in
 * the kernel; when a container becomes known later, children that were there before find it by climbing.
 * All times are nanoseconds of CLOCK_MONOTONIC. Not thread safe.
 *
 * A pid is a process' from its start until the number is given out again, not only until its first thread ends. Of what
 * happened while events were lost, and before the first, nobody knows; such times are never answered for.
 */
struct fork_entry {
	uint64_t start;
	uint64_t end; /* of the last thread that ended since the first one did. 0: alive, as far as is known */
	uint64_t until; /* the pid is surely its own before this; UINT64_MAX: still is */
	pid_t pid;
	uint32_t serial; /* changes when the entry is used again */
	uint32_t parent; /* index, valid while its serial is this one: */
	uint32_t parent_serial;
	uint32_t older; /* of the same bucket; this and the following are indices plus 1, 0 for none */
	uint32_t died_before;
	uint32_t died_after;
	uint16_t label; /* 0: not known */
	bool headless; /* its first thread has ended */
	bool barred; /* nothing is inherited from it */
	bool seen; /* by the scan under way */
};

struct fork_label {
	char id[FORK_LABEL_BYTES];
	uint32_t users;
};

struct fork_table {
	struct fork_entry *entries;
	uint32_t *buckets; /* the youngest entry of each */
	uint32_t capacity; /* a power of two */
	uint32_t used; /* entries that were ever in use */
	uint32_t living;
	uint32_t first_dead; /* the one that will be used again next */
	uint32_t last_dead;
	uint32_t last_unnamed; /* the dead up to this one have given up their labels */
	uint64_t latest; /* time of the last event */
	uint64_t known_from; /* whoever had a pid since then, and is not here, made no events since then */
	uint64_t forgotten; /* no entry tells of some process of then: it may have got the pid of one that /proc showed before */
	uint64_t reuses; /* pids that came back soon after their last process, and times that events were lost */
	uint64_t full; /* forks that found only living processes */
	uint64_t unlabelled; /* labels that found no room, because the living use all */
	struct fork_label labels[FORK_LABELS];
	uint16_t labels_used;
};

/* What is known of a process. */
struct fork_answer {
	char container[FORK_LABEL_BYTES]; /* empty: not known */
	uint64_t start; /* of the oldest one */
	uint32_t processes; /* that may be meant: more than one if the pid changed hands. container is that of all, or empty. */
	/* Of whom /proc can say more: the process itself, or its nearest living ancestor of no known container; 0: nobody. */
	pid_t ask;
	uint64_t ask_key;
	bool ask_itself;
};

/* A process as /proc has it. */
struct fork_sight {
	pid_t pid;
	uint64_t start; /* rounded down to a clock tick */
	char container[FORK_LABEL_BYTES];
};

/* capacity is rounded up to a power of two, of FORK_ENTRIES at most. now: events come from here on. Returns 0 or -errno. */
int fork_table_init(struct fork_table *table, uint32_t capacity, uint64_t now);
void fork_table_free(struct fork_table *table);

/* A fork: what was known of the child's pid is of another process. */
void fork_table_fork(struct fork_table *table, pid_t parent, pid_t child, uint64_t when);

/*
 * A thread of the process with the pid ended. With the first one the process ends mostly, and its entry may be used again;
 * where others go on, the last of them is its end.
 */
void fork_table_exit(struct fork_table *table, pid_t pid, bool first, uint64_t when);

/*
 * Events were lost between `sure`, or the last one that was noted where that is earlier, and now. From then on no pid is surely
 * anybody's, until a scan sees who lives.
 */
void fork_table_lost(struct fork_table *table, uint64_t sure, uint64_t now);

/* Brings in what /proc showed at some time from began on, with no events lost since. Tolerates that starts are rounded. */
void fork_table_scan(struct fork_table *table, const struct fork_sight *sights, size_t count, uint64_t began);

/* The key of the process that has the pid now; false for nobody who is surely known. */
bool fork_table_living(struct fork_table *table, pid_t pid, uint64_t *key);

/*
 * Says in which container the process with the key is, where there is room; with an empty id nothing but whether it lives.
 * False if it has ended, so that what /proc said of its pid meanwhile may be another one's.
 */
bool fork_table_label(struct fork_table *table, uint64_t key, const char *id);

/* The same of the one process that got the pid between earliest and latest. False if there was none, or another one too, or no room. */
bool fork_table_label_started(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest, const char *id);

/* Nothing is inherited any more from the process with the key: what it seems to have forked may be others' children. */
void fork_table_bar(struct fork_table *table, uint64_t key);

/* Whether the process with the key, which is in the container, lives and has had the pid since then. */
bool fork_table_holds(struct fork_table *table, uint64_t key, pid_t pid, uint64_t since, const char *id);

/* What is known of whoever had the pid between earliest and latest. False if it may have been somebody unknown. */
bool fork_table_find(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest,
		     struct fork_answer *answer);

#endif
