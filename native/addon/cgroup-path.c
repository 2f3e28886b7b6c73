/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup-path.h"

#include <stdbool.h>
#include <string.h>

#define DIGITS (CONTAINER_ID_BYTES - 1)
/* The kernel shows at most this many bytes of a path and cuts a longer one. */
#define LONGEST_PATH 4095

/* Bytes of a text. */
struct part {
	const char *at; /* NULL: at the end of the text */
	size_t length;
};

#define PART(text) ((struct part){ (text), sizeof(text) - 1 })

/* Controllers of cgroup version 1 for which every runtime makes a group for each container. */
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

/* Takes the text before the next separator, or the rest. */
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

/* Drops a cut name, because the rest of it may be the name of another group. */
static void drop_cut_name(struct part *path)
{
	if (path->length < LONGEST_PATH)
		return;
	while (path->length > 0 && path->at[--path->length] != '/')
		;
}

/* Parses NUMBER:CONTROLLERS:PATH; cgroup version 2 leaves the controllers empty. */
static bool parse_line(struct part line, struct part *controllers, struct part *path)
{
	struct part number;

	take(&line, ':', &number);
	if (!take(&line, ':', controllers))
		return false;
	*path = line.at ? line : PART("");
	/* The kernel adds this to the path of a removed group. */
	drop_end(path, PART(" (deleted)"));
	drop_cut_name(path);
	return true;
}

/* Returns the path of a controller's group; "/" if the text does not have the controller. */
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

/*
 * Does not use other controllers: if the runtime did not make a group there, a process may create a group with any
 * name.
 */
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

/*
 * Finds an id at the end of a name: "<id>" or "docker-<id>.scope". "crio-conmon-<id>.scope" is CRI-O's monitor, not the
 * container.
 */
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
	/*
	 * The first id in the path counts, because a container's processes can create groups only below its group.
	 */
	while (take(&path, '/', &name))
		if (has_id(name, id))
			return;
}
