/* race FORBIDDEN ALLOWED NAP: tries to open both, again and again, until its input ends, and rests NAP microseconds between. Prints every
 * 1,000 tries, and at the end, how many there were, how often the first could be opened, and how often the second could not. What begins
 * with udp: is an address of IPv4 or IPv6, to which a socket is connected: it could be where nobody refused it, be there a way or not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

int main(int argc, char **argv)
{
	unsigned long tries = 0, passed = 0, refused = 0;
	struct pollfd input = { .fd = 0, .events = POLLIN };

	if (argc != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		passed += opens(argv[1]);
		refused += !opens(argv[2]);
		tries += 2;
		if (tries % 1000 == 0) {
			printf("%lu %lu %lu\n", tries, passed, refused);
			if (poll(&input, 1, 0) > 0)
				break;
		}
		if (atoi(argv[3]))
			usleep(atoi(argv[3]));
	}
	printf("%lu %lu %lu\n", tries, passed, refused);
	return 0;
}
