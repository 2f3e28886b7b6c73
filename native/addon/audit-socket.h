/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_AUDIT_SOCKET_H
#define VARMOR_AUDIT_SOCKET_H

#include <stdint.h>

/* A failed step: which one, and its errno. */
struct failure {
	const char *step;
	int error;
};

/*
 * A non-blocking socket in the multicast group AUDIT_NLGRP_READLOG (Linux 3.16), closed on exec, in the network
 * namespace of the calling thread. Its receive buffer is forced to buffer bytes where CAP_NET_ADMIN allows, else it is
 * as large as net.core.rmem_max allows. Returns the socket or -1 with the failure. Errors worth telling apart:
 * socket EPROTONOSUPPORT (audit=0, or a kernel without audit), join EPERM (no CAP_AUDIT_READ).
 */
int audit_socket_open(uint32_t buffer, struct failure *failure);

/* Leaves the group: what is in the socket's buffer stays, nothing is added. */
int audit_socket_leave(int fd);

/* Forces the receive buffer to bytes, or as near to it as is allowed. 0, or -1 with errno. */
int socket_force_buffer(int fd, uint32_t bytes);

/* The receive buffer in the kernel's own accounting (twice what was asked for). */
uint32_t audit_socket_buffer(int fd);

/* Messages that found the receive buffer full since the socket was made (Linux 4.12; wraps at 2^32). 0 or -errno. */
int audit_socket_drops(int fd, uint32_t *drops);

#endif
