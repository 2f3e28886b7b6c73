/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change-rules add|delete COUNT: adds or deletes rules of the kernel's audit that match nothing in use: COUNT rules of
 * the list exclude, each for one message type from 2900 on, and one rule of the list exit.
 */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	struct nlmsghdr header;
	struct audit_rule_data rule;
};

static int change(int fd, __u16 type, __u32 list, __u32 field, __u32 value)
{
	struct message message = { 0 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct { struct nlmsghdr header; struct nlmsgerr error; char rest[4096]; } answer;

	message.header.nlmsg_len = sizeof(message);
	message.header.nlmsg_type = type;
	message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message.rule.flags = list;
	message.rule.action = list == AUDIT_FILTER_EXIT ? AUDIT_NEVER : AUDIT_ALWAYS;
	message.rule.field_count = 1;
	message.rule.fields[0] = field;
	message.rule.values[0] = value;
	message.rule.fieldflags[0] = AUDIT_EQUAL;
	memset(message.rule.mask, list == AUDIT_FILTER_EXIT ? 0xff : 0, sizeof(message.rule.mask));
	if (sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)) || answer.error.error) {
		fprintf(stderr, "%s\n", strerror(-answer.error.error));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int adds = argc == 3 && strcmp(argv[1], "add") == 0;
	__u16 type = adds ? AUDIT_ADD_RULE : AUDIT_DEL_RULE;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
	int i, failed;

	if (argc != 3 || fd < 0)
		return 2;
	failed = change(fd, type, AUDIT_FILTER_EXIT, AUDIT_PID, 1);
	for (i = 0; i < atoi(argv[2]); i++)
		failed |= change(fd, type, AUDIT_FILTER_EXCLUDE, AUDIT_MSGTYPE, 2900 + (__u32)i);
	return failed;
}
