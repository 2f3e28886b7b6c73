/* SPDX-License-Identifier: Apache-2.0 */
#include "known-facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "record-hash.h"

#define MAX_BYTES (16u << 20) /* maximum bytes of all texts except those of forms */
#define MAX_TEXT (64u << 10)
#define MAX_ABOUT 4096u
/*
 * Facts about a process count only for events this many seconds after its start: an event around the start may be of
 * another process. This is more than slack.before of src/audit/lineage/lineage-resolver.ts.
 */
#define SETTLED 1.0

static struct known_process *set_of(struct known_records *k, enum known_family family, uint32_t pid)
{
	/*
	 * The product alone would put neighbouring pids into the same set for some multipliers, so this also mixes its
	 * bits.
	 */
	uint32_t hash = record_hash_mix(pid * k->multiplier);

	return k->process[family] + (size_t)(hash >> (32 - KNOWN_SET_BITS)) * KNOWN_WAYS;
}

struct known_process *known_facts_process(struct known_records *k, enum known_family family, uint32_t pid)
{
	struct known_process *p = set_of(k, family, pid), *end = p + KNOWN_WAYS;

	for (; p < end; p++)
		if (p->pid == pid && pid)
			return p;
	return NULL;
}

bool known_facts_is_label(const struct known_records *k, int number, const uint8_t *bytes, size_t len)
{
	const struct known_label *l = &k->label[number];

	return l->len == len && memcmp(l->text, bytes, len) == 0;
}

bool known_facts_is_foreign(const struct known_records *k, const uint8_t *bytes, size_t len)
{
	uint32_t number = k->foreign[range_hash(bytes, len, 0) % KNOWN_FOREIGN_PLACES];

	return number && known_facts_is_label(k, (int)number - 1, bytes, len);
}

/* Returns the id of the process' container; NULL if it has none. */
static const char *container_of(const struct known_records *k, const struct known_process *p)
{
	const struct known_opening *o;
	int i;

	for (i = 0; i < KNOWN_KINDS_A_FAMILY; i++) {
		if (p->opening[i] == KNOWN_NO_OPENING)
			continue;
		o = &k->opening[p->opening[i]];
		return o->container_len ? o->text + o->start_len + o->before_len + o->behind_len : NULL;
	}
	return NULL;
}

/* Extends facts from one second to another second, if the process still has its pid then. */
static bool renew(const struct known_records *k, const struct known_run *run, struct known_process *p)
{
	const char *container = container_of(k, p);

	if (p->of_batch || !p->fork.tree || !run->holds || !container ||
	    !run->holds(p->fork.tree, p->fork.key, p->pid, k->second - SETTLED, container))
		return false;
	p->second = k->second;
	p->batch = k->batch;
	return true;
}

/*
 * Whether the process must be looked up again. This is also checked within a second; otherwise all processes would be
 * looked up at the start of the next second.
 */
static bool is_due(const struct known_run *run, const struct known_process *p)
{
	return p->fork.tree && run->now >= p->fork.until;
}

bool known_facts_hold(const struct known_records *k, const struct known_run *run, struct known_process *p)
{
	if (p->second == 0)
		return p->batch == k->batch && k->second >= p->since;
	if (is_due(run, p))
		return false;
	if (p->second == k->second && p->batch >= (p->of_batch ? k->batch : k->held_since))
		return true;
	return renew(k, run, p);
}

struct known_forms *known_records_forms(struct known_records *k)
{
	return k->forms;
}

static void forget_processes(struct known_records *k)
{
	struct known_process *p = k->process[0], *end = p + KNOWN_FAMILIES * KNOWN_PROCESSES;

	for (; p < end; p++) {
		k->bytes -= p->about_len;
		free(p->about);
		*p = (struct known_process){ 0 };
	}
}

void known_records_forget(struct known_records *k)
{
	uint32_t i;

	/*
	 * Each process and each foreign record has a label. So without labels these tables are empty, and their pages
	 * stay untouched.
	 */
	if (k->labels > 0) {
		forget_processes(k);
		memset(k->foreign, 0, sizeof(k->foreign));
	}
	for (i = 0; i < k->labels; i++)
		free(k->label[i].text);
	for (i = 0; i < k->openings; i++)
		free(k->opening[i].text);
	k->labels = k->openings = k->bytes = 0;
	k->digits_len = 0;
}

void known_records_free(struct known_records *k)
{
	int i;

	if (!k)
		return;
	known_records_forget(k);
	known_forms_free(k->forms);
	for (i = 0; i < KNOWN_TIMES; i++)
		free(k->times[i]);
	free(k);
}

const size_t known_records_bytes = sizeof(struct known_records);

struct known_records *known_records_new(void)
{
	struct known_records *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->forms = known_forms_new();
	if (!k->forms || getrandom(&k->multiplier, sizeof(k->multiplier), 0) != sizeof(k->multiplier)) {
		known_records_free(k);
		return NULL;
	}
	k->multiplier |= 1;
	k->batch = 1;
	return k;
}

void known_records_use_kinds(struct known_records *k, const struct known_kinds *kinds)
{
	k->kinds = *kinds;
}

void known_records_use_counters(struct known_records *k, uint32_t *events, int32_t *touched, int32_t *touched_count)
{
	k->events = events;
	k->touched = touched;
	k->touched_count = touched_count;
}

void known_records_begin(struct known_records *k, bool held)
{
	k->batch++;
	if (!held)
		k->held_since = k->batch;
}

