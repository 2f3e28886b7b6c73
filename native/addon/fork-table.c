/* SPDX-License-Identifier: Apache-2.0 */
#include "fork-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fork-labels.h"

/*
 * Start times with less than this difference count as equal. /proc counts in ticks of 10 ms, and the two clocks are
 * read one after the other.
 */
#define SAME_START UINT64_C(40000000)
/* An event's time stamp may be late, so an answer for a second must also hold for this time after it. */
#define SOON UINT64_C(3000000000)

int fork_table_init(struct fork_table *t, uint32_t capacity, uint64_t now)
{
	uint32_t size = 1;

	memset(t, 0, sizeof(*t));
	if (capacity > FORK_ENTRIES)
		return -EINVAL;
	while (size < capacity)
		size *= 2;
	/* Pages that are never touched take no memory. */
	t->entries = calloc(size, sizeof(*t->entries));
	t->buckets = calloc(size, sizeof(*t->buckets));
	t->capacity = size;
	t->latest = now;
	t->known_from = now;
	if (t->entries && t->buckets)
		return 0;
	fork_table_free(t);
	return -ENOMEM;
}

void fork_table_free(struct fork_table *t)
{
	free(t->entries);
	free(t->buckets);
	t->entries = NULL;
	t->buckets = NULL;
}

static struct fork_entry *at(struct fork_table *t, uint32_t link)
{
	return link ? &t->entries[link - 1] : NULL;
}

static uint32_t link_of(const struct fork_table *t, const struct fork_entry *e)
{
	return (uint32_t)(e - t->entries) + 1;
}

static uint32_t *bucket_of(struct fork_table *t, pid_t pid)
{
	/* The kernel gives out pids in sequence, so the low bits spread them evenly. */
	return &t->buckets[(uint32_t)pid & (t->capacity - 1)];
}

/*
 * Returns the first process with this pid, starting at the link. A bucket has the processes of a pid from youngest to
 * oldest.
 */
static struct fork_entry *with_pid(struct fork_table *t, uint32_t link, pid_t pid)
{
	struct fork_entry *e = at(t, link);

	while (e && e->pid != pid)
		e = at(t, e->older);
	return e;
}

static struct fork_entry *youngest(struct fork_table *t, pid_t pid)
{
	return with_pid(t, *bucket_of(t, pid), pid);
}

static uint64_t key_of(const struct fork_table *t, const struct fork_entry *e)
{
	return (uint64_t)(e - t->entries) << 32 | e->serial;
}

static struct fork_entry *with_key(struct fork_table *t, uint64_t key)
{
	uint64_t index = key >> 32;

	return index < t->used && t->entries[index].serial == (uint32_t)key ? &t->entries[index] : NULL;
}

/* Whether the process certainly lives: no event reported its end, and no lost event can have reported it. */
static bool surely_lives(const struct fork_entry *e)
{
	return !e->end && e->until == UINT64_MAX;
}

static void leave_dead(struct fork_table *t, struct fork_entry *e)
{
	if (t->last_unnamed == link_of(t, e))
		t->last_unnamed = e->died_before;
	if (e->died_before)
		at(t, e->died_before)->died_after = e->died_after;
	else
		t->first_dead = e->died_after;
	if (e->died_after)
		at(t, e->died_after)->died_before = e->died_before;
	else
		t->last_dead = e->died_before;
	e->died_before = 0;
	e->died_after = 0;
}

static void end_entry(struct fork_table *t, struct fork_entry *e, uint64_t when)
{
	e->end = when ? when : 1;
	e->died_before = t->last_dead;
	e->died_after = 0;
	if (t->last_dead)
		at(t, t->last_dead)->died_after = link_of(t, e);
	else
		t->first_dead = link_of(t, e);
	t->last_dead = link_of(t, e);
	t->living--;
}

static void revive(struct fork_table *t, struct fork_entry *e)
{
	leave_dead(t, e);
	e->end = 0;
	t->living++;
}

static void leave_bucket(struct fork_table *t, struct fork_entry *e)
{
	uint32_t *link = bucket_of(t, e->pid);

	while (*link != link_of(t, e))
		link = &at(t, *link)->older;
	*link = e->older;
}

static void know_from(struct fork_table *t, uint64_t when)
{
	if (when > t->known_from)
		t->known_from = when;
}

