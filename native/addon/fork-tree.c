/* SPDX-License-Identifier: Apache-2.0 */
#include "fork-tree.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clocks.h"
#include "proc-scan.h"
#include "side-thread.h"

#define NS_PER_S 1e9
/* Minimum milliseconds between two scans. A scan takes some milliseconds. */
#define SCAN_PAUSE_MS 1000
/*
 * Maximum age of a time in a query. An older time is from an old log, and the wall clock may have been set since then.
 */
#define LONG_PAST_S 120.0
/* A larger change of the wall clock between two checks is a step; slewing changes the clock less. */
#define STEP_S 0.05
/* Events from before a step of the clock arrive at most this long after the step. */
#define STEP_DISTRUST_NS UINT64_C(10000000000)

/*
 * Seconds between the Unix epoch and the zero of CLOCK_MONOTONIC. The thread may be preempted between the two readings,
 * so the function takes the closest pair of several.
 */
static double clock_offset(void)
{
	uint64_t closest = UINT64_MAX;
	int64_t offset = 0;
	int i;

	for (i = 0; i < 10 && closest > UINT64_C(10000); i++) {
		uint64_t before = now_ns(), wall = clock_ns(CLOCK_REALTIME), apart = now_ns() - before;

		if (apart >= closest)
			continue;
		closest = apart;
		offset = (int64_t)wall - (int64_t)(before + apart / 2);
	}
	return (double)offset / NS_PER_S;
}

/* Called under the lock, after the last event from before the loss was handled. */
static void end_loss(struct fork_tree *t)
{
	if (!t->losing)
		return;
	fork_table_lost(&t->table, UINT64_MAX, now_ns());
	t->losing = false;
	t->lost = true;
}

static void apply(struct fork_tree *t, const struct proc_report *report)
{
	if (report->when >= t->losing_since)
		end_loss(t);
	switch (report->change) {
	case PROC_FORKED:
		add(&t->counts.forks, 1);
		fork_table_fork(&t->table, report->parent, report->pid, report->when);
		break;
	case PROC_ENDED:
		add(&t->counts.exits, 1);
		fork_table_exit(&t->table, report->pid, true, report->when);
		break;
	case PROC_THREAD_ENDED:
		fork_table_exit(&t->table, report->pid, false, report->when);
		break;
	case PROC_ANSWER: /* the kernel's answer to another listener */
		break;
	case PROC_NOTHING:
		add(&t->counts.malformed, 1);
		break;
	}
}

static void take_message(struct fork_tree *t)
{
	const struct intake *in = &t->intake;
	struct proc_report report;

	switch (intake_verdict(in, &t->types)) {
	case VERDICT_PASS:
		report = proc_connector_parse(in->messages[in->next], in->headers[in->next].msg_len);
		apply(t, &report);
		break;
	case VERDICT_FOREIGN:
		add(&t->counts.foreign, 1);
		break;
	case VERDICT_TRUNCATED:
	case VERDICT_MALFORMED:
	case VERDICT_FILTERED:
		add(&t->counts.malformed, 1);
		break;
	}
}

/* Notes that a runtime has put a process into a container in which its parents are not. */
static void place(struct fork_tree *t, const struct varmor_placed *placed)
{
	char id[sizeof(placed->id) + 1];
	uint64_t key;

	memcpy(id, placed->id, sizeof(placed->id));
	id[sizeof(placed->id)] = '\0';
	if (fork_table_living(&t->table, (pid_t)placed->pid, &key))
		fork_table_label(&t->table, key, id);
}

static void apply_change(struct fork_tree *t, const struct varmor_change *change)
{
	static const enum proc_change known[] = {
		[VARMOR_CHANGE_FORKED] = PROC_FORKED,
		[VARMOR_CHANGE_ENDED] = PROC_ENDED,
		[VARMOR_CHANGE_THREAD_ENDED] = PROC_THREAD_ENDED,
	};
	struct proc_report report = {
		.pid = (pid_t)change->pid,
		.parent = (pid_t)change->parent,
		.when = change->when,
	};

	if (change->what == VARMOR_CHANGE_PLACED) {
		place(t, (const void *)change);
		return;
	}
	if (change->what < sizeof(known) / sizeof(known[0]))
		report.change = known[change->what];
	apply(t, &report);
}

/*
 * Handles the changes in the ring, under the lock. The ring only counts lost changes. So if the count has grown, a
 * change may have been lost at any time since the previous check, and facts since then are uncertain.
 */
static void drain_ring(struct fork_tree *t)
{
	const struct varmor_change *change;
	uint64_t began = now_ns(), lost;

	while ((change = change_ring_next(&t->ring)))
		apply_change(t, change);
	change_ring_done(&t->ring);
	lost = change_ring_lost(&t->ring);
	if (lost != t->ring_lost) {
		t->ring_lost = lost;
		add(&t->counts.overruns, 1);
		fork_table_lost(&t->table, t->calm, now_ns());
		t->lost = true;
	}
	t->calm = began;
}

/*
 * Handles the messages in the socket, under the lock. Returns 0 or -errno.
 * A full socket first reports the loss, then returns its messages, and accepts no new messages until it is empty
 * (netlink_overrun). So an event that is read after the report is from before the loss, if it is older than the read.
 */
