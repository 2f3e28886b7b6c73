/* race FORBIDDEN ALLOWED NAP: tries to open both, again and again, until its input ends, and rests NAP microseconds between. Prints every
 * 1,000 tries, and at the end, how many there were, how often the first could be opened, and how often the second could not. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int opens(const char *path)
{
	int file = open(path, O_RDONLY);

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
