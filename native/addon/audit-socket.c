/* SPDX-License-Identifier: Apache-2.0 */
#include "audit-socket.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

int socket_force_buffer(int fd, uint32_t bytes)
{
	int size = bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int join(int fd)
{
	int group = AUDIT_NLGRP_READLOG;

	return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

int audit_socket_leave(int fd)
{
	int group = AUDIT_NLGRP_READLOG;

	return setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
}

int audit_socket_open(uint32_t buffer, struct failure *failure)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	int fd;

	failure->step = "socket";
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
	if (fd < 0)
		goto failed;
	failure->step = "receive buffer";
	if (socket_force_buffer(fd, buffer) < 0)
		goto failed;
	failure->step = "bind";
	if (bind(fd, (struct sockaddr *)&self, sizeof(self)) < 0)
		goto failed;
	failure->step = "join";
	if (join(fd) < 0)
		goto failed;
	return fd;

failed:
	failure->error = errno;
	if (fd >= 0)
		close(fd);
	return -1;
}

uint32_t audit_socket_buffer(int fd)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) < 0 || size < 0)
		return 0;
	return (uint32_t)size;
}

int audit_socket_drops(int fd, uint32_t *drops)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return -errno;
	if (len < (SK_MEMINFO_DROPS + 1) * sizeof(info[0]))
		return -ENODATA;
	*drops = info[SK_MEMINFO_DROPS];
	return 0;
}