static int drain(struct fork_tree *t)
{
	struct intake *in = &t->intake;
	int n;

	if (t->fd < 0) {
		drain_ring(t);
		return 0;
	}
	do {
		unsigned int overruns = 0;
		uint64_t asked = now_ns();

		n = intake_receive(in, t->fd, &overruns);
		if (overruns) {
			add(&t->counts.overruns, overruns);
			end_loss(t);
			t->losing = true;
			t->losing_since = asked;
		}
		for (; n > 0 && in->next < in->count; in->next++)
			take_message(t);
	} while (n == INTAKE_MESSAGES);
	end_loss(t);
	return n < 0 ? n : 0;
}

/* Called without the lock. Takes the lock only to add the processes that it has found. */
static int scan(struct fork_tree *t)
{
	uint64_t began = now_ns();
	struct fork_sight *sights;
	size_t count;
	int error = 0;

	if (proc_scan(t->options.root, &sights, &count)) {
		add(&t->counts.failed_scans, 1);
		pthread_mutex_lock(&t->lock);
		t->lost = true;
		pthread_mutex_unlock(&t->lock);
	} else {
		pthread_mutex_lock(&t->lock);
		error = drain(t);
		/* If events were lost during the scan, found processes may have ended. The next scan corrects this. */
		if (!t->lost)
			fork_table_scan(&t->table, sights, count, began);
		pthread_mutex_unlock(&t->lock);
		add(&t->counts.scans, 1);
	}
	free(sights);
	return error;
}

/* scan_due: another thread has found a loss. Do not wait for an event, because no event may come. */
static void sleep_until_due(struct fork_tree *t, bool scan_due)
{
	struct pollfd fds[2] = {
		{ .fd = t->wake_fd, .events = POLLIN },
		{ .fd = t->fd < 0 ? t->ring.fd : t->fd, .events = POLLIN },
	};
	uint64_t pokes;

	if (scan_due)
		poll(fds, 1, SCAN_PAUSE_MS);
	else if (!t->options.nap_ms || poll(fds, 1, (int)t->options.nap_ms) == 0)
		poll(fds, 2, -1);
	/* Usually there is nothing to read, so the result is ignored. */
	(void)!read(t->wake_fd, &pokes, sizeof(pokes));
}

static int run(struct fork_tree *t)
{
	uint64_t scanned = now_ns();
	int error = 0;

	while (!error && !atomic_load(&t->closing)) {
		bool due, now;

		pthread_mutex_lock(&t->lock);
		error = drain(t);
		due = t->lost;
		now = due && now_ns() - scanned >= SCAN_PAUSE_MS * UINT64_C(1000000);
		if (now)
			t->lost = false;
		pthread_mutex_unlock(&t->lock);
		if (!error && now) {
			error = scan(t);
			scanned = now_ns();
		} else if (!error) {
			sleep_until_due(t, due);
		}
	}
	return -error;
}

static void *tree_thread(void *arg)
{
	struct fork_tree *t = arg;

	atomic_store(&t->counts.error, run(t));
	return NULL;
}

static int start_thread(struct fork_tree *t)
{
	int error = side_thread_start(&t->thread, "varmor-forks", tree_thread, t);

	t->running = !error;
	return error;
}

/* Opens the source of events; the tree reads all events from now on. */
static int open_source(struct fork_tree *t, struct failure *failure)
{
	if (*t->options.folder) {
		if (change_ring_open(&t->ring, t->options.folder, failure))
			return -1;
		t->ring_lost_before = t->ring_lost = change_ring_lost(&t->ring);
		t->calm = now_ns();
		return 0;
	}
	failure->step = "memory";
	failure->error = -intake_init(&t->intake);
	if (failure->error)
		return -1;
	t->fd = proc_connector_open(t->options.receive_buffer, failure);
	return t->fd < 0 ? -1 : 0;
}

static int open_all(struct fork_tree *t, struct failure *failure)
{
	failure->step = "wake-up";
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->wake_fd < 0) {
		failure->error = errno;
		return -1;
	}
	if (open_source(t, failure))
		return -1;
	failure->step = "memory";
	failure->error = -fork_table_init(&t->table, t->options.entries, now_ns());
	if (failure->error)
		return -1;
	t->offset = clock_offset();
	/* The scan starts after listening has started, so that no process is missed in between. */
	failure->step = "scan";
	failure->error = -scan(t);
	if (failure->error)
		return -1;
	failure->step = "thread";
	failure->error = -start_thread(t);
	return failure->error ? -1 : 0;
}

struct fork_tree *fork_tree_open(const struct fork_tree_options *options, struct failure *failure)
{
	struct fork_tree *t = calloc(1, sizeof(*t));

	if (!t) {
		*failure = (struct failure){ "memory", ENOMEM };
		return NULL;
	}
	t->options = *options;
	t->fd = -1;
	t->wake_fd = -1;
	t->ring.fd = -1;
	pthread_mutex_init(&t->lock, NULL);
	type_set_add(&t->types, NLMSG_DONE);
	if (open_all(t, failure)) {
		fork_tree_close(t);
		return NULL;
	}
	return t;
}

