/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_PROC_CONNECTOR_H
#define VARMOR_PROC_CONNECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit-socket.h"

enum proc_change { PROC_NOTHING, PROC_FORKED, PROC_ENDED, PROC_THREAD_ENDED, PROC_ANSWER };

struct proc_report {
	enum proc_change change;
	pid_t pid; /* of the child; or of the process that ended, or whose thread ended */
	pid_t parent; /* of a child */
	uint64_t when; /* CLOCK_MONOTONIC, ns */
	uint32_t error; /* of an answer: errno or 0 */
	uint32_t ack; /* of an answer */
};

/*
 * Opens a non-blocking socket to which the kernel's process connector (CONFIG_PROC_EVENTS) sends the forks of processes
 * and the ends of threads; a filter in the kernel drops its other events. Returns the socket, or -1 with the failure.
 * Errors that callers distinguish: socket EPROTONOSUPPORT (a kernel without connectors), bind or listen EPERM
 * (CAP_NET_ADMIN is missing), listen ECONNREFUSED (not in the host's network namespace), answer ETIMEDOUT (a kernel
 * without CONFIG_PROC_EVENTS, or outside the initial user or pid namespace, where kernels before 6.6 do not answer).
 */
int proc_connector_open(uint32_t buffer, struct failure *failure);

/* Lowers the kernel's count of listeners by one and closes the socket. */
void proc_connector_close(int fd);

/* Parses a netlink message of len bytes. The report is empty if the message is incomplete or not from the connector. */
struct proc_report proc_connector_parse(const char *message, size_t len);

#endif
