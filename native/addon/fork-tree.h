/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_TREE_H
#define VARMOR_FORK_TREE_H

#include <pthread.h>
#include <stdatomic.h>

#include "change-ring.h"
#include "fork-table.h"
#include "intake.h"
#include "proc-connector.h"

#define FORK_ROOT_BYTES 256

struct fork_tree_options {
	uint32_t entries; /* processes that are known at a time */
	uint32_t receive_buffer; /* bytes */
	/*
	 * Milliseconds that the thread sleeps between two checks. A long sleep does not delay queries, because each
	 * query reads the waiting events itself.
	 */
	uint32_t nap_ms;
	char root[FORK_ROOT_BYTES]; /* a proc file system that shows the node's processes */
	/* Folder with the pinned maps of the BPF programs that report processes; empty: use the process connector. */
	char folder[FORK_ROOT_BYTES];
};

/* Any thread may read these. */
struct fork_tree_counts {
	_Atomic uint64_t forks;
	_Atomic uint64_t exits;
	_Atomic uint64_t foreign; /* sent by a process, not by the kernel: forged */
	_Atomic uint64_t malformed;
	_Atomic uint64_t overruns; /* times that the socket returned ENOBUFS or the ring's programs counted losses */
	_Atomic uint64_t scans; /* scans of /proc */
	_Atomic uint64_t failed_scans; /* failed scans; each is tried again */
	_Atomic uint64_t clock_steps; /* steps of the wall clock; after each, the tree gives no answers for a while */
	_Atomic int error; /* errno that ended the thread, or 0 */
};

/* The fork table of this node, and the thread that keeps it up to date. */
struct fork_tree {
	struct fork_tree_options options;
	struct fork_tree_counts counts;
	struct type_set types;
	pthread_mutex_t lock; /* guards the table, the intake and the reads of the socket or the ring */
	struct fork_table table;
	struct intake intake;
	/* The lock guards these fields, too. */
	bool lost; /* a scan is due */
	bool losing; /* the socket's buffer was full, and its events from before the loss are not all read */
	uint64_t losing_since;
	uint64_t calm; /* until this time the ring has lost no changes */
	uint64_t ring_lost; /* number of losses at the last check */
	uint64_t ring_lost_before; /* number of losses at the first check */
	double offset; /* seconds from CLOCK_MONOTONIC to the wall clock, at the last check */
	uint64_t stepped; /* when the offset last changed; 0: never */
	struct change_ring ring; /* has no descriptor if the connector is used */
	int fd; /* of the connector; -1 if the ring is used */
	int wake_fd;
	pthread_t thread;
	_Atomic bool closing;
	bool running;
};

struct fork_tree_sizes {
	uint32_t known;
	uint32_t living;
	uint64_t full;
	uint64_t unlabelled;
	uint64_t reuses; /* the table's count; UINT64_MAX: not known */
	uint64_t socket_drops; /* UINT64_MAX: not known */
};

/* Opens the ring or the connector, reads /proc and starts the thread. Returns NULL with the failure. */
struct fork_tree *fork_tree_open(const struct fork_tree_options *options, struct failure *failure);

/* Ends the thread and frees everything. */
void fork_tree_close(struct fork_tree *tree);

/*
 * Like fork_table_find, with Unix seconds (also for `start`), and for any thread. The answer includes all events that
 * the kernel has reported. The kernel reports a fork before the child runs. There is no answer for times that are long
 * past.
 */
bool fork_tree_find(struct fork_tree *tree, pid_t pid, double earliest, double latest, struct fork_answer *answer,
		    double *start);

/* See the functions of the same names in fork-table.h. */
bool fork_tree_living(struct fork_tree *tree, pid_t pid, uint64_t *key);
bool fork_tree_label(struct fork_tree *tree, uint64_t key, const char *id);
bool fork_tree_label_started(struct fork_tree *tree, pid_t pid, double earliest, double latest, const char *id);
bool fork_tree_holds(struct fork_tree *tree, uint64_t key, pid_t pid, double since, const char *id);
void fork_tree_bar(struct fork_tree *tree, uint64_t key);

struct fork_tree_sizes fork_tree_sizes(struct fork_tree *tree);

#endif
