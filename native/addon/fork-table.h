/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_TABLE_H
#define VARMOR_FORK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Maximum containers that are known at a time; beyond it, dead processes lose their containers. And bytes of the
 * longest id with its NUL.
 */
#ifndef FORK_LABELS
#define FORK_LABELS 2048
#endif
#define FORK_LABEL_BYTES 65
/* Maximum entries of a table: with more entries, a key would not fit into a double. */
#define FORK_ENTRIES (1u << 20)
/* Maximum generations that an answer climbs. */
#define FORK_DEPTH 256

/*
 * Keeps the parent and the container of all living processes and of the last dead ones, in fixed memory. A pid has one
 * entry for each process that had it. A child inherits its parent's container, as in the kernel; if the container
 * becomes known later, older children find it by climbing. Times are nanoseconds of CLOCK_MONOTONIC. Not thread safe.
 *
 * A process owns its pid from its start until the kernel gives the number out again, not only until its first thread
 * ends. The table never answers for times while events were lost or before the first event.
 */
struct fork_entry {
	uint64_t start;
	uint64_t end; /* end of the last thread that ended after the first thread; 0: alive, as far as is known */
	uint64_t until; /* until this time it surely has the pid; UINT64_MAX: it still has the pid */
	pid_t pid;
	uint32_t serial; /* changes when the entry is used again */
	uint32_t parent; /* index, valid while that entry has this serial: */
	uint32_t parent_serial;
	uint32_t older; /* next in the same bucket; this and the following are indices plus 1; 0: none */
	uint32_t died_before;
	uint32_t died_after;
	uint16_t label; /* 0: not known */
	bool headless; /* its first thread has ended */
	bool barred; /* nothing is inherited from it */
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
	uint32_t last_unnamed; /* dead entries up to this one have lost their labels */
	uint64_t latest; /* time of the last event */
	uint64_t known_from; /* a process without an entry that had a pid after this time has caused no event since */
	uint64_t forgotten; /* until then, an unlisted process may have got a pid that /proc showed earlier */
	uint64_t reuses; /* pids that were reused soon after their last process, and times that events were lost */
	uint64_t full; /* forks that found only living processes */
	uint64_t unlabelled; /* labels without room, because living processes use all labels */
	struct fork_label labels[FORK_LABELS];
	uint16_t labels_used;
};

/* What is known about a process. */
struct fork_answer {
	char container[FORK_LABEL_BYTES]; /* empty: not known */
	uint64_t start; /* of the oldest process that may be meant */
	uint32_t processes; /* may be meant: more than 1 if the pid was reused; `container` holds for all, or is empty */
	/* Look this pid up in /proc: the process, or its nearest living ancestor of no known container; 0: none. */
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

/* Rounds capacity up to a power of two, FORK_ENTRIES at most. Events come from `now` on. Returns 0 or -errno. */
int fork_table_init(struct fork_table *table, uint32_t capacity, uint64_t now);
void fork_table_free(struct fork_table *table);

/* Notes a fork: from now on the child's pid means a new process. */
void fork_table_fork(struct fork_table *table, pid_t parent, pid_t child, uint64_t when);

/*
 * Notes that a thread of the process ended. The first thread mostly ends last, and then its entry may be reused; if
 * other threads still run, the process ends with the last thread.
 */
void fork_table_exit(struct fork_table *table, pid_t pid, bool first, uint64_t when);

/*
 * Notes that events were lost between `now` and the earlier of `sure` and the last noted event. After that, the owner
 * of every pid is unsure until a scan sees the living processes.
 */
void fork_table_lost(struct fork_table *table, uint64_t sure, uint64_t now);

/* Adds what /proc showed after `began`, if no events were lost since then. Accepts rounded start times. */
void fork_table_scan(struct fork_table *table, const struct fork_sight *sights, size_t count, uint64_t began);

/* Gives the key of the process that has the pid now; false if it is not sure that a process has the pid. */
bool fork_table_living(struct fork_table *table, pid_t pid, uint64_t *key);

/*
 * Sets the container of the process with the key, if there is room; an empty id sets nothing. Returns whether the
 * process lives: if it has ended, what /proc showed for its pid may belong to another process.
 */
bool fork_table_label(struct fork_table *table, uint64_t key, const char *id);

/*
 * Like fork_table_label, for the process that got the pid between earliest and latest. False if there is no such
 * process, there are several, or there is no room.
 */
bool fork_table_label_started(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest, const char *id);

/* Stops inheritance from the process with the key: its apparent children may be children of other processes. */
void fork_table_bar(struct fork_table *table, uint64_t key);

/* Whether the process with the key lives, is in the container, and has had the pid since the given time. */
bool fork_table_holds(struct fork_table *table, uint64_t key, pid_t pid, uint64_t since, const char *id);

/* Answers for the process that had the pid between earliest and latest. False if it may be an unknown process. */
bool fork_table_find(struct fork_table *table, pid_t pid, uint64_t earliest, uint64_t latest,
		     struct fork_answer *answer);

#endif
