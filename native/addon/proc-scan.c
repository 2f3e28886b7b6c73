/* SPDX-License-Identifier: Apache-2.0 */
#include "proc-scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup-path.h"
#include "clocks.h"

#define NS_PER_S INT64_C(1000000000)
/* Field 3 and field 22 of /proc/PID/stat. */
#define STAT_FIELDS " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu"

_Static_assert(FORK_LABEL_BYTES == CONTAINER_ID_BYTES, "a label is the id of a container");

/*
 * Parses the state (field 3) and the start in ticks since the boot (field 22; see proc_pid_stat(5)). Field 2 may
 * contain spaces and brackets. asleep: time that the machine was suspended since the boot, which CLOCK_MONOTONIC
 * excludes. Returns false for a dead process.
 */
static bool parse_stat(const char *stat, int64_t tick, int64_t asleep, struct fork_sight *sight)
{
	const char *rest = strrchr(stat, ')');
	unsigned long long start;
	int64_t when;
	char state;

	if (!rest || sscanf(rest + 1, STAT_FIELDS, &state, &start) != 2)
		return false;
	when = (int64_t)start * tick - asleep;
	sight->start = when > 0 ? (uint64_t)when : 0;
	return state != 'Z' && state != 'X';
}

/* Returns the length; 0 if the file cannot be read or does not fit. */
static size_t read_text(int folder, const char *name, char *text, size_t size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, size);
	close(fd);
	if (n <= 0 || (size_t)n == size)
		return 0;
	text[n] = '\0';
	return (size_t)n;
}

/*
 * Reads all files by the descriptor of the process' folder, so that they belong to the same process. False if the
 * process is gone.
 */
static bool look(int root, const char *name, int64_t tick, int64_t asleep, struct fork_sight *sight)
{
	int folder = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[8192];
	size_t length;
	bool lives;

	if (folder < 0)
		return false;
	lives = read_text(folder, "stat", text, sizeof(text)) && parse_stat(text, tick, asleep, sight);
	length = lives ? read_text(folder, "cgroup", text, sizeof(text)) : 0;
	if (length > 0)
		cgroup_container(text, length, sight->container);
	close(folder);
	return lives;
}

static int append(struct fork_sight **sights, size_t *count, size_t *room, const struct fork_sight *sight)
{
	if (*count == *room) {
		size_t more = *room ? 2 * *room : 512;
		struct fork_sight *larger = reallocarray(*sights, more, sizeof(**sights));

		if (!larger)
			return -ENOMEM;
		*sights = larger;
		*room = more;
	}
	(*sights)[(*count)++] = *sight;
	return 0;
}

int proc_scan(const char *root, struct fork_sight **sights, size_t *count)
{
	int64_t tick = NS_PER_S / sysconf(_SC_CLK_TCK);
	int64_t asleep = (int64_t)(clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC));
	DIR *folder = opendir(root);
	struct dirent *item;
	size_t room = 0;
	int error = 0;

	*sights = NULL;
	*count = 0;
	if (!folder)
		return -errno;
	while (!error && (item = readdir(folder))) {
		struct fork_sight sight = { 0 };
		char *end;
		long pid = strtol(item->d_name, &end, 10);

		if (pid <= 0 || pid > INT32_MAX || *end)
			continue;
		sight.pid = (pid_t)pid;
		if (look(dirfd(folder), item->d_name, tick, asleep, &sight))
			error = append(sights, count, &room, &sight);
	}
	closedir(folder);
	return error;
}
