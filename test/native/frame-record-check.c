/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame-record-check ROUNDS: frames random payloads in buffers of random size, under the sanitizers. Exits with 0 if
 * all checks pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame-record.h"

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "round %ld: %s\n", round, #condition); \
			return 1; \
		} \
	} while (0)

static unsigned long long state = 88172645463325252ULL;

static unsigned int random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 32);
}

static int check(long round)
{
	/* Buffers of the exact size, so that the sanitizer sees a byte too many. */
	size_t len = random_number() % 300, room = random_number() % 340, n, i, sent = len;
	char *payload = malloc(len ? len : 1), *out = malloc(room ? room : 1);
	unsigned int type = random_number() % 65536;
	char head[32];

	for (i = 0; i < len; i++)
		payload[i] = random_number() % 8 ? (char)random_number() : "\n\0"[random_number() % 2];
	n = frame_record(out, room, (uint16_t)type, payload, len);
	while (sent && payload[sent - 1] == '\0')
		sent--;
	CHECK((n == 0) == (room < sent + FRAME_OVERHEAD));
	if (n) {
		size_t head_len = (size_t)snprintf(head, sizeof(head), "type=%u ", type);

		CHECK(n == head_len + sent + 1);
		CHECK(memcmp(out, head, head_len) == 0);
		CHECK(memchr(out, '\n', n) == out + n - 1);
		CHECK(memchr(out, '\0', n) == NULL);
		for (i = 0; i < sent; i++)
			CHECK(out[head_len + i] == (payload[i] == '\n' || payload[i] == '\0' ? ' ' : payload[i]));
	}
	free(payload);
	free(out);
	return 0;
}

int main(int argc, char **argv)
{
	long round, rounds = argc == 2 ? atol(argv[1]) : 0;

	for (round = 0; round < rounds; round++)
		if (check(round))
			return 1;
	return rounds > 0 ? 0 : 2;
}
