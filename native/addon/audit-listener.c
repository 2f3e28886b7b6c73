/* SPDX-License-Identifier: Apache-2.0 */
#include "audit-listener.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clocks.h"
#include "intake.h"
#include "side-thread.h"

#define NEVER UINT64_MAX
#define ENOUGH_RECORDS 16 /* above this number of records in a batch, the cost per record hardly falls */

enum listener_phase { RUN, DRAIN, DISCARD };

static void clear_poke(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void take_sample(struct listener *l)
{
	struct audit_status status;

	if (!l->backlog.known || audit_control_status(&l->control, &status))
		return;
	/* If the value is lower than before, a program has reset the counter to zero (auditctl --reset-lost). */
	add(&l->counts.kernel_lost, status.lost < l->last_lost ? status.lost : status.lost - l->last_lost);
	l->last_lost = status.lost;
	atomic_store(&l->counts.kernel_backlog, status.backlog);
	atomic_store(&l->counts.audit_enabled, status.enabled);
	atomic_store(&l->counts.auditd, status.pid);
	add(&l->counts.samples, 1);
}

static void publish(struct listener *l)
{
	batch_ring_publish(&l->ring);
	l->born = 0;
	l->options.wake(l->options.context);
}

static _Atomic uint64_t *refused(struct listener *l, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_FOREIGN:
		return &l->counts.foreign;
	case VERDICT_TRUNCATED:
		return &l->counts.truncated;
	case VERDICT_MALFORMED:
		return &l->counts.malformed;
	case VERDICT_FILTERED:
		return &l->counts.filtered;
	case VERDICT_PASS:
		break;
	}
	return NULL;
}

static bool put(struct listener *l, struct batch *batch, const struct intake *in)
{
	size_t n = intake_frame(in, batch->bytes + batch->len, l->ring.batch_bytes - batch->len);

	batch->len += n;
	batch->records += n > 0;
	return n > 0;
}

static int receive(struct listener *l, struct intake *in)
{
	unsigned int overruns = 0;
	int n = intake_receive(in, l->fd, &overruns);

	add(&l->counts.overruns, overruns);
	if (n > 0)
		add(&l->counts.received, (uint64_t)n);
	return n;
}

/*
 * Counts a record about a change of the audit system's settings or rules (AUDIT_CONFIG_CHANGE). Also counts the removal
 * of a rule that suppresses records.
 */
static void note_change(struct listener *l, const struct intake *in)
{
	static const char removal[] = " op=remove_rule", exclusion[] = " list=5 ";
	struct nlmsghdr header;
	const char *text;
	size_t len;

	memcpy(&header, in->messages[in->next], sizeof(header));
	if (header.nlmsg_type != AUDIT_CONFIG_CHANGE)
		return;
	text = in->messages[in->next] + sizeof(header);
	len = header.nlmsg_len - sizeof(header);
	if (memmem(text, len, removal, sizeof(removal) - 1) && memmem(text, len, exclusion, sizeof(exclusion) - 1))
		add(&l->counts.exclusions_removed, 1);
	add(&l->counts.config_changes, 1);
}

/* Moves messages into batches. Returns false when no batch has room; the remaining messages stay in the intake. */
static bool store(struct listener *l, struct intake *in)
{
	struct batch *batch = batch_ring_filling(&l->ring);
	unsigned int passed = 0;

	for (; in->next < in->count; in->next++) {
		enum verdict verdict = intake_verdict(in, &l->options.types);
		_Atomic uint64_t *counter = refused(l, verdict);

		if (verdict == VERDICT_FILTERED)
			note_change(l, in);
		if (counter) {
			add(counter, 1);
			continue;
		}
		if (batch && !put(l, batch, in)) {
			publish(l);
			batch = batch_ring_filling(&l->ring);
			if (batch)
				put(l, batch, in);
		}
		if (!batch)
			break;
		passed++;
	}
	add(&l->counts.passed, passed);
	return in->next == in->count;
}

static void discard(struct listener *l, struct intake *in)
{
	add(&l->counts.discarded, in->count - in->next);
	in->next = in->count;
}

