/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_FORK_LABELS_H
#define VARMOR_FORK_LABELS_H

#include "fork-table.h"

/* The containers of a fork table: each id is kept once, for as long as an entry uses it. */

/* label: a label's number in the table; 0: no label. */
void fork_labels_set(struct fork_table *t, struct fork_entry *e, uint16_t label);

/* Gives the entry the label with this id. Returns false if the id is too long or there is no room for it. */
bool fork_labels_name(struct fork_table *t, struct fork_entry *e, const char *id);

#endif
