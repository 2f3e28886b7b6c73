/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_AUDIT_LISTENER_H
#define VARMOR_AUDIT_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit-control.h"
#include "audit-socket.h"
#include "batch-ring.h"
#include "intake.h"

/* A batch must hold the longest record with its frame. */
#define MIN_BATCH_BYTES (2 * MAX_RECORD)

struct listener_options {
	uint32_t batch_bytes; /* at least MIN_BATCH_BYTES */
	uint32_t batches; /* at least 2: one batch is filled while others are read */
	uint32_t flush_ms; /* about the longest time that a record waits for its batch to fill */
	/*
	 * Milliseconds that the thread sleeps when the socket is empty, at most 1000. With 0, each record costs a
	 * wake-up; bench/audit/source/multicast.bench.ts measures both.
	 */
	uint32_t nap_ms;
	uint32_t sample_ms; /* interval between reads of the kernel's lost counter; 0: only at the end */
	uint32_t receive_buffer; /* bytes */
	uint32_t backlog_limit; /* the kernel's limit is raised to this if it is lower; 0: it is not changed */
	/*
	 * For a bench: a socket whose packets look like the kernel's messages. The kernel cannot make records as fast
	 * as the listener reads them. The listener closes this socket. 0: the kernel's multicast.
	 */
	uint32_t feed;
	struct type_set types; /* record types that are handed to the reader */
	void (*wake)(void *context); /* called on the listener's thread: a batch is ready, or the end is reached */
	void *context;
};

/*
 * Written by the listener's thread, read by any thread.
 * received = passed + filtered + foreign + malformed + truncated + discarded.
 */
struct listener_counts {
	_Atomic uint64_t received; /* messages taken from the socket */
	_Atomic uint64_t passed; /* put into a batch */
	_Atomic uint64_t filtered; /* of a type that was not requested */
	_Atomic uint64_t foreign; /* sent by a process, not by the kernel: forged */
	_Atomic uint64_t malformed; /* no netlink header, or a header with a wrong length */
	_Atomic uint64_t truncated; /* longer than MAX_RECORD */
	_Atomic uint64_t discarded; /* read from the socket or put into a batch, but never read by the reader */
	_Atomic uint64_t overruns; /* times that the socket returned ENOBUFS */
	_Atomic uint64_t kernel_lost; /* growth of the kernel's lost counter */
	_Atomic uint64_t stalls; /* times that the thread waited because every batch was full */
	_Atomic uint64_t samples; /* answers to AUDIT_GET */
	_Atomic uint64_t config_changes; /* filtered records that report a change of the audit settings or rules */
	_Atomic uint64_t exclusions_removed; /* config_changes that removed a rule of the list `exclude` */
	_Atomic uint32_t kernel_backlog; /* records that waited in the kernel at the last sample */
	_Atomic uint32_t audit_enabled;
	_Atomic uint32_t auditd; /* PID of the audit daemon; 0 if there is none */
	_Atomic int error; /* errno that ended the listener; 0 if there is none */
};

struct listener {
	struct listener_options options;
	struct listener_counts counts;
	struct batch_ring ring;
	struct audit_control control;
	struct backlog_limit backlog;
	uint32_t socket_buffer;
	uint32_t last_lost;
	uint64_t born; /* when the batch that is being filled got its first record, in ms; 0: it is empty */
	uint64_t final_drops; /* drops of the socket when it was closed */
	int fd;
	int wake_fd;
	pthread_t thread;
	_Atomic int wanted; /* enum listener_phase, set by the owner */
	_Atomic bool ended;
	bool running;
};

/* Opens the socket and starts the thread. On failure returns NULL, fills in the failure and releases everything. */
struct listener *listener_start(const struct listener_options *options, struct failure *failure);

/*
 * Leaves the multicast group and returns at once. The thread reads the messages that are in the socket, and then ends.
 */
void listener_stop(void *listener);

/* Returns the oldest full batch or NULL; listener_release gives it back. */
struct batch *listener_oldest(void *listener);
void listener_release(void *listener);

/* Whether the listener has reached its end: no batch comes after this. */
bool listener_ended(void *listener);

/*
 * Number of messages so far that were dropped because the receive buffer was full; UINT64_MAX if the kernel does not
 * count them.
 */
uint64_t listener_socket_drops(struct listener *listener);

/*
 * Ends the thread now, joins it, restores the backlog limit, closes and frees everything except the counts. Records
 * that were not read count as discarded. A second call does nothing. Call this before listener_free.
 */
void listener_close(void *listener);
void listener_free(void *listener);

#endif