void fork_tree_close(struct fork_tree *t)
{
	atomic_store(&t->closing, true);
	if (t->running) {
		side_thread_wake(t->wake_fd);
		pthread_join(t->thread, NULL);
	}
	if (t->fd >= 0)
		proc_connector_close(t->fd);
	if (t->ring.fd >= 0)
		change_ring_close(&t->ring);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	intake_free(&t->intake);
	fork_table_free(&t->table);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/*
 * Handles the waiting reports, under the lock. Returns whether the table is up to date. If the socket is broken, the
 * table is out of date, and the thread ends with the error.
 */
static bool catch_up(struct fork_tree *t)
{
	bool was_lost = t->lost;

	if (drain(t))
		return false;
	if (t->lost && !was_lost)
		side_thread_wake(t->wake_fd);
	return true;
}

/* Whether the wall clock, whose time queries use, has not made a step for a while. Called under the lock. */
static bool clock_is_even(struct fork_tree *t)
{
	double offset = clock_offset(), step = offset - t->offset;
	uint64_t now = now_ns();

	t->offset = offset;
	if (step > STEP_S || step < -STEP_S) {
		add(&t->counts.clock_steps, 1);
		t->stepped = now;
	}
	return !t->stepped || now - t->stepped > STEP_DISTRUST_NS;
}

/* Converts wall clock time to CLOCK_MONOTONIC. False if the time is long past or in the future. */
static bool to_monotonic(const struct fork_tree *t, double unix_seconds, uint64_t *when)
{
	double since = unix_seconds - t->offset, now = (double)now_ns() / NS_PER_S;

	if (!(since > now - LONG_PAST_S && since < now + LONG_PAST_S))
		return false;
	*when = since > 0 ? (uint64_t)(since * NS_PER_S) : 0;
	return true;
}

static bool to_period(struct fork_tree *t, double earliest, double latest, uint64_t *from, uint64_t *to)
{
	return clock_is_even(t) && to_monotonic(t, earliest, from) && to_monotonic(t, latest, to) && *from <= now_ns();
}

bool fork_tree_find(struct fork_tree *t, pid_t pid, double earliest, double latest, struct fork_answer *answer,
		    double *start)
{
	uint64_t from, to;
	bool found;

	pthread_mutex_lock(&t->lock);
	found = catch_up(t) && to_period(t, earliest, latest, &from, &to) &&
		fork_table_find(&t->table, pid, from, to, answer);
	if (found)
		*start = (double)answer->start / NS_PER_S + t->offset;
	pthread_mutex_unlock(&t->lock);
	return found;
}

bool fork_tree_living(struct fork_tree *t, pid_t pid, uint64_t *key)
{
	bool lives;

	pthread_mutex_lock(&t->lock);
	lives = catch_up(t) && fork_table_living(&t->table, pid, key);
	pthread_mutex_unlock(&t->lock);
	return lives;
}

bool fork_tree_label(struct fork_tree *t, uint64_t key, const char *id)
{
	bool labelled;

	pthread_mutex_lock(&t->lock);
	labelled = catch_up(t) && fork_table_label(&t->table, key, id);
	pthread_mutex_unlock(&t->lock);
	return labelled;
}

bool fork_tree_label_started(struct fork_tree *t, pid_t pid, double earliest, double latest, const char *id)
{
	uint64_t from, to;
	bool labelled;

	pthread_mutex_lock(&t->lock);
	labelled = catch_up(t) && to_period(t, earliest, latest, &from, &to) &&
		   fork_table_label_started(&t->table, pid, from, to, id);
	pthread_mutex_unlock(&t->lock);
	return labelled;
}

bool fork_tree_holds(struct fork_tree *t, uint64_t key, pid_t pid, double since, const char *id)
{
	uint64_t from, to;
	bool holds;

	pthread_mutex_lock(&t->lock);
	holds = catch_up(t) && to_period(t, since, since, &from, &to) &&
		fork_table_holds(&t->table, key, pid, from, id);
	pthread_mutex_unlock(&t->lock);
	return holds;
}

void fork_tree_bar(struct fork_tree *t, uint64_t key)
{
	pthread_mutex_lock(&t->lock);
	fork_table_bar(&t->table, key);
	pthread_mutex_unlock(&t->lock);
}

struct fork_tree_sizes fork_tree_sizes(struct fork_tree *t)
{
	struct fork_tree_sizes sizes;
	uint32_t drops;

	pthread_mutex_lock(&t->lock);
	sizes = (struct fork_tree_sizes){
		.known = t->table.used,
		.living = t->table.living,
		.full = t->table.full,
		.unlabelled = t->table.unlabelled,
		.reuses = catch_up(t) ? t->table.reuses : UINT64_MAX,
	};
	sizes.socket_drops = t->ring_lost - t->ring_lost_before;
	pthread_mutex_unlock(&t->lock);
	if (t->fd < 0)
		return sizes;
	sizes.socket_drops = audit_socket_drops(t->fd, &drops) ? UINT64_MAX : drops;
	return sizes;
}
