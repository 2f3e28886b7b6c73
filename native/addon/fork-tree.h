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
	/* The thread sleeps this long between two looks. Whoever asks takes what has come, so a long nap makes no answer late. */
	uint32_t nap_ms;
	char root[FORK_ROOT_BYTES]; /* a proc file system that shows the node's processes */
	/* Where the maps of BPF programs are pinned that say what becomes of processes; empty: the process connector says it. */
	char folder[FORK_ROOT_BYTES];
};

/* Read by any thread. */
struct fork_tree_counts {
	_Atomic uint64_t forks;
	_Atomic uint64_t exits;
	_Atomic uint64_t foreign; /* sent by a process, not by the kernel: forged */
	_Atomic uint64_t malformed;
	_Atomic uint64_t overruns; /* times that events were lost: the socket said ENOBUFS, or the ring's programs counted more */
	_Atomic uint64_t scans; /* of /proc */
	_Atomic uint64_t failed_scans; /* tried again */
	_Atomic uint64_t clock_steps; /* of the wall clock, after which nothing is answered for a while */
	_Atomic int error; /* errno that ended the thread, or 0 */
};

/* The fork table of this node, kept up to date by a thread of its own. */
struct fork_tree {
	struct fork_tree_options options;
	struct fork_tree_counts counts;
	struct type_set types;
	pthread_mutex_t lock; /* guards table, intake and the reading of the socket or the ring */
	struct fork_table table;
	struct intake intake;
	/* Under the lock, too: */
	bool lost; /* a scan is due */
	bool losing; /* the socket's buffer was full; what it holds from before this is still to be taken */
	uint64_t losing_since;
	uint64_t calm; /* nothing was lost from the ring before this */
	uint64_t ring_lost; /* what the ring's programs have counted at the last look */
	uint64_t ring_lost_before; /* and at the first one */
	double offset; /* of the wall clock to CLOCK_MONOTONIC, in seconds, at the last look */
	uint64_t stepped; /* when it was another one last; 0: never */
	struct change_ring ring; /* without a descriptor where the connector is used */
	int fd; /* of the connector; -1 where the ring is used */
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
	uint64_t reuses; /* the table's by now; UINT64_MAX: not known */
	uint64_t socket_drops; /* UINT64_MAX: not known */
};

/* Opens the ring or the connector, reads /proc and starts the thread. Returns NULL with the failure. */
struct fork_tree *fork_tree_open(const struct fork_tree_options *options, struct failure *failure);

/* Ends the thread and frees all. */
void fork_tree_close(struct fork_tree *tree);

/*
 * As fork_table_find, with seconds of the Unix epoch, from any thread; start is the answer's. What the kernel has said by
 * now is taken into account: it reports a fork before the child runs. Nothing is known of times that are long past.
 */
bool fork_tree_find(struct fork_tree *tree, pid_t pid, double earliest, double latest, struct fork_answer *answer,
		    double *start);

/* As the functions of the table. */
bool fork_tree_living(struct fork_tree *tree, pid_t pid, uint64_t *key);
bool fork_tree_label(struct fork_tree *tree, uint64_t key, const char *id);
bool fork_tree_label_started(struct fork_tree *tree, pid_t pid, double earliest, double latest, const char *id);
bool fork_tree_holds(struct fork_tree *tree, uint64_t key, pid_t pid, double since, const char *id);
void fork_tree_bar(struct fork_tree *tree, uint64_t key);

struct fork_tree_sizes fork_tree_sizes(struct fork_tree *tree);

#endif
