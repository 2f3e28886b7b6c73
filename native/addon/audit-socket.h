/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_AUDIT_SOCKET_H
#define VARMOR_AUDIT_SOCKET_H

#include <stdint.h>

/* The name of a failed step and its errno. */
struct failure {
	const char *step;
	int error;
};

/*
 * Opens a non-blocking socket in the multicast group AUDIT_NLGRP_READLOG (Linux 3.16), closed on exec, in the network
 * namespace of the calling thread. With CAP_NET_ADMIN its receive buffer gets `buffer` bytes, else at most
 * net.core.rmem_max. Returns the socket, or -1 with the failure. Errors that callers distinguish:
 * socket EPROTONOSUPPORT (audit=0, or a kernel without audit), join EPERM (no CAP_AUDIT_READ).
 */
int audit_socket_open(uint32_t buffer, struct failure *failure);

/* Leaves the group: the socket's buffer keeps its messages and gets no new ones. */
int audit_socket_leave(int fd);

/* Sets the receive buffer to `bytes`, or to the largest size that is allowed. Returns 0, or -1 with errno. */
int socket_force_buffer(int fd, uint32_t bytes);

/* Bytes of the receive buffer as the kernel accounts for them: twice the requested number. */
uint32_t audit_socket_buffer(int fd);

/*
 * Reads the number of messages so far that were dropped because the receive buffer was full (Linux 4.12; wraps at
 * 2^32). Returns 0 or -errno.
 */
int audit_socket_drops(int fd, uint32_t *drops);

#endif
