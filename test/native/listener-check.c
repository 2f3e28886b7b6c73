/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener-check PROGRAM COUNT ROUNDS: checks the listener without Node.js, under the sanitizers. Each round runs
 * PROGRAM log COUNT beside two listeners: one reads everything until the end, the other is closed in the middle. Checks
 * that all records are accounted for and that the backlog limit is restored. Exits with 3 if it lacks the permission.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit-listener.h"

static void wake(void *context)
{
	(void)context;
}

static struct listener *start(struct failure *failure)
{
	static struct listener_options options = {
		.batch_bytes = MIN_BATCH_BYTES, .batches = 4, .flush_ms = 2, .nap_ms = 1, .sample_ms = 10,
		.receive_buffer = 8 << 20, .backlog_limit = 8192, .wake = wake,
	};

	type_set_add(&options.types, AUDIT_SECCOMP);
	return listener_start(&options, failure);
}

static unsigned long read_all(struct listener *l)
{
	unsigned long lines = 0;
	struct batch *batch;
	size_t i;

	while ((batch = listener_oldest(l))) {
		for (i = 0; i < batch->len; i++)
			lines += batch->bytes[i] == '\n';
		listener_release(l);
	}
	return lines;
}

static int accounted(const struct listener_counts *c)
{
	return c->received == c->passed + c->filtered + c->foreign + c->malformed + c->truncated + c->discarded;
}

static int backlog_limit(uint32_t *limit)
{
	struct audit_control control;
	struct audit_status status;
	int error = audit_control_open(&control);

	if (error)
		return error;
	error = audit_control_status(&control, &status);
	*limit = status.backlog_limit;
	audit_control_close(&control);
	return error;
}

static int round_of(char **program, unsigned long count)
{
	struct failure failure = { 0 };
	struct listener *reader = start(&failure), *victim = start(&failure);
	unsigned long lines = 0;
	int closed = 0;
	pid_t child;

	if (!reader || !victim) {
		fprintf(stderr, "%s: %s\n", failure.step, strerror(failure.error));
		return 3;
	}
	child = fork();
	if (child == 0) {
		execv(program[0], program);
		_exit(2);
	}
	while (!listener_ended(reader)) {
		lines += read_all(reader);
		if (!closed && lines > count / 2) {
			listener_close(victim);
			closed = 1;
		}
		if (reader->counts.passed + listener_socket_drops(reader) + reader->counts.kernel_lost >= count)
			listener_stop(reader);
		poll(NULL, 0, 1);
	}
	waitpid(child, NULL, 0);
	listener_close(reader);
	listener_close(victim);
	closed = lines == reader->counts.passed && accounted(&reader->counts) && accounted(&victim->counts) &&
		 lines + listener_socket_drops(reader) + reader->counts.kernel_lost >= count;
	listener_free(reader);
	listener_free(victim);
	return closed ? 0 : 1;
}

int main(int argc, char **argv)
{
	uint32_t before = 0, after = 0;
	int i, result;

	if (argc != 4)
		return 2;
	backlog_limit(&before);
	for (i = 0; i < atoi(argv[3]); i++) {
		char *program[] = { argv[1], "log", argv[2], NULL };

		result = round_of(program, strtoul(argv[2], NULL, 10));
		if (result)
			return result;
	}
	backlog_limit(&after);
	return before == after ? 0 : 1;
}
