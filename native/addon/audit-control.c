/* SPDX-License-Identifier: Apache-2.0 */
#include "audit-control.h"

#include <errno.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "audit-socket.h"
#include "clocks.h"

/*
 * Seconds to wait for the answer to a request that is sent only once. Without the answer, the backlog limit would stay
 * low. A kernel thread usually answers within microseconds, but later if a program loads rules or the machine is very
 * busy.
 */
#define PATIENCE_S 5
/*
 * Microseconds to wait for the answer to a sample. This wait is short, because the listener does not read records
 * during it.
 */
#define SAMPLE_PATIENCE_US 250000
/*
 * Maximum other messages before the wait for an answer fails. Such a message is, for example, a late answer to an
 * earlier request.
 */
#define MAX_STRANGERS 64
/*
 * Bytes of the receive buffer for the list of rules. The kernel drops a rule's message if the buffer stays full for 100
 * ms.
 */
#define LIST_BUFFER (4 * 1024 * 1024)

struct request {
	struct nlmsghdr header;
	struct audit_status status;
};

union answer {
	struct nlmsghdr header;
	char bytes[8192]; /* a rule has 1,040 bytes and its texts; texts that do not fit are cut */
};

/* All listeners of this process share this claim, whatever their thread. */
static struct {
	pthread_mutex_t lock;
	unsigned int users;
	uint32_t before;
	uint32_t set; /* 0: this process never changed the limit */
} backlog = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int wait_at_most(struct audit_control *control, struct timeval timeout)
{
	return setsockopt(control->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ? -errno : 0;
}

int audit_control_open(struct audit_control *control)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int error;

	control->seq = 0;
	control->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (control->fd < 0)
		return -errno;
	/* Once connected, the socket takes messages only from the kernel, so no other sender can fill its buffer. */
	if (connect(control->fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		error = -errno;
		audit_control_close(control);
		return error;
	}
	error = wait_at_most(control, (struct timeval){ .tv_sec = PATIENCE_S });
	if (error)
		audit_control_close(control);
	return error;
}

int audit_control_sampling(struct audit_control *control)
{
	return wait_at_most(control, (struct timeval){ .tv_usec = SAMPLE_PATIENCE_US });
}

void audit_control_close(struct audit_control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	control->fd = -1;
}

static int ask(struct audit_control *control, struct request *request, uint16_t type, uint16_t flags, size_t payload)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	request->header.nlmsg_len = NLMSG_LENGTH(payload);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request->header.nlmsg_seq = ++control->seq;
	request->header.nlmsg_pid = 0;
	if (sendto(control->fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* Waits for the answer to the last request. Returns its length, or -errno. */
static ssize_t receive_answer(struct audit_control *control, union answer *answer)
{
	int strangers;

	for (strangers = 0; strangers < MAX_STRANGERS; strangers++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n;

		n = recvfrom(control->fd, answer, sizeof(*answer), 0, (struct sockaddr *)&from, &from_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue;
		if ((size_t)n < NLMSG_HDRLEN || answer->header.nlmsg_seq != control->seq)
			continue;
		return n;
	}
	return -ETIMEDOUT;
}

/* The errno that an NLMSG_ERROR carries, 0 for an acknowledgement. */
static int verdict(const union answer *answer, size_t len)
{
	struct nlmsgerr error;

	if (len < NLMSG_LENGTH(sizeof(error.error)))
		return -EBADMSG;
	memcpy(&error.error, NLMSG_DATA(&answer->header), sizeof(error.error));
	return error.error;
}

int audit_control_status(struct audit_control *control, struct audit_status *status)
{
	struct request request = { 0 };
	union answer answer;
	ssize_t n;
	size_t payload;
	int error;

	error = ask(control, &request, AUDIT_GET, 0, 0);
	if (error)
		return error;
	n = receive_answer(control, &answer);
	if (n < 0)
		return (int)n;
	if (answer.header.nlmsg_type == NLMSG_ERROR) {
		error = verdict(&answer, (size_t)n);
		return error ? error : -EBADMSG;
	}
	if (answer.header.nlmsg_type != AUDIT_GET)
		return -EBADMSG;
	/* Older kernels send fewer fields; missing fields stay 0. */
	payload = (size_t)n - NLMSG_HDRLEN;
	memset(status, 0, sizeof(*status));
	memcpy(status, NLMSG_DATA(&answer.header), payload < sizeof(*status) ? payload : sizeof(*status));
	return 0;
}

/* Whether the rule is on a list that can stop the kernel from making records that vArmor needs. */
static bool is_of_records(const struct audit_rule_data *rule)
{
	uint32_t list = rule->flags & ~(uint32_t)AUDIT_FILTER_PREPEND;

	return list == AUDIT_FILTER_EXCLUDE || list == AUDIT_FILTER_USER;
}

/* Appends the rule's length, then the rule. Returns 0 or -errno. */
static int keep_rule(struct audit_rules *rules, const void *rule, uint32_t len)
{
	char *bytes;

	if (rules->count == MAX_AUDIT_RULES)
		return -E2BIG;
	bytes = realloc(rules->bytes, rules->len + sizeof(len) + len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes + rules->len, &len, sizeof(len));
	memcpy(bytes + rules->len + sizeof(len), rule, len);
	rules->bytes = bytes;
	rules->len += sizeof(len) + len;
	rules->count++;
	return 0;
}

/* Takes one message of the kernel's list. Returns 1 at the end of the list, 0 before it, or -errno. */
static int take_rule(struct audit_rules *rules, const union answer *answer, size_t n)
{
	const struct audit_rule_data *rule = NLMSG_DATA(&answer->header);
	size_t len = n - NLMSG_HDRLEN;

	if (answer->header.nlmsg_type == NLMSG_DONE)
		return 1;
	if (answer->header.nlmsg_type == NLMSG_ERROR) {
		int error = verdict(answer, n);

		return error ? error : -EBADMSG;
	}
	if (answer->header.nlmsg_type != AUDIT_LIST_RULES || len < sizeof(*rule))
		return -EBADMSG;
	return is_of_records(rule) ? keep_rule(rules, rule, (uint32_t)len) : 0;
}

static int list_rules(struct audit_control *control, struct audit_rules *rules)
{
	uint64_t until = now_ms() + PATIENCE_S * 1000;
	struct request request = { 0 };
	union answer answer;
	int state = ask(control, &request, AUDIT_LIST_RULES, 0, 0);

	while (state == 0) {
		ssize_t n = receive_answer(control, &answer);

		if (n < 0)
			return (int)n;
		state = take_rule(rules, &answer, (size_t)n);
		if (state == 0 && now_ms() > until)
			return -ETIMEDOUT;
	}
	return state < 0 ? state : 0;
}

int audit_rules_read(struct audit_rules *rules)
{
	struct audit_control control;
	struct audit_status status;
	int error;

	memset(rules, 0, sizeof(*rules));
	error = audit_control_open(&control);
	if (error)
		return error;
	socket_force_buffer(control.fd, LIST_BUFFER);
	error = audit_control_status(&control, &status);
	if (!error) {
		rules->enabled = status.enabled;
		error = list_rules(&control, rules);
	}
	audit_control_close(&control);
	if (error)
		audit_rules_free(rules);
	return error;
}

void audit_rules_free(struct audit_rules *rules)
{
	free(rules->bytes);
	rules->bytes = NULL;
	rules->len = 0;
}

static int set_backlog_limit(struct audit_control *control, uint32_t limit)
{
	struct request request = { .status = { .mask = AUDIT_STATUS_BACKLOG_LIMIT, .backlog_limit = limit } };
	union answer answer;
	ssize_t n;
	int error;

	error = ask(control, &request, AUDIT_SET, NLM_F_ACK, sizeof(request.status));
	if (error)
		return error;
	n = receive_answer(control, &answer);
	if (n < 0)
		return (int)n;
	return answer.header.nlmsg_type == NLMSG_ERROR ? verdict(&answer, (size_t)n) : -EBADMSG;
}

static void raise_limit(struct audit_control *control, uint32_t wanted, struct backlog_limit *limit)
{
	struct audit_status status;

	/* For the kernel, 0 means "no limit", so 0 is never too low. */
	if (limit->before != 0 && limit->before < wanted) {
		limit->error = -set_backlog_limit(control, wanted);
		if (!limit->error) {
			if (!backlog.set)
				backlog.before = limit->before;
			backlog.set = wanted;
		}
	}
	if (audit_control_status(control, &status) == 0)
		limit->after = status.backlog_limit;
	limit->claimed = true;
	backlog.users++;
}

void backlog_limit_claim(struct audit_control *control, uint32_t wanted, struct backlog_limit *limit)
{
	struct audit_status status;

	memset(limit, 0, sizeof(*limit));
	pthread_mutex_lock(&backlog.lock);
	limit->error = -audit_control_status(control, &status);
	if (!limit->error) {
		limit->known = true;
		limit->before = status.backlog_limit;
		limit->after = status.backlog_limit;
		if (wanted)
			raise_limit(control, wanted, limit);
	}
	pthread_mutex_unlock(&backlog.lock);
}

static void put_back(struct audit_control *control)
{
	struct audit_status status;

	if (wait_at_most(control, (struct timeval){ .tv_sec = PATIENCE_S }) == 0 &&
	    audit_control_status(control, &status) == 0 && status.backlog_limit == backlog.set)
		set_backlog_limit(control, backlog.before);
	backlog.set = 0;
}

void backlog_limit_release(struct audit_control *control, struct backlog_limit *limit)
{
	if (!limit->claimed)
		return;
	limit->claimed = false;
	pthread_mutex_lock(&backlog.lock);
	if (--backlog.users == 0 && backlog.set)
		put_back(control);
	pthread_mutex_unlock(&backlog.lock);
}

/*
 * process.exit() and an uncaught error end Node.js by exit(), which does not close listeners. The kernel closes the
 * sockets, but would keep the raised limit. The limit stays only if another thread holds the lock: a wait for the lock
 * is not safe here.
 */
__attribute__((destructor)) static void put_back_at_exit(void)
{
	struct audit_control control;

	if (pthread_mutex_trylock(&backlog.lock))
		return;
	if (backlog.users && backlog.set && audit_control_open(&control) == 0) {
		put_back(&control);
		audit_control_close(&control);
	}
	pthread_mutex_unlock(&backlog.lock);
}
