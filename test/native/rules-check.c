/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules-check SCENARIO: reads the audit rules of a simulated kernel that answers as SCENARIO says. Prints the error, or
 * the number of rules with their bytes.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int fake_connect(int fd, const struct sockaddr *to, socklen_t len);
static ssize_t fake_sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len);
static ssize_t fake_recvfrom(int fd, void *into, size_t room, int flags, struct sockaddr *from, socklen_t *from_len);
static int fake_clock_gettime(clockid_t id, struct timespec *now);

/* These replacements follow the C library's headers, which must declare the real names. */
#define connect fake_connect
#define sendto fake_sendto
#define recvfrom fake_recvfrom
#define clock_gettime fake_clock_gettime
#include "audit-control.c"

static const char *scenario;
static struct nlmsghdr asked;
static unsigned int answers;

static int is(const char *name)
{
	return strcmp(scenario, name) == 0;
}

static int fake_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	return 0;
}

static int fake_clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	/* Each answer takes a second. */
	*now = (struct timespec){ .tv_sec = 1000 + (is("endless") ? answers : 0) };
	return 0;
}

static ssize_t fake_sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	(void)fd;
	(void)flags;
	(void)to;
	(void)to_len;
	memcpy(&asked, bytes, sizeof(asked));
	answers = 0;
	return (ssize_t)len;
}

static ssize_t message(void *into, size_t room, uint16_t type, uint32_t seq, const void *payload, size_t len)
{
	struct nlmsghdr header = { .nlmsg_len = NLMSG_LENGTH(len), .nlmsg_type = type, .nlmsg_seq = seq };
	size_t n = NLMSG_LENGTH(len) < room ? NLMSG_LENGTH(len) : room;

	memcpy(into, &header, sizeof(header));
	memcpy((char *)into + NLMSG_HDRLEN, payload, n - NLMSG_HDRLEN);
	return (ssize_t)n;
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

static ssize_t rule(void *into, size_t room, uint32_t list, size_t texts)
{
	static char bytes[1 << 17];

	memset(bytes, 'x', sizeof(bytes));
	memset(bytes, 0, sizeof(struct audit_rule_data));
	((struct audit_rule_data *)bytes)->flags = list;
	return message(into, room, AUDIT_LIST_RULES, asked.nlmsg_seq, bytes, sizeof(struct audit_rule_data) + texts);
}

static ssize_t fake_recvfrom(int fd, void *into, size_t room, int flags, struct sockaddr *from, socklen_t *from_len)
{
	struct audit_status status = { .enabled = 2 };
	struct nlmsgerr refusal = { .error = -EPERM };
	unsigned int n = answers++;

	(void)fd;
	(void)flags;
	memset(from, 0, sizeof(struct sockaddr_nl));
	*from_len = sizeof(struct sockaddr_nl);
	if (asked.nlmsg_type == AUDIT_GET)
		return message(into, room, AUDIT_GET, asked.nlmsg_seq, &status, sizeof(status));
	if (is("refused"))
		return message(into, room, NLMSG_ERROR, asked.nlmsg_seq, &refusal, sizeof(refusal));
	if (is("silent"))
		return fail(EAGAIN);
	if (is("overrun") && n == 3)
		return fail(ENOBUFS);
	if (is("short"))
		return message(into, room, AUDIT_LIST_RULES, asked.nlmsg_seq, &status, 8);
	if (is("strange"))
		return message(into, room, AUDIT_USER, asked.nlmsg_seq, &status, sizeof(status));
	if (is("late") && n == 0)
		return message(into, room, NLMSG_DONE, asked.nlmsg_seq - 1, "", 0);
	if (is("forged") && n == 0) {
		((struct sockaddr_nl *)from)->nl_pid = 77;
		return message(into, room, NLMSG_DONE, asked.nlmsg_seq, "", 0);
	}
	if (is("endless"))
		return rule(into, room, AUDIT_FILTER_EXIT, 0);
	if (is("many") || (is("thousands") && n < 5000))
		return rule(into, room, is("many") ? AUDIT_FILTER_EXCLUDE : AUDIT_FILTER_EXIT, 0);
	if (is("long") && n == 0)
		return rule(into, room, AUDIT_FILTER_EXCLUDE, 100000);
	if (n < 5 && !is("long") && !is("thousands"))
		return rule(into, room, n % 2 ? AUDIT_FILTER_EXIT : AUDIT_FILTER_USER | AUDIT_FILTER_PREPEND, n);
	return message(into, room, NLMSG_DONE, asked.nlmsg_seq, "", 0);
}

int main(int argc, char **argv)
{
	struct audit_rules rules;
	int error;

	if (argc != 2)
		return 2;
	scenario = argv[1];
	error = audit_rules_read(&rules);
	if (error)
		printf("%s", strerror(-error));
	else
		printf("%u rules, %zu bytes, enabled %u", rules.count, rules.len, rules.enabled);
	audit_rules_free(&rules);
	return 0;
}
