/*
 * denials FOLDER COUNT: creates the files FOLDER/0 to FOLDER/<COUNT-1> as fast as possible, while a profile refuses
 * it. The file names show a reader of the reports which reports are missing. Prints how many creations failed with
 * EACCES.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[4096];
	unsigned long refused = 0, count, number;

	if (argc != 3) {
		fprintf(stderr, "usage: %s FOLDER COUNT\n", argv[0]);
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	for (number = 0; number < count; number++) {
		int file;

		snprintf(path, sizeof(path), "%s/%lu", argv[1], number);
		file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (file >= 0)
			close(file);
		else if (errno == EACCES)
			refused++;
	}
	printf("%lu\n", refused);
	return 0;
}