static void forget(struct fork_table *t, uint64_t when)
{
	if (when > t->forgotten)
		t->forgotten = when;
}

/* Takes a free entry, or the entry of the process that died longest ago; NULL if all processes live. */
static struct fork_entry *take(struct fork_table *t)
{
	struct fork_entry *e;

	if (t->used < t->capacity)
		return &t->entries[t->used++];
	e = at(t, t->first_dead);
	if (!e)
		return NULL;
	leave_dead(t, e);
	leave_bucket(t, e);
	fork_labels_set(t, e, 0);
	know_from(t, e->end);
	forget(t, e->end);
	return e;
}

static struct fork_entry *add(struct fork_table *t, pid_t pid, uint64_t start)
{
	struct fork_entry *e = take(t);
	uint32_t *bucket = bucket_of(t, pid);
	uint32_t serial;

	if (!e) {
		t->full++;
		return NULL;
	}
	serial = e->serial + 1;
	/*
	 * The process has no parent. This is stored as a link to the entry itself with an older serial, which is never
	 * valid.
	 */
	*e = (struct fork_entry){
		.start = start,
		.until = UINT64_MAX,
		.pid = pid,
		.serial = serial,
		.older = *bucket,
	};
	e->parent = link_of(t, e) - 1;
	e->parent_serial = serial - 1;
	*bucket = link_of(t, e);
	t->living++;
	return e;
}

static struct fork_entry *parent_of(struct fork_table *t, const struct fork_entry *e)
{
	struct fork_entry *parent = &t->entries[e->parent];

	return parent->serial == e->parent_serial && !parent->barred ? parent : NULL;
}

/* Notes that another process has the pid from this time on. */
static void give_up_pid(struct fork_table *t, struct fork_entry *e, uint64_t when)
{
	if (!e->end)
		end_entry(t, e, when);
	if (when < e->until)
		e->until = when;
}

void fork_table_fork(struct fork_table *t, pid_t parent_pid, pid_t child_pid, uint64_t when)
{
	struct fork_entry *parent = youngest(t, parent_pid), *before = youngest(t, child_pid), *child;

	if (when > t->latest)
		t->latest = when;
	if (parent && (parent == before || parent->start > when || parent->until <= when || parent->barred))
		parent = NULL;
	if (before) {
		t->reuses += !before->end || before->end + SOON > when;
		give_up_pid(t, before, when);
	}
	/*
	 * The parent's first thread has ended, but another thread still runs. After an exec, that thread is the first
	 * thread.
	 */
	if (parent && parent->end)
		revive(t, parent);
	child = add(t, child_pid, when);
	if (!child)
		forget(t, when);
	if (!child || !parent)
		return;
	child->parent = link_of(t, parent) - 1;
	child->parent_serial = parent->serial;
	fork_labels_set(t, child, parent->label);
}

void fork_table_exit(struct fork_table *t, pid_t pid, bool first, uint64_t when)
{
	struct fork_entry *e = youngest(t, pid);

	if (when > t->latest)
		t->latest = when;
	/* The process caused no event since events were last lost, so other processes may have had the pid. */
	if (!e || e->until != UINT64_MAX)
		know_from(t, when);
	if (!e || !(first || e->headless))
		return;
	e->headless = true;
	if (!e->end)
		end_entry(t, e, when);
	else if (when > e->end)
		e->end = when;
}

void fork_table_lost(struct fork_table *t, uint64_t sure, uint64_t now)
{
	uint64_t last = t->latest < sure ? t->latest : sure;
	uint32_t i;

	t->reuses++;
	for (i = 0; i < t->used; i++)
		if (last < t->entries[i].until)
			t->entries[i].until = last;
	know_from(t, now);
}

static bool is_same(const struct fork_entry *e, uint64_t start)
{
	return e->start < start + SAME_START && start < e->start + SAME_START;
}

/* Returns the entry of a process that /proc showed; NULL if the process may have ended. */
static struct fork_entry *see(struct fork_table *t, const struct fork_sight *sight, uint64_t began)
{
	struct fork_entry *e = youngest(t, sight->pid);

	if (e && is_same(e, sight->start)) {
		e->until = UINT64_MAX;
		return e;
	}
	/* The entry is for a younger process, forked after /proc was read. */
	if (e && e->start > sight->start)
		return NULL;
	/* Another process may have got the pid since /proc was read. */
	if (t->forgotten >= began)
		return NULL;
	if (e)
		give_up_pid(t, e, sight->start);
	return add(t, sight->pid, sight->start);
}