/*
 * Hands over a batch if it is old enough, or if it is large enough and the socket is empty. While the reader is behind,
 * the batch is filled instead, because each batch has a fixed cost.
 */
static void flush(struct listener *l, bool empty, uint64_t now)
{
	struct batch *batch = batch_ring_filling(&l->ring);

	if (!batch || batch->len == 0)
		return;
	if (l->born == 0)
		l->born = now;
	if (!batch_ring_is_empty(&l->ring))
		return;
	if (now - l->born >= l->options.flush_ms || (empty && batch->records >= ENOUGH_RECORDS))
		publish(l);
}

/* Sleeps until the owner wakes the thread, the timeout is over, or (with `socket`) the socket has data. */
static void wait_for(struct listener *l, bool socket, int timeout)
{
	struct pollfd fds[2] = {
		{ .fd = l->wake_fd, .events = POLLIN },
		{ .fd = socket ? l->fd : -1, .events = POLLIN },
	};

	if (poll(fds, 2, timeout) > 0 && fds[0].revents)
		clear_poke(l->wake_fd);
}

/* A timeout for poll, or -1 to wait without limit. */
static int until(uint64_t due, uint64_t now)
{
	if (due == NEVER)
		return -1;
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

/* Waits for work: room in a batch, new records, a batch that is old enough, or the next sample. */
static void rest(struct listener *l, const struct intake *in, bool stored, int got, uint64_t sample_due)
{
	uint64_t now = now_ms();
	int timeout = until(sample_due, now);

	if (!stored)
		wait_for(l, false, timeout);
	else if (got && in->count < INTAKE_MESSAGES && l->options.nap_ms)
		wait_for(l, false, (int)l->options.nap_ms);
	else if (!got && l->born && batch_ring_is_empty(&l->ring))
		wait_for(l, true, until(l->born + l->options.flush_ms, now));
	else if (!got)
		wait_for(l, true, timeout);
}

/* Reads while the owner wants RUN. Returns 0, or the errno that ended the reading. */
static int run(struct listener *l, struct intake *in)
{
	bool sampling = l->backlog.known && l->options.sample_ms;
	uint64_t sample_due = sampling ? now_ms() + l->options.sample_ms : NEVER;
	bool was_stored = true;

	while (atomic_load(&l->wanted) == RUN) {
		bool stored = store(l, in);
		int got = 0;

		if (stored) {
			got = receive(l, in);
			if (got < 0)
				return -got;
			stored = store(l, in);
		}
		if (was_stored && !stored)
			add(&l->counts.stalls, 1);
		was_stored = stored;
		flush(l, got < INTAKE_MESSAGES, now_ms());
		if (now_ms() >= sample_due) {
			take_sample(l);
			sample_due = now_ms() + l->options.sample_ms;
		}
		rest(l, in, stored, got, sample_due);
	}
	return 0;
}

/* Moves the messages that are still in the socket into batches, as long as the owner reads batches. */
static int drain(struct listener *l, struct intake *in)
{
	int got = 1;

	while (got > 0 || in->next < in->count) {
		if (atomic_load(&l->wanted) == DISCARD)
			discard(l, in);
		else if (!store(l, in))
			wait_for(l, false, -1);
		if (in->next == in->count)
			got = receive(l, in);
		if (got < 0)
			return -got;
	}
	return 0;
}

static void *listen_thread(void *arg)
{
	struct listener *l = arg;
	struct intake in;
	struct batch *last;
	int error;

	error = -intake_init(&in);
	in.feed = l->options.feed != 0;
	if (!error)
		error = run(l, &in);
	audit_socket_leave(l->fd);
	if (!error)
		error = drain(l, &in);
	take_sample(l);
	last = batch_ring_filling(&l->ring);
	if (last && last->len)
		batch_ring_publish(&l->ring);
	atomic_store(&l->counts.error, error);
	atomic_store(&l->ended, true);
	l->options.wake(l->options.context);
	intake_free(&in);
	return NULL;
}

static int start_thread(struct listener *l)
{
	int error = side_thread_start(&l->thread, "varmor-audit", listen_thread, l);

	l->running = !error;
	return error;
}

static void first_sample(struct listener *l)
{
	struct audit_status status;

	if (!l->backlog.known || audit_control_status(&l->control, &status))
		return;
	l->last_lost = status.lost;
	atomic_store(&l->counts.kernel_backlog, status.backlog);
	atomic_store(&l->counts.audit_enabled, status.enabled);
	atomic_store(&l->counts.auditd, status.pid);
	add(&l->counts.samples, 1);
}

static int open_control(struct listener *l)
{
	int error = audit_control_open(&l->control);

	if (error)
		return error;
	backlog_limit_claim(&l->control, l->options.backlog_limit, &l->backlog);
	first_sample(l);
	return audit_control_sampling(&l->control);
}

static int open_all(struct listener *l, struct failure *failure)
{
	failure->step = "memory";
	failure->error = -batch_ring_init(&l->ring, l->options.batches, l->options.batch_bytes);
	if (failure->error)
		return -1;
	failure->step = "wake-up";
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0) {
		failure->error = errno;
		return -1;
	}
	failure->step = "socket";
	if (l->options.feed) {
		l->fd = (int)l->options.feed;
	} else {
		failure->error = -open_control(l);
		if (failure->error)
			return -1;
		l->fd = audit_socket_open(l->options.receive_buffer, failure);
		if (l->fd < 0)
			return -1;
	}
	l->socket_buffer = audit_socket_buffer(l->fd);
	failure->step = "thread";
	failure->error = -start_thread(l);
	return failure->error ? -1 : 0;
}

