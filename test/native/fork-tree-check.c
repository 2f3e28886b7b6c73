/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork-tree-check CHILDREN ROUNDS: checks the fork tree without Node.js, under the sanitizers. First it parses messages
 * that are cut and mangled in all ways. Then each round forks CHILDREN processes that end at once, while threads ask
 * for them continuously, with a buffer that is alternately large and too small, and closes the tree in the middle of
 * its work. Exits with 3 if it lacks the permission.
 */
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fork-tree.h"

#define ASKERS 3

static struct fork_tree *tree;
static _Atomic pid_t last;
static _Atomic bool stop;

static void parse_all(void)
{
	const size_t head = NLMSG_HDRLEN + sizeof(struct cn_msg), whole = head + sizeof(struct proc_event);
	unsigned int seed = 1, i;
	size_t len, at;

	for (i = 0; i < 200000; i++) {
		struct nlmsghdr header;
		struct cn_msg body = { .id = { CN_IDX_PROC, CN_VAL_PROC } };
		uint32_t what = (const uint32_t[]){ 0, 1, 0x80000000u, 2 }[i % 4];
		char *message;

		/* The buffer has the exact size, so that the sanitizer notices one byte too many. */
		len = (size_t)rand_r(&seed) % (whole + 1);
		message = malloc(len ? len : 1);
		for (at = 0; at < len; at++)
			message[at] = (char)rand_r(&seed);
		memset(&header, 0, sizeof(header));
		header.nlmsg_len = i % 3 ? (uint32_t)len : (uint32_t)rand_r(&seed);
		body.len = (uint16_t)(i % 5 && len >= head ? len - head : (size_t)rand_r(&seed));
		if (len >= sizeof(header))
			memcpy(message, &header, sizeof(header));
		if (len >= head)
			memcpy(message + NLMSG_HDRLEN, &body, sizeof(body));
		if (len >= head + sizeof(what))
			memcpy(message + head, &what, sizeof(what));
		proc_connector_parse(message, len);
		free(message);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *ask(void *unused)
{
	struct fork_answer answer;
	uint64_t key;
	double start;

	(void)unused;
	while (!atomic_load(&stop)) {
		fork_tree_find(tree, atomic_load(&last), now() - 1, now() + 1, &answer, &start);
		if (fork_tree_living(tree, getpid(), &key))
			fork_tree_label(tree, key, "c1");
		fork_tree_label_started(tree, atomic_load(&last), now() - 1, now() + 1, "c2");
		fork_tree_sizes(tree);
		usleep(500);
	}
	return NULL;
}

static int round_of(long children, int small)
{
	struct fork_tree_options options = {
		.entries = 256, .receive_buffer = small ? 8192 : 8 << 20, .nap_ms = small ? 5 : 0, .root = "/proc",
	};
	struct failure failure = { 0 };
	pthread_t askers[ASKERS];
	long i;

	tree = fork_tree_open(&options, &failure);
	if (!tree) {
		fprintf(stderr, "%s: %s\n", failure.step, strerror(failure.error));
		return 3;
	}
	atomic_store(&stop, false);
	for (i = 0; i < ASKERS; i++)
		if (pthread_create(&askers[i], NULL, ask, NULL))
			return 1;
	for (i = 0; i < children; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		atomic_store(&last, child);
		waitpid(child, NULL, 0);
	}
	atomic_store(&stop, true);
	for (i = 0; i < ASKERS; i++)
		pthread_join(askers[i], NULL);
	i = tree->counts.error || (!small && (!tree->counts.forks || tree->counts.malformed));
	fork_tree_close(tree);
	return (int)i;
}

int main(int argc, char **argv)
{
	int i, result = 0;

	if (argc != 3)
		return 2;
	parse_all();
	for (i = 0; i < atoi(argv[2]) && !result; i++)
		result = round_of(atol(argv[1]), i % 2);
	return result;
}
