/* SPDX-License-Identifier: Apache-2.0 */
#include "fork-labels.h"

#include <string.h>

void fork_labels_set(struct fork_table *t, struct fork_entry *e, uint16_t label)
{
	if (label)
		t->labels[label].users++;
	if (e->label)
		t->labels[e->label].users--;
	e->label = label;
}

/*
 * Frees the label whose users died longest ago and returns it; 0 if living processes use all labels. These users also
 * lose their parents, because a parent may be in another container.
 */
static uint16_t take_from_dead(struct fork_table *t)
{
	uint32_t link = t->last_unnamed ? t->entries[t->last_unnamed - 1].died_after : t->first_dead;
	struct fork_entry *e;
	uint16_t label;

	for (; link; link = e->died_after) {
		e = &t->entries[link - 1];
		label = e->label;
		t->last_unnamed = link;
		if (!label)
			continue;
		fork_labels_set(t, e, 0);
		e->parent = link - 1;
		e->parent_serial = e->serial - 1;
		if (!t->labels[label].users)
			return label;
	}
	/* An earlier dead entry may have got a label since the last walk: the next walk starts at the first entry. */
	t->last_unnamed = 0;
	return 0;
}

/* Returns the number of the label with this id; 0 if there is no room for it. */
static uint16_t label_of(struct fork_table *t, const char *id)
{
	uint16_t i, free_one = 0;

	for (i = 1; i <= t->labels_used; i++) {
		if (strcmp(t->labels[i].id, id) == 0)
			return i;
		if (!t->labels[i].users)
			free_one = i;
	}
	if (!free_one && t->labels_used + 1 < FORK_LABELS)
		free_one = ++t->labels_used;
	if (!free_one)
		free_one = take_from_dead(t);
	if (free_one)
		memcpy(t->labels[free_one].id, id, strlen(id) + 1);
	else
		t->unlabelled++;
	return free_one;
}

bool fork_labels_name(struct fork_table *t, struct fork_entry *e, const char *id)
{
	uint16_t label = strlen(id) < FORK_LABEL_BYTES ? label_of(t, id) : 0;

	if (label)
		fork_labels_set(t, e, label);
	return label;
}