struct listener *listener_start(const struct listener_options *options, struct failure *failure)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		*failure = (struct failure){ "memory", ENOMEM };
		return NULL;
	}
	l->options = *options;
	l->fd = -1;
	l->wake_fd = -1;
	l->control.fd = -1;
	if (open_all(l, failure)) {
		listener_close(l);
		listener_free(l);
		return NULL;
	}
	return l;
}

static void want(struct listener *l, int phase)
{
	if (!l->running)
		return;
	if (atomic_load(&l->wanted) < phase)
		atomic_store(&l->wanted, phase);
	side_thread_wake(l->wake_fd);
}

void listener_stop(void *listener)
{
	want(listener, DRAIN);
}

struct batch *listener_oldest(void *listener)
{
	struct listener *l = listener;

	return l->ring.batches ? batch_ring_oldest(&l->ring) : NULL;
}

void listener_release(void *listener)
{
	struct listener *l = listener;

	if (batch_ring_release(&l->ring) && l->running)
		side_thread_wake(l->wake_fd);
}

bool listener_ended(void *listener)
{
	struct listener *l = listener;

	return atomic_load(&l->ended) && !listener_oldest(l);
}

uint64_t listener_socket_drops(struct listener *l)
{
	uint32_t drops;

	if (l->fd < 0)
		return l->final_drops;
	return audit_socket_drops(l->fd, &drops) ? UINT64_MAX : drops;
}

static void discard_unread(struct listener *l)
{
	struct batch *batch;

	while ((batch = batch_ring_oldest(&l->ring))) {
		/* The records were counted as passed when they were framed, but the reader never read them. */
		atomic_fetch_sub(&l->counts.passed, batch->records);
		add(&l->counts.discarded, batch->records);
		batch_ring_release(&l->ring);
	}
}

void listener_close(void *listener)
{
	struct listener *l = listener;

	want(l, DISCARD);
	if (l->running)
		pthread_join(l->thread, NULL);
	l->running = false;
	if (l->ring.batches) {
		discard_unread(l);
		batch_ring_free(&l->ring);
	}
	if (l->fd >= 0) {
		l->final_drops = listener_socket_drops(l);
		close(l->fd);
		l->fd = -1;
	}
	if (l->control.fd >= 0) {
		backlog_limit_release(&l->control, &l->backlog);
		audit_control_close(&l->control);
	}
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	l->wake_fd = -1;
}

void listener_free(void *listener)
{
	free(listener);
}
