/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed-records FILE RATE START PROGRAM [ARGUMENT...]: sends messages as the kernel does. FILE holds consecutive
 * NETLINK_AUDIT messages, aligned to four bytes; each has a header with its length and a payload `audit(SECONDS.MS:…`.
 * PROGRAM gets a socket as descriptor 3, on which each message is one packet with the time at which it is sent. From
 * START (unix milliseconds) on, it sends each message once, RATE messages per second, or as many as PROGRAM accepts if
 * RATE is 0. The socket stays open until PROGRAM ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 64
#define SEND_BUFFER (8 << 20)

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Waits until the next message is due.
 * @returns the number of messages that are due
 */
static uint64_t due(uint64_t start, uint64_t rate, uint64_t sent)
{
	const struct timespec tick = { .tv_nsec = 100000 };

	for (;;) {
		uint64_t now = now_us();
		uint64_t count = now < start * 1000 ? 0 : rate ? (now - start * 1000) * rate / 1000000 + 1 : UINT64_MAX;

		if (count > sent)
			return count;
		nanosleep(&tick, NULL);
	}
}

/* Stamps a record as the kernel does: `audit(1700000000.123:`. */
static void stamp(char *payload, size_t len, uint64_t ms)
{
	char text[32];

	if (len > 6 + 14 && memcmp(payload, "audit(", 6) == 0) {
		snprintf(text, sizeof(text), "%010lu.%03lu", (unsigned long)(ms / 1000) % 10000000000, (unsigned long)(ms % 1000));
		memcpy(payload + 6, text, 14);
	}
}

static int send_packets(int fd, struct mmsghdr *packets, unsigned int count)
{
	unsigned int sent = 0;

	while (sent < count) {
		int n = sendmmsg(fd, packets + sent, count - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -1;
		sent += n > 0 ? (unsigned int)n : 0;
	}
	return 0;
}

static int feed(int fd, char *bytes, size_t len, uint64_t rate, uint64_t start)
{
	struct mmsghdr packets[PACKETS];
	struct iovec vectors[PACKETS];
	uint64_t sent = 0;
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= len) {
		uint64_t wanted = due(start, rate, sent), now = now_us() / 1000;
		unsigned int count = 0;

		memset(packets, 0, sizeof(packets));
		for (; count < PACKETS && sent < wanted && at + sizeof(struct nlmsghdr) <= len; count++) {
			size_t size = ((struct nlmsghdr *)(bytes + at))->nlmsg_len;

			if (size < sizeof(struct nlmsghdr) || size > len - at) {
				fprintf(stderr, "no message at byte %zu\n", at);
				return -1;
			}
			stamp(bytes + at + sizeof(struct nlmsghdr), size - sizeof(struct nlmsghdr), now);
			vectors[count] = (struct iovec){ bytes + at, size };
			packets[count].msg_hdr.msg_iov = &vectors[count];
			packets[count].msg_hdr.msg_iovlen = 1;
			at += NLMSG_ALIGN(size);
			sent++;
		}
		if (send_packets(fd, packets, count))
			return -1;
	}
	return 0;
}

static int run(int fd, char **command)
{
	if (dup2(fd, 3) < 0)
		return 127;
	execvp(command[0], command);
	perror(command[0]);
	return 127;
}

int main(int argc, char **argv)
{
	int ends[2], file, size = SEND_BUFFER, status;
	struct stat stat;
	char *bytes;
	pid_t child;

	if (argc < 5) {
		fprintf(stderr, "usage: feed-records FILE RATE START PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	file = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &stat) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) {
		perror(argv[1]);
		return 1;
	}
	bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (bytes == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	if (setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	child = fork();
	if (child == 0)
		return run(ends[1], argv + 4);
	close(ends[1]);
	if (child < 0 || (feed(ends[0], bytes, (size_t)stat.st_size, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10)) && errno != EPIPE)) {
		perror("feed");
		return 1;
	}
	if (waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
