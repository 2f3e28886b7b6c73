/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork-table-check: reads steps for a fork table, one per line, and prints the answers for the test. While an earlier
 * answer about a living process holds, a query must give the same answer; otherwise the program exits with 3.
 *
 *   N capacity now                              a new table
 *   F parent child when                         a fork
 *   X pid first when                            the end of a thread
 *   L now                                       a loss
 *   S began count (pid start id)...             a scan; the id "-" is no container
 *   P pid id                                    /proc shows the process in container id; labels it
 *   T pid earliest latest id                    the runtime reports the process in container id
 *   K pid                                       notes the key of a process
 *   C id                                        labels the process of the noted key; prints whether it lives
 *   B pid                                       children inherit nothing from the process
 *   Q pid earliest latest count (pid id)...     asks which process had the pid; the list is /proc's state
 *   H                                           prints how many earlier answers still held
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fork-table.h"

static struct fork_table table;
static uint64_t noted;

/* The last answer about a pid, if it concerned one living process. */
static struct answer_before {
	uint64_t key;
	char container[65];
} before[1024];
static unsigned int held;

static bool is_of_one(const struct fork_answer *answer)
{
	return answer->processes == 1 && answer->ask_itself && *answer->container;
}

static void expect_the_same(pid_t pid, uint64_t earliest, bool found, const struct fork_answer *answer)
{
	struct answer_before *b = &before[pid % 1024];

	/* If several processes match, the answer must not name a process to ask. */
	if (found && answer->processes > 1 && (answer->ask || answer->ask_itself))
		exit(3);
	if (b->key && fork_table_holds(&table, b->key, pid, earliest, b->container)) {
		if (!found || !is_of_one(answer) || answer->ask_key != b->key || strcmp(answer->container, b->container) != 0)
			exit(3);
		held++;
	}
	b->key = found && is_of_one(answer) ? answer->ask_key : 0;
	if (b->key)
		strcpy(b->container, answer->container);
}

static void word(char *text)
{
	if (scanf("%64s", text) != 1)
		exit(2);
}

static uint64_t number(void)
{
	uint64_t n;

	if (scanf("%" SCNu64, &n) != 1)
		exit(2);
	return n;
}

static const char *id_of(const char *text)
{
	return strcmp(text, "-") == 0 ? "" : text;
}

static void scan(void)
{
	uint64_t began = number();
	size_t i, count = number();
	struct fork_sight *sights = calloc(count + 1, sizeof(*sights));
	char id[65];

	for (i = 0; i < count; i++) {
		sights[i].pid = (pid_t)number();
		sights[i].start = number();
		word(id);
		strcpy(sights[i].container, id_of(id));
	}
	fork_table_scan(&table, sights, count, began);
	free(sights);
}

/*
 * Answers like src/audit/lineage/lineage-resolver.ts: prints the process's container, - if it is unknown, or "host" if
 * it is in none.
 */
static void query(void)
{
	pid_t pid = (pid_t)number();
	uint64_t earliest = number(), latest = number();
	struct fork_answer answer;
	bool found = fork_table_find(&table, pid, earliest, latest, &answer), asked = false;
	size_t count = number();
	char id[65], place[65] = "";

	expect_the_same(pid, earliest, found, &answer);
	while (count--) {
		pid_t seen = (pid_t)number();

		word(id);
		if (!found || seen != answer.ask)
			continue;
		strcpy(place, id_of(id));
		asked = true;
	}
	asked = asked && fork_table_label(&table, answer.ask_key, place);
	if (!found)
		printf("unsure\n");
	else if (asked && answer.ask_itself && !*place)
		printf("host\n");
	else if (asked)
		printf("%s\n", *place ? place : "-");
	else
		printf("%s\n", *answer.container ? answer.container : "-");
}

static void confirm(void)
{
	char id[65];

	word(id);
	printf("%s\n", fork_table_label(&table, noted, id_of(id)) ? "lives" : "gone");
}

static void step(char what)
{
	uint64_t a = number(), b = 0, key;
	char id[65];

	if (what == 'N') {
		fork_table_free(&table);
		if (fork_table_init(&table, (uint32_t)a, number()))
			exit(2);
		memset(before, 0, sizeof(before));
	} else if (what == 'F') {
		b = number();
		fork_table_fork(&table, (pid_t)a, (pid_t)b, number());
	} else if (what == 'X') {
		b = number();
		fork_table_exit(&table, (pid_t)a, b, number());
	} else if (what == 'L') {
		fork_table_lost(&table, UINT64_MAX, a);
	} else if (what == 'P') {
		word(id);
		if (fork_table_living(&table, (pid_t)a, &key))
			fork_table_label(&table, key, id);
	} else if (what == 'T') {
		b = number();
		key = number();
		word(id);
		fork_table_label_started(&table, (pid_t)a, b, key, id);
	} else if (what == 'K') {
		fork_table_living(&table, (pid_t)a, &noted);
	} else if (what == 'B' && fork_table_living(&table, (pid_t)a, &key)) {
		fork_table_bar(&table, key);
	}
}

int main(void)
{
	char what[2];

	while (scanf("%1s", what) == 1)
		if (*what == 'S')
			scan();
		else if (*what == 'Q')
			query();
		else if (*what == 'C')
			confirm();
		else if (*what == 'H')
			printf("%u\n", held);
		else
			step(*what);
	fork_table_free(&table);
	return 0;
}
