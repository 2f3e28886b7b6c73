/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work SECONDS: does each of a few operations as often as possible for that time, and prints the operations per second.
 * Its files are in its own folder, and in a folder that it creates.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAMES 4000
#define FOLDER "/tmp/work"

static const char *self;
static int udp;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(path);
	close(fd);
}

static void open_file(unsigned long round)
{
	(void)round;
	open_path(self, O_RDONLY);
}

static void open_names(unsigned long round)
{
	char path[64];

	snprintf(path, sizeof(path), FOLDER "/%lu/%lu", round % 40, round % NAMES);
	open_path(path, O_WRONLY | O_CREAT);
}

static void run_program(unsigned long round)
{
	int status;
	pid_t child = vfork();

	(void)round;
	if (child == 0) {
		execl(self, self, NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		fail(self);
}

/* Connects a UDP socket, whose connect(2) sends nothing. */
static void connect_socket(unsigned long round)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };

	(void)round;
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	if (connect(udp, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
}

static void call_kernel(unsigned long round)
{
	(void)round;
	getppid();
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void measure(const char *name, void (*operation)(unsigned long), double seconds)
{
	double begin = now(), end = begin;
	unsigned long round = 0;

	/* The clock is read once in 16 rounds, because a reading costs more than the cheapest operation. */
	while (end < begin + seconds) {
		unsigned long next = round + 16;

		for (; round < next; round++)
			operation(round);
		end = now();
	}
	printf("%s %.0f\n", name, (double)round / (end - begin));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char path[64];
	double seconds;
	int i;

	/* The program also runs itself, without arguments, as a measured operation. */
	if (argc != 2)
		return 0;
	self = argv[0];
	seconds = atof(argv[1]);
	mkdir("/tmp", 0700);
	mkdir(FOLDER, 0700);
	for (i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), FOLDER "/%d", i);
		mkdir(path, 0700);
	}
	/* The names are created before the first operation is counted. */
	for (i = 0; i < NAMES; i++)
		open_names((unsigned long)i);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0)
		fail("socket");
	measure("open", open_file, seconds);
	measure("names", open_names, seconds);
	measure("exec", run_program, seconds);
	measure("connect", connect_socket, seconds);
	measure("call", call_kernel, seconds);
	return 0;
}
