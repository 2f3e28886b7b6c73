/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations FILE PROGRAM ROUNDS: does each operation ROUNDS times, and prints the median of its ticks of the time
 * stamp counter, without the cost of the two readings. If the counter counts instructions, the ticks are instructions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define MOST_ROUNDS 10000

static const char *file, *program;
static int udp;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void nothing(void)
{
}

static void open_file(void)
{
	int fd = open(file, O_RDONLY);

	if (fd < 0)
		fail(file);
	close(fd);
}

static void run_program(void)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execl(program, program, NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		fail(program);
}

/* Connects a UDP socket, whose connect(2) sends nothing. */
static void connect_socket(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	if (connect(udp, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
}

static int compare(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return a < b ? -1 : a > b;
}

static uint64_t median_of(void (*operation)(void), int rounds)
{
	static uint64_t ticks[MOST_ROUNDS];
	int i;

	for (i = 0; i < rounds; i++) {
		uint64_t before = __rdtsc();

		operation();
		ticks[i] = __rdtsc() - before;
	}
	qsort(ticks, (size_t)rounds, sizeof(ticks[0]), compare);
	return ticks[rounds / 2];
}

int main(int argc, char **argv)
{
	const struct {
		const char *name;
		void (*operation)(void);
	} all[] = { { "open", open_file }, { "exec", run_program }, { "connect", connect_socket } };
	int rounds = argc == 4 ? atoi(argv[3]) : 0;
	uint64_t readings;
	size_t i;

	if (rounds < 1 || rounds > MOST_ROUNDS)
		return 2;
	file = argv[1];
	program = argv[2];
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	if (udp < 0)
		fail("socket");
	readings = median_of(nothing, rounds);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		/* The first rounds bring caches and allocators to their usual state. */
		median_of(all[i].operation, rounds / 10 + 1);
		printf("took %s %llu\n", all[i].name, (unsigned long long)(median_of(all[i].operation, rounds) - readings));
	}
	return 0;
}
