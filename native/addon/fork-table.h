/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_TABLE_H
#define VARMOR_FORK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * FORK_LABELS: maximum containers that are known at a time; beyond it, dead processes lose their containers.
 * FORK_LABEL_BYTES: length of the longest id with its NUL.
 */
#ifndef FORK_LABELS
#define FORK_LABELS 2048
#endif
#define FORK_LABEL_BYTES 65
/* Maximum entries of a table: with more entries, a key would not fit into a double. */
#define FORK_ENTRIES (1u << 20)
/* Maximum number of ancestors that a search visits. */
#define FORK_DEPTH 256

/*
 * Stores the parent and the container of all living processes and of recently ended processes, in fixed memory. A pid
 * has an entry for each process that had it. A child inherits its parent's container. If the container becomes known
 * later, a search finds it in an ancestor. Times are nanoseconds of CLOCK_MONOTONIC. Not thread safe.
 * An entry owns its pid until the kernel gives the pid to another process, not only until its first thread ends. The
 * table has no answers for times before the first event, and for times in which events were lost.
 */
struct fork_entry {
	uint64_t start;
	uint64_t end; /* end of the first thread, or of a thread that ended after it; 0: alive, as far as is known */
	uint64_t until; /* the process certainly has the pid until this time; UINT64_MAX: it still has the pid */
	pid_t pid;
	uint32_t serial; /* changes when the entry is reused */
	uint32_t parent; /* index of the parent's entry, valid while that entry has this serial: */
	uint32_t parent_serial;
	uint32_t older; /* next entry in the same bucket; this and the next two fields are indices plus 1; 0: none */
	uint32_t died_before;
	uint32_t died_after;
	uint16_t label; /* 0: not known */
	bool headless; /* its first thread has ended */
	bool barred; /* children do not inherit from it */
	bool seen; /* found by the current scan */
};

struct fork_label {
	char id[FORK_LABEL_BYTES];
	uint32_t users;
};

struct fork_table {
	struct fork_entry *entries;
	uint32_t *buckets; /* the youngest entry of each bucket */
	uint32_t capacity; /* a power of two */
	uint32_t used; /* entries that were ever in use */
	uint32_t living;
	uint32_t first_dead; /* the entry that is reused next */
	uint32_t last_dead;
	uint32_t last_unnamed; /* dead entries up to this entry have lost their labels */
	uint64_t latest; /* time of the last event */
	/* A process that has a pid after this time, but no entry, has caused no event since then. */
	uint64_t known_from;
	/* Until this time, a process without an entry may have got a pid that /proc showed earlier. */
	uint64_t forgotten;
	uint64_t reuses; /* pids that were reused soon after their last process, and times that events were lost */
	uint64_t full; /* forks for which all entries had living processes */
	uint64_t unlabelled; /* containers that did not get a label, because living processes use all labels */
	struct fork_label labels[FORK_LABELS];
	uint16_t labels_used;
};

/* What is known about a process. */
struct fork_answer {
	char container[FORK_LABEL_BYTES]; /* empty: not known */
	uint64_t start; /* start of the oldest process that may be the requested process */
	uint32_t processes; /* number of candidates: above 1 if the pid was reused; `container` is for all, or empty */
	/*
	 * Pid to look up in /proc: of the process or its nearest living ancestor without a known container; 0: none.
	 */
	pid_t ask;
	uint64_t ask_key;
	bool ask_itself;
};

/* A process as /proc shows it. */
struct fork_sight {
	pid_t pid;
	uint64_t start; /* rounded down to a clock tick */
	char container[FORK_LABEL_BYTES];
};

/*
 * Creates a table for events from `now` on. Rounds capacity up to a power of two, at most FORK_ENTRIES. Returns 0 or
 * -errno.
 */
int fork_table_init(struct fork_table *table, uint32_t capacity, uint64_t now);
void fork_table_free(struct fork_table *table);

/* Notes a fork: after `when`, the child's pid means a new process. */
void fork_table_fork(struct fork_table *table, pid_t parent, pid_t child, uint64_t when);

/*
 * Notes that a thread of the process ended. Usually the first thread ends last, and then the entry may be reused. If
 * other threads still run, the process ends with its last thread.
 */
void fork_table_exit(struct fork_table *table, pid_t pid, bool first, uint64_t when);

/*
 * Notes that events were lost. The loss began at the last noted event or at `sure`, whichever is earlier, and ended at
 * `now`. After that, the owner of each pid is uncertain until a scan finds the living processes.
 */
void fork_table_lost(struct fork_table *table, uint64_t sure, uint64_t now);

/*
 * Adds the processes that /proc showed after `began`, if events were not lost since then. Accepts rounded start times.
 */
void fork_table_scan(struct fork_table *table, const struct fork_sight *sights, size_t count, uint64_t began);

/* Returns the key of the process that has the pid now; false if it is uncertain that a process has the pid. */
bool fork_table_living(struct fork_table *table, pid_t pid, uint64_t *key);

/*
 * Sets the container of the process with the key, if there is room; an empty id changes nothing. Returns whether the
 * process still lives. If not, facts from /proc about its pid may be about another process.
 */
bool fork_table_label(struct fork_table *table, uint64_t key, const char *id);

/*
 * Like fork_table_label, for the process that got the pid between earliest and latest. False if there is no such
 * process, there are several, or there is no room.
 */
bool fork_table_label_started(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest, const char *id);

/* Stops inheritance from the process with the key, because its apparent children may be children of other processes. */
void fork_table_bar(struct fork_table *table, uint64_t key);

/* Whether the process with the key lives, is in the container, and has had the pid since the given time. */
bool fork_table_holds(struct fork_table *table, uint64_t key, pid_t pid, uint64_t since, const char *id);

/* Finds the process that had the pid between earliest and latest. False if this may be an unknown process. */
bool fork_table_find(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest,
		     struct fork_answer *answer);

#endif
