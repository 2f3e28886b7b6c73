/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup-path.h"

#include <stdbool.h>
#include <string.h>

#define DIGITS (CONTAINER_ID_BYTES - 1)
/* Bytes that the kernel shows of a path at most: it cuts a longer one. */
#define LONGEST_PATH 4095

/* Bytes of a text. */
struct part {
	const char *at; /* NULL: there is no more */
	size_t length;
};

#define PART(text) ((struct part){ (text), sizeof(text) - 1 })

/* Controllers of version 1 that every container has, and cgroup managers move processes in. */
static const struct part preferred[] = { PART("pids"), PART("memory"), PART("devices"), PART("name=systemd") };

static bool is_same(struct part a, struct part b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static bool drop_end(struct part *part, struct part end)
{
	if (part->length < end.length || memcmp(part->at + part->length - end.length, end.at, end.length) != 0)
		return false;
	part->length -= end.length;
	return true;
}

/* Takes what is before the next separator, or all that is left. */
static bool take(struct part *rest, char separator, struct part *taken)
{
	const char *end;

	if (!rest->at)
		return false;
	*taken = *rest;
	end = memchr(rest->at, separator, rest->length);
	if (!end) {
		rest->at = NULL;
		return true;
	}
	taken->length = (size_t)(end - rest->at);
	rest->length -= taken->length + 1;
	rest->at = end + 1;
	return true;
}

/* What is left of a name that was cut may be another group's. */
static void drop_cut_name(struct part *path)
{
	if (path->length < LONGEST_PATH)
		return;
	while (path->length > 0 && path->at[--path->length] != '/')
		;
}

/* NUMBER:CONTROLLERS:PATH, of which version 2 has no controllers. */
static bool parse_line(struct part line, struct part *controllers, struct part *path)
{
	struct part number;

	take(&line, ':', &number);
	if (!take(&line, ':', controllers))
		return false;
	*path = line.at ? line : PART("");
	/* What the kernel adds to the path of a group that was removed. */
	drop_end(path, PART(" (deleted)"));
	drop_cut_name(path);
	return true;
}

/* "/" for a controller that the text does not have. */
static struct part path_of(struct part text, struct part controller)
{
	struct part line, controllers, path, one, found = PART("/");

	while (take(&text, '\n', &line)) {
		if (!parse_line(line, &controllers, &path))
			continue;
		while (take(&controllers, ',', &one))
			if (is_same(one, controller))
				found = path;
	}
	return found;
}

/* Never that of another controller: where runtimes make no groups, a process may make itself one with any name. */
static struct part path_in(struct part text)
{
	struct part path;
	size_t i;

	for (i = 0; i < sizeof(preferred) / sizeof(*preferred); i++) {
		path = path_of(text, preferred[i]);
		if (!is_same(path, PART("/")))
			return path;
	}
	return path_of(text, PART(""));
}

/* An id is the end of a name: "<id>" or "docker-<id>.scope". "crio-conmon-<id>.scope" is what watches a container. */
static bool has_id(struct part name, char *id)
{
	const char *digits;
	size_t before, i;

	drop_end(&name, PART(".scope"));
	if (name.length < DIGITS)
		return false;
	before = name.length - DIGITS;
	digits = name.at + before;
	for (i = 0; i < DIGITS; i++)
		if (!(digits[i] >= '0' && digits[i] <= '9') && !(digits[i] >= 'a' && digits[i] <= 'f'))
			return false;
	if (before > 0) {
		struct part prefix = { name.at, before - 1 };

		if ((digits[-1] != '-' && digits[-1] != ':') || drop_end(&prefix, PART("conmon")))
			return false;
	}
	memcpy(id, digits, DIGITS);
	id[DIGITS] = '\0';
	return true;
}

void cgroup_container(const char *text, size_t length, char id[CONTAINER_ID_BYTES])
{
	struct part path = path_in((struct part){ text, length }), name;

	*id = '\0';
	/* The first one is that of the outermost container: groups below its own, its processes can make themselves. */
	while (take(&path, '/', &name))
		if (has_id(name, id))
			return;
}
