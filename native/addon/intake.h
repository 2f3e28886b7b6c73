/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_INTAKE_H
#define VARMOR_INTAKE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define INTAKE_MESSAGES 64
/* The longest message that is read whole. The kernel's own records are much shorter. */
#define MAX_RECORD 65536

/* One bit per message type. */
struct type_set {
	uint64_t words[65536 / 64];
};

static inline void type_set_add(struct type_set *set, uint16_t type)
{
	set->words[type / 64] |= UINT64_C(1) << (type % 64);
}

static inline bool type_set_has(const struct type_set *set, uint16_t type)
{
	return set->words[type / 64] >> (type % 64) & 1;
}

/* The messages of one recvmmsg call, and the owner's position in them. */
struct intake {
	struct mmsghdr headers[INTAKE_MESSAGES];
	struct iovec vectors[INTAKE_MESSAGES];
	struct sockaddr_nl senders[INTAKE_MESSAGES];
	char (*messages)[MAX_RECORD];
	bool feed; /* the socket is not a netlink socket, so its messages have no port */
	unsigned int count;
	unsigned int next;
};

enum verdict { VERDICT_PASS, VERDICT_FOREIGN, VERDICT_TRUNCATED, VERDICT_MALFORMED, VERDICT_FILTERED };

/* Returns 0 or -errno. */
int intake_init(struct intake *in);
void intake_free(struct intake *in);

/*
 * Reads the messages that are in the socket, without waiting. Returns the number of messages, or -errno if the socket
 * is broken. Adds to `overruns` how often the socket's buffer was full.
 */
int intake_receive(struct intake *in, int fd, unsigned int *overruns);

/* Returns whether the message at `next` is passed to the reader, or why not. */
enum verdict intake_verdict(const struct intake *in, const struct type_set *types);

/* Frames the message at `next`, whose verdict must be to pass. Returns as frame_record does. */
size_t intake_frame(const struct intake *in, char *out, size_t room);

#endif
