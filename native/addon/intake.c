/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame-record.h"

int intake_init(struct intake *in)
{
	unsigned int i;

	memset(in, 0, sizeof(*in));
	/* The buffers are large, but pages that are never touched take no memory. */
	in->messages = malloc(INTAKE_MESSAGES * sizeof(*in->messages));
	if (!in->messages)
		return -ENOMEM;
	for (i = 0; i < INTAKE_MESSAGES; i++) {
		in->vectors[i].iov_base = in->messages[i];
		in->vectors[i].iov_len = MAX_RECORD;
		in->headers[i].msg_hdr.msg_iov = &in->vectors[i];
		in->headers[i].msg_hdr.msg_iovlen = 1;
		in->headers[i].msg_hdr.msg_name = &in->senders[i];
	}
	return 0;
}

void intake_free(struct intake *in)
{
	free(in->messages);
	in->messages = NULL;
}

int intake_receive(struct intake *in, int fd, unsigned int *overruns)
{
	unsigned int i;
	int n;

	for (i = 0; i < INTAKE_MESSAGES; i++)
		in->headers[i].msg_hdr.msg_namelen = sizeof(in->senders[i]);
	do {
		n = recvmmsg(fd, in->headers, INTAKE_MESSAGES, MSG_DONTWAIT, NULL);
		if (n < 0 && errno == ENOBUFS)
			++*overruns;
	} while (n < 0 && (errno == EINTR || errno == ENOBUFS));
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	in->count = (unsigned int)n;
	in->next = 0;
	return n;
}

enum verdict intake_verdict(const struct intake *in, const struct type_set *types)
{
	const struct msghdr *message = &in->headers[in->next].msg_hdr;
	size_t len = in->headers[in->next].msg_len;
	struct nlmsghdr header;

	/* A process with CAP_NET_ADMIN can send to the group; the kernel's own messages come from port 0. */
	if (!in->feed && (message->msg_namelen != sizeof(in->senders[0]) || in->senders[in->next].nl_pid != 0))
		return VERDICT_FOREIGN;
	if (message->msg_flags & MSG_TRUNC || len > MAX_RECORD)
		return VERDICT_TRUNCATED;
	if (len < sizeof(header))
		return VERDICT_MALFORMED;
	memcpy(&header, in->messages[in->next], sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len)
		return VERDICT_MALFORMED;
	return type_set_has(types, header.nlmsg_type) ? VERDICT_PASS : VERDICT_FILTERED;
}

size_t intake_frame(const struct intake *in, char *out, size_t room)
{
	const char *message = in->messages[in->next];
	struct nlmsghdr header;

	memcpy(&header, message, sizeof(header));
	return frame_record(out, room, header.nlmsg_type, message + sizeof(header), header.nlmsg_len - sizeof(header));
}