void fork_table_scan(struct fork_table *t, const struct fork_sight *sights, size_t count, uint64_t began)
{
	struct fork_entry *e;
	size_t i;

	for (i = 0; i < t->used; i++)
		t->entries[i].seen = false;
	for (i = 0; i < count; i++) {
		e = see(t, &sights[i], began);
		if (!e)
			continue;
		e->seen = true;
		if (*sights[i].container)
			fork_labels_name(t, e, sights[i].container);
	}
	for (i = 0; i < t->used; i++) {
		e = &t->entries[i];
		if (!e->end && !e->seen && e->start < began)
			end_entry(t, e, began);
	}
}

bool fork_table_living(struct fork_table *t, pid_t pid, uint64_t *key)
{
	struct fork_entry *e = youngest(t, pid);

	if (!e || !surely_lives(e))
		return false;
	*key = key_of(t, e);
	return true;
}

bool fork_table_label(struct fork_table *t, uint64_t key, const char *id)
{
	struct fork_entry *e = with_key(t, key);

	if (!e || !surely_lives(e))
		return false;
	if (*id)
		fork_labels_name(t, e, id);
	return true;
}

bool fork_table_label_started(struct fork_table *t, pid_t pid, uint64_t earliest, uint64_t latest, const char *id)
{
	struct fork_entry *e = youngest(t, pid), *found = NULL;

	if (earliest < t->known_from)
		return false;
	for (; e && e->start >= earliest; e = with_pid(t, e->older, pid)) {
		if (e->start > latest)
			continue;
		if (found)
			return false;
		found = e;
	}
	return found && found->until > latest && fork_labels_name(t, found, id);
}

void fork_table_bar(struct fork_table *t, uint64_t key)
{
	struct fork_entry *e = with_key(t, key);

	if (e)
		e->barred = true;
}

bool fork_table_holds(struct fork_table *t, uint64_t key, pid_t pid, uint64_t since, const char *id)
{
	struct fork_entry *e = with_key(t, key);

	return e && e->pid == pid && surely_lives(e) && e->start <= since && e->label &&
	       strcmp(t->labels[e->label].id, id) == 0;
}

/* Finds the label of a process or of its nearest labelled ancestor, and the process to look up in /proc. */
static uint16_t trace(struct fork_table *t, struct fork_entry *first, struct fork_answer *answer)
{
	struct fork_entry *e = first;
	unsigned int depth;

	answer->ask = 0;
	for (depth = 0; e && depth < FORK_DEPTH; depth++) {
		if (!answer->ask && surely_lives(e) && (e == first || !e->label)) {
			answer->ask = e->pid;
			answer->ask_key = key_of(t, e);
			answer->ask_itself = e == first;
		}
		if (e->label) {
			fork_labels_set(t, first, e->label);
			return e->label;
		}
		e = parent_of(t, e);
	}
	return 0;
}

bool fork_table_find(struct fork_table *t, pid_t pid, uint64_t earliest, uint64_t latest, struct fork_answer *answer)
{
	struct fork_entry *last = youngest(t, pid), *e = last;
	/* The next older process counts only if it still had the pid at this time. */
	uint64_t needed = latest;
	uint16_t label = 0;

	*answer = (struct fork_answer){ 0 };
	while (e && e->start > latest)
		e = with_pid(t, e->older, pid);
	for (; e; e = with_pid(t, e->older, pid)) {
		uint16_t next;

		/* Between two entries, an unknown process may have had the pid. */
		if (e->until < needed)
			return false;
		/* `end` is the end of the last thread here: before that, no other process could have got the pid. */
		if (e != last && e->end && e->end < earliest)
			break;
		next = trace(t, e, answer);
		label = answer->processes && next != label ? 0 : next;
		answer->start = e->start;
		if (answer->processes++) {
			answer->ask = 0;
			answer->ask_itself = false;
		}
		if (e->start <= earliest)
			break;
		needed = e->start;
	}
	if (!answer->processes || (!e && earliest < t->known_from))
		return false;
	if (label)
		memcpy(answer->container, t->labels[label].id, sizeof(answer->container));
	return true;
}
