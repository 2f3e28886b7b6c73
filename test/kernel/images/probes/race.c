/*
 * race NAP PROCESSES {FORBIDDEN ALLOWED}...: PROCESSES processes try to open each path in turn until the input ends,
 * and sleep NAP microseconds between tries. Prints at intervals and at the end the number of tries, of forbidden
 * paths that a process could open, and of allowed paths that a process could not open. For udp:ADDRESS (IPv4 or
 * IPv6) a socket connects to the address; connect() fails only if the kernel refuses it, even without a route.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_EVERY_MS 10

/* Counts of all processes together. */
struct seen {
	unsigned long tries, passed, refused;
	int stop;
};

static int connects(const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	int is_v6 = strchr(address, ':') != NULL, one, failed;

	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		exit(2);
	one = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (one < 0)
		exit(3);
	failed = is_v6 ? connect(one, (void *)&v6, sizeof(v6)) : connect(one, (void *)&v4, sizeof(v4));
	failed = failed && (errno == EPERM || errno == EACCES);
	close(one);
	return !failed;
}

static int opens(const char *path)
{
	int file;

	if (!strncmp(path, "udp:", 4))
		return connects(path + 4);
	file = open(path, O_RDONLY);

	if (file < 0)
		return 0;
	close(file);
	return 1;
}

static void count(unsigned long *number, unsigned long more)
{
	__atomic_fetch_add(number, more, __ATOMIC_RELAXED);
}

static void try_on(struct seen *seen, int nap, char **pairs, int count_of_pairs, int first)
{
	int i;

	for (i = first; !__atomic_load_n(&seen->stop, __ATOMIC_RELAXED); i++) {
		char **pair = pairs + 2 * (i % count_of_pairs);

		count(&seen->passed, opens(pair[0]));
		count(&seen->refused, !opens(pair[1]));
		count(&seen->tries, 2);
		if (nap)
			usleep(nap);
	}
}

static void say(const struct seen *seen)
{
	printf("%lu %lu %lu\n", seen->tries, seen->passed, seen->refused);
}

int main(int argc, char **argv)
{
	struct seen *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int i, status, failed = 0, processes;

	if (argc < 5 || argc % 2 == 0 || seen == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	processes = atoi(argv[2]);
	for (i = 0; i < processes; i++)
		if (fork() == 0) {
			try_on(seen, atoi(argv[1]), argv + 3, (argc - 3) / 2, i);
			_exit(0);
		}
	while (poll(&input, 1, SAID_EVERY_MS) == 0)
		say(seen);
	__atomic_store_n(&seen->stop, 1, __ATOMIC_RELAXED);
	while (wait(&status) > 0)
		failed |= status;
	say(seen);
	return failed ? 1 : 0;
}
