/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge-records group|user TEXT: forges a record as a hostile process would.
 * group: sends a message of type 1400 to the audit log's multicast group (needs CAP_NET_ADMIN).
 * user: asks the kernel to log TEXT as a user space record of type 1107 (needs CAP_AUDIT_WRITE); "\n" in TEXT is a
 * newline.
 */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	struct nlmsghdr header;
	char text[1024];
};

static void unescape(char *out, const char *in)
{
	while (*in) {
		if (in[0] == '\\' && in[1] == 'n') {
			*out++ = '\n';
			in += 2;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

int main(int argc, char **argv)
{
	struct message message = { 0 };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	int user = argc == 3 && strcmp(argv[1], "user") == 0;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (argc != 3 || strlen(argv[2]) >= sizeof(message.text) || fd < 0)
		return 2;
	unescape(message.text, argv[2]);
	message.header.nlmsg_len = NLMSG_LENGTH(strlen(message.text) + 1);
	message.header.nlmsg_type = user ? AUDIT_USER_AVC : AUDIT_AVC;
	message.header.nlmsg_flags = NLM_F_REQUEST;
	to.nl_groups = user ? 0 : 1 << (AUDIT_NLGRP_READLOG - 1);
	if (sendto(fd, &message, message.header.nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("sendto");
		return 1;
	}
	return 0;
}
