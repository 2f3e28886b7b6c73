/* SPDX-License-Identifier: Apache-2.0 */
/*
 * take-records RATE TOTAL START: a reader that does no other work. It takes TOTAL messages from descriptor 3, due at
 * RATE per second from START (unix milliseconds) on, and prints the delay of each message: the cost of the machine and
 * of feed-records alone. The first second warms up.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	unsigned long rate, total, at, count;
	double start, *late;
	char packet[16384];

	if (argc != 4)
		return 2;
	rate = strtoul(argv[1], NULL, 10);
	total = strtoul(argv[2], NULL, 10);
	start = strtod(argv[3], NULL);
	if (rate == 0 || total <= rate)
		return 2;
	late = calloc(total, sizeof(*late));
	if (!late)
		return 1;
	for (at = 0; at < total; at++) {
		ssize_t len;

		do
			len = recv(3, packet, sizeof(packet), 0);
		while (len < 0 && errno == EINTR);
		if (len <= 0) {
			perror("recv");
			return 1;
		}
		late[at] = now_ms() - start - (double)at * 1e3 / (double)rate;
	}
	count = total - rate;
	qsort(late + rate, count, sizeof(*late), compare);
	printf("{\"rate\":%lu,\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}\n", rate, late[rate + count / 2],
	       late[rate + count * 99 / 100], late[total - 1]);
	return 0;
}