/* Copies the texts into one allocation; NULL if the limit of bytes is reached or memory ran out. */
static char *keep_texts(struct known_records *k, const struct known_text *texts, int count)
{
	uint32_t len = 0;
	char *kept, *at;
	int i;

	for (i = 0; i < count; i++) {
		if (texts[i].len > MAX_TEXT)
			return NULL;
		len += texts[i].len;
	}
	if (len > MAX_BYTES - k->bytes)
		return NULL;
	kept = malloc(len + 1);
	if (!kept)
		return NULL;
	for (i = 0, at = kept; i < count; i++)
		at = known_put(at, texts[i].text, texts[i].len);
	k->bytes += len;
	return kept;
}

int known_records_add_label(struct known_records *k, struct known_text bytes, struct known_text json)
{
	const struct known_text texts[] = { bytes, json };
	struct known_label *l = &k->label[k->labels];

	if (k->labels == KNOWN_LABELS)
		return -1;
	l->text = keep_texts(k, texts, 2);
	if (!l->text)
		return -1;
	l->len = bytes.len;
	l->json_len = json.len;
	return (int)k->labels++;
}

void known_records_pass_over(struct known_records *k, int label)
{
	const struct known_label *l;

	if (label < 0 || (uint32_t)label >= k->labels)
		return;
	l = &k->label[label];
	k->foreign[range_hash((const uint8_t *)l->text, l->len, 0) % KNOWN_FOREIGN_PLACES] = (uint32_t)label + 1;
}

int known_records_add_opening(struct known_records *k, const struct known_opening_facts *facts)
{
	const struct known_text texts[] = { facts->start, facts->before, facts->behind, facts->container };
	struct known_opening *o = &k->opening[k->openings];

	if (k->openings == KNOWN_OPENINGS || (facts->container.len && facts->container.text[facts->container.len - 1]))
		return -1;
	o->text = keep_texts(k, texts, 4);
	if (!o->text)
		return -1;
	o->start_len = facts->start.len;
	o->before_len = facts->before.len;
	o->behind_len = facts->behind.len;
	o->container_len = facts->container.len;
	o->place = facts->place;
	o->head = facts->head;
	o->origin = facts->origin;
	return (int)k->openings++;
}

/* Returns the place of the process, or else the place in its set whose facts are oldest. */
static struct known_process *place_of(struct known_records *k, enum known_family family, uint32_t pid)
{
	struct known_process *first = set_of(k, family, pid), *p, *oldest = first;

	for (p = first; p < first + KNOWN_WAYS; p++) {
		if (p->pid == pid)
			return p;
		if (p->batch < oldest->batch)
			oldest = p;
	}
	return oldest;
}

/* Whether the present facts, for another kind of event, are about the same process and agree with the new facts. */
static bool is_same(const struct known_records *k, const struct known_process *p,
		    const struct known_process_facts *facts)
{
	int i;

	if (p->pid != facts->pid || p->label != facts->label || p->second != facts->second || p->batch != k->batch)
		return false;
	for (i = 0; i < KNOWN_KINDS_A_FAMILY; i++)
		if (p->opening[i] != KNOWN_NO_OPENING &&
		    k->opening[p->opening[i]].origin != k->opening[facts->opening].origin)
			return false;
	return true;
}

enum known_taught known_records_teach(struct known_records *k, const struct known_process_facts *facts)
{
	enum known_family family = facts->kind / KNOWN_KINDS_A_FAMILY;
	struct known_process *p;
	char *about;
	int i;

	if (!facts->pid || family >= KNOWN_FAMILIES || facts->label < 0 || (uint32_t)facts->label >= k->labels ||
	    facts->opening < 0 || (uint32_t)facts->opening >= k->openings || facts->about.len > MAX_ABOUT)
		return KNOWN_REFUSED;
	if (facts->about.len > MAX_BYTES - k->bytes)
		return KNOWN_NO_ROOM;
	about = malloc(facts->about.len + 1);
	if (!about)
		return KNOWN_NO_ROOM;
	known_put(about, facts->about.text, facts->about.len);
	p = place_of(k, family, facts->pid);
	k->bytes += facts->about.len - p->about_len;
	free(p->about);
	if (!is_same(k, p, facts))
		for (i = 0; i < KNOWN_KINDS_A_FAMILY; i++)
			p->opening[i] = KNOWN_NO_OPENING;
	p->pid = facts->pid;
	p->batch = k->batch;
	p->of_batch = facts->of_batch;
	p->second = facts->second;
	p->since = facts->since;
	p->fork = facts->fork;
	p->label = facts->label;
	p->opening[facts->kind % KNOWN_KINDS_A_FAMILY] = facts->opening;
	p->about = about;
	p->about_len = facts->about.len;
	return KNOWN_TAUGHT;
}

bool known_records_set_second(struct known_records *k, double second, const struct known_text texts[KNOWN_TIMES])
{
	char *kept;
	int i, len;

	k->digits_len = 0;
	if (!(second >= 0 && second < 1e11))
		return false;
	len = snprintf(k->digits, sizeof(k->digits), "%.0f", second);
	if (len <= 0 || (size_t)len >= sizeof(k->digits))
		return false;
	for (i = 0; i < KNOWN_TIMES; i++) {
		if (texts[i].len > MAX_TEXT)
			return false;
		kept = realloc(k->times[i], texts[i].len + 1);
		if (!kept)
			return false;
		known_put(kept, texts[i].text, texts[i].len);
		k->times[i] = kept;
		k->times_len[i] = texts[i].len;
	}
	k->second = second;
	k->digits_len = (uint32_t)len;
	return true;
}
