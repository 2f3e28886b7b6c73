/* SPDX-License-Identifier: Apache-2.0 */
#include "proc-connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"

/*
 * Milliseconds to wait for an answer. The kernel answers during the request's system call, so this is more than enough.
 */
#define ANSWER_TIMEOUT_MS 250
/* Offset of the kernel's event: it follows two headers, without padding. */
#define EVENT (NLMSG_HDRLEN + sizeof(struct cn_msg))
#define DATA (EVENT + offsetof(struct proc_event, event_data))

/* From <linux/cn_proc.h>, copied because Linux 6.5 moved the names out of the event's type. */
#define WHAT_ANSWER 0x00000000u
#define WHAT_FORK 0x00000001u
#define WHAT_EXIT 0x80000000u

struct request {
	struct nlmsghdr header;
	struct cn_msg message;
	uint32_t op;
} __attribute__((packed));

/*
 * Passes answers, exits, and forks of a process (not of a thread: the child's thread id equals its process id). Loads
 * in the filter convert from network byte order, so the numbers for comparison are converted, too.
 */
static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, EVENT + offsetof(struct proc_event, what)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_ANSWER), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_EXIT), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_FORK), 0, 5),
		/* child_pid, child_tgid */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA + 8),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA + 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Sends the short form of the request, which all kernels accept. */
static int ask(int fd, uint32_t op, uint32_t ack)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = NLMSG_DONE },
		.message = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .ack = ack, .len = sizeof(request.op) },
		.op = op,
	};

	return sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -1 : 0;
}

/*
 * Sets errno to the kernel's answer; 0 means success. All listeners receive each answer. The ack of our answer is our
 * ack plus 1, because the kernel sets seq itself. Events before the answer are ignored.
 */
static int await_answer(int fd, uint32_t ack)
{
	uint64_t end = now_ms() + ANSWER_TIMEOUT_MS;
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct proc_report report = { 0 };
	char message[1024];
	ssize_t n;

	while (report.change != PROC_ANSWER || report.ack != ack + 1) {
		uint64_t now = now_ms();
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);

		errno = ETIMEDOUT;
		if (now >= end || poll(&poller, 1, (int)(end - now)) == 0)
			return -1;
		n = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			return -1;
		if (n > 0 && from_len == sizeof(from) && from.nl_pid == 0)
			report = proc_connector_parse(message, (size_t)n);
	}
	errno = (int)report.error;
	return errno ? -1 : 0;
}

int proc_connector_open(uint32_t buffer, struct failure *failure)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	uint32_t ack = (uint32_t)getpid() << 16 ^ (uint32_t)now_ms();
	int fd;

	failure->step = "socket";
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
	if (fd < 0)
		goto failed;
	failure->step = "receive buffer";
	if (socket_force_buffer(fd, buffer) < 0)
		goto failed;
	failure->step = "filter";
	if (attach_filter(fd) < 0)
		goto failed;
	failure->step = "bind";
	if (bind(fd, (struct sockaddr *)&self, sizeof(self)) < 0)
		goto failed;
	failure->step = "listen";
	if (ask(fd, PROC_CN_MCAST_LISTEN, ack) < 0)
		goto failed;
	failure->step = "answer";
	if (await_answer(fd, ack) < 0)
		goto failed;
	return fd;

failed:
	failure->error = errno;
	if (fd >= 0)
		close(fd);
	return -1;
}

void proc_connector_close(int fd)
{
	/* Older kernels count listeners only by these requests. A failure does not matter. */
	(void)ask(fd, PROC_CN_MCAST_IGNORE, 0);
	close(fd);
}

/* Copies a part of an event; false if the message is too short to hold it. */
static bool take(void *part, size_t size, size_t at, const char *event, size_t len)
{
	if (at + size > len)
		return false;
	memcpy(part, event + at, size);
	return true;
}

static struct proc_report report_of(const char *event, size_t len)
{
	const size_t data = offsetof(struct proc_event, event_data);
	struct proc_report report = { .change = PROC_NOTHING };
	uint32_t what;
	struct {
		int32_t parent_pid, parent_tgid, child_pid, child_tgid;
	} fork;
	struct {
		int32_t pid, tgid;
	} exit;

	if (!take(&what, sizeof(what), 0, event, len) ||
	    !take(&report.when, sizeof(report.when), offsetof(struct proc_event, timestamp_ns), event, len))
		return report;
	if (what == WHAT_ANSWER && take(&report.error, sizeof(report.error), data, event, len)) {
		report.change = PROC_ANSWER;
	} else if (what == WHAT_FORK && take(&fork, sizeof(fork), data, event, len) &&
		   fork.child_pid == fork.child_tgid) {
		report.change = PROC_FORKED;
		report.pid = fork.child_tgid;
		report.parent = fork.parent_tgid;
	} else if (what == WHAT_EXIT && take(&exit, sizeof(exit), data, event, len)) {
		report.change = exit.pid == exit.tgid ? PROC_ENDED : PROC_THREAD_ENDED;
		report.pid = exit.tgid;
	}
	return report;
}

struct proc_report proc_connector_parse(const char *message, size_t len)
{
	struct proc_report report = { .change = PROC_NOTHING };
	struct nlmsghdr header;
	struct cn_msg body;

	if (len < EVENT)
		return report;
	memcpy(&header, message, sizeof(header));
	memcpy(&body, message + NLMSG_HDRLEN, sizeof(body));
	if (header.nlmsg_len < EVENT || header.nlmsg_len > len || body.len > header.nlmsg_len - EVENT ||
	    body.id.idx != CN_IDX_PROC || body.id.val != CN_VAL_PROC)
		return report;
	report = report_of(message + EVENT, body.len);
	report.ack = body.ack;
	return report;
}
