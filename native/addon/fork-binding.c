/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes fork trees available to Node.js; src/audit/lineage/fork-addon.ts has the types. A JavaScript thread opens and
 * closes a tree. All other threads use the tree by its number, because JavaScript threads do not share objects.
 */
#include "fork-binding.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fork-tree.h"
#include "napi-help.h"

#define MAX_TREES 16
#define MAX_NAP_MS 1000

struct opened {
	struct fork_tree *tree;
	uint32_t number;
	napi_env owner;
	unsigned int users;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t left; /* signalled when a user of a tree returns it */
	struct opened trees[MAX_TREES];
	uint32_t last_number;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER };

static struct opened *slot_of(uint32_t number)
{
	struct opened *o;

	for (o = registry.trees; o < registry.trees + MAX_TREES; o++)
		if (o->tree && number && o->number == number)
			return o;
	return NULL;
}

/* Returns the tree, which cannot be closed until the caller returns it; NULL if the tree is closed. */
static struct opened *borrow(uint32_t number)
{
	struct opened *o;

	pthread_mutex_lock(&registry.lock);
	o = slot_of(number);
	if (o)
		o->users++;
	pthread_mutex_unlock(&registry.lock);
	return o;
}

static void give_back(struct opened *o)
{
	pthread_mutex_lock(&registry.lock);
	if (--o->users == 0)
		pthread_cond_broadcast(&registry.left);
	pthread_mutex_unlock(&registry.lock);
}

/* Called under the lock. Waits only for a short time, because a user borrows the tree for a single call. */
static void close_slot(struct opened *o)
{
	struct fork_tree *tree = o->tree;

	o->number = 0; /* new users no longer find the tree */
	while (o->users)
		pthread_cond_wait(&registry.left, &registry.lock);
	o->tree = NULL;
	fork_tree_close(tree);
}

static void close_owned(void *env)
{
	struct opened *o;

	pthread_mutex_lock(&registry.lock);
	for (o = registry.trees; o < registry.trees + MAX_TREES; o++)
		if (o->tree && o->number && o->owner == env)
			close_slot(o);
	pthread_mutex_unlock(&registry.lock);
}

/* Returns the tree's number; 0 if too many trees are open. */
static uint32_t keep(struct fork_tree *tree, napi_env env)
{
	struct opened *o;
	uint32_t number = 0;

	pthread_mutex_lock(&registry.lock);
	for (o = registry.trees; o < registry.trees + MAX_TREES && !number; o++) {
		if (o->tree)
			continue;
		number = ++registry.last_number;
		*o = (struct opened){ .tree = tree, .number = number, .owner = env };
	}
	pthread_mutex_unlock(&registry.lock);
	return number;
}

/* With null, the folder stays empty. */
static bool get_folder(napi_env env, napi_value object, char *folder, size_t room)
{
	napi_valuetype kind = napi_undefined;
	napi_value value;

	if (napi_get_named_property(env, object, "folder", &value) != napi_ok ||
	    napi_typeof(env, value, &kind) != napi_ok)
		return give_up(env, "folder");
	return kind == napi_null || get_text(env, value, "folder", folder, room);
}

static napi_value open_forks(napi_env env, napi_callback_info info)
{
	struct fork_tree_options options = { 0 };
	struct failure failure = { "memory", 0 };
	struct fork_tree *tree;
	napi_value args[1], result;
	size_t argc = 1;
	uint32_t number;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 1 || !get_u32(env, args[0], "entries", 1, FORK_ENTRIES, &options.entries) ||
	    !get_u32(env, args[0], "receiveBuffer", 0, INT32_MAX, &options.receive_buffer) ||
	    !get_u32(env, args[0], "napMs", 0, MAX_NAP_MS, &options.nap_ms) ||
	    !get_named_text(env, args[0], "procRoot", options.root, sizeof(options.root)) ||
	    !get_folder(env, args[0], options.folder, sizeof(options.folder)))
		return give_up(env, "openForks(options)");
	tree = fork_tree_open(&options, &failure);
	if (!tree)
		return throw_failure(env, &failure);
	number = keep(tree, env);
	if (!number) {
		fork_tree_close(tree);
		return throw_failure(env, &(struct failure){ "too many trees", EMFILE });
	}
	/* An environment has one hook for all its trees. */
	napi_remove_env_cleanup_hook(env, close_owned, env);
	napi_add_env_cleanup_hook(env, close_owned, env);
	TRY(napi_create_uint32(env, number, &result));
	return result;
}

static bool get_numbers(napi_env env, const napi_value *args, size_t count, double *numbers)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (napi_get_value_double(env, args[i], &numbers[i]) != napi_ok)
			return false;
	/* The first two numbers are a tree's number and a pid. */
	return is_whole(numbers[0], 0, UINT32_MAX) && (count < 2 || is_whole(numbers[1], 0, INT32_MAX));
}

static napi_value answer_of(napi_env env, const struct fork_answer *answer, double start)
{
	napi_value result, id, itself;

	TRY(napi_create_object(env, &result));
	TRY(napi_create_string_utf8(env, answer->container, NAPI_AUTO_LENGTH, &id));
	TRY(napi_set_named_property(env, result, "containerID", id));
	TRY(napi_get_boolean(env, answer->ask_itself, &itself));
	TRY(napi_set_named_property(env, result, "itself", itself));
	if (!set_number(env, result, "since", start) || !set_number(env, result, "processes", answer->processes) ||
	    !set_number(env, result, "ask", answer->ask) || !set_number(env, result, "key", (double)answer->ask_key))
		return give_up(env, "answer");
	return result;
}

static napi_value find_fork(napi_env env, napi_callback_info info)
{
	double numbers[4], start = 0;
	struct fork_answer answer;
	struct opened *o;
	napi_value args[4], nothing;
	size_t argc = 4;
	bool found;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 4 || !get_numbers(env, args, 4, numbers))
		return give_up(env, "findFork(number, pid, earliest, latest)");
	o = borrow((uint32_t)numbers[0]);
	found = o && fork_tree_find(o->tree, (pid_t)numbers[1], numbers[2], numbers[3], &answer, &start);
	if (o)
		give_back(o);
	if (found)
		return answer_of(env, &answer, start);
	TRY(napi_get_null(env, &nothing));
	return nothing;
}

static napi_value living_fork(napi_env env, napi_callback_info info)
{
	double numbers[2];
	struct opened *o;
	napi_value args[2], result;
	size_t argc = 2;
	uint64_t key = 0;
	bool lives;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 2 || !get_numbers(env, args, 2, numbers))
		return give_up(env, "livingFork(number, pid)");
	o = borrow((uint32_t)numbers[0]);
	lives = o && fork_tree_living(o->tree, (pid_t)numbers[1], &key);
	if (o)
		give_back(o);
	if (lives)
		TRY(napi_create_double(env, (double)key, &result));
	else
		TRY(napi_get_null(env, &result));
	return result;
}

bool fork_binding_holds(uint32_t tree, uint64_t key, uint32_t pid, double since, const char *id)
{
	struct opened *o = borrow(tree);
	bool holds = o && fork_tree_holds(o->tree, key, (pid_t)pid, since, id);

	if (o)
		give_back(o);
	return holds;
}

static bool get_id(napi_env env, napi_value value, char *id)
{
	size_t len = 0;

	return napi_get_value_string_utf8(env, value, NULL, 0, &len) == napi_ok && len < FORK_LABEL_BYTES &&
	       napi_get_value_string_utf8(env, value, id, FORK_LABEL_BYTES, &len) == napi_ok;
}

static bool get_key(double number, uint64_t *key)
{
	if (!is_whole(number, 0, (double)(((uint64_t)FORK_ENTRIES << 32) - 1)))
		return false;
	*key = (uint64_t)number;
	return true;
}

static napi_value label_fork(napi_env env, napi_callback_info info)
{
	char id[FORK_LABEL_BYTES];
	double number, number_of_key;
	struct opened *o;
	napi_value args[3], result;
	size_t argc = 3;
	uint64_t key;
	bool labelled;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 3 || !get_numbers(env, args, 1, &number) ||
	    napi_get_value_double(env, args[1], &number_of_key) != napi_ok || !get_key(number_of_key, &key) ||
	    !get_id(env, args[2], id))
		return give_up(env, "labelFork(number, key, containerID)");
	o = borrow((uint32_t)number);
	labelled = o && fork_tree_label(o->tree, key, id);
	if (o)
		give_back(o);
	TRY(napi_get_boolean(env, labelled, &result));
	return result;
}

static napi_value label_started_fork(napi_env env, napi_callback_info info)
{
	char id[FORK_LABEL_BYTES];
	double numbers[4];
	struct opened *o;
	napi_value args[5], result;
	size_t argc = 5;
	bool labelled;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 5 || !get_numbers(env, args, 4, numbers) || !get_id(env, args[4], id))
		return give_up(env, "labelStartedFork(number, pid, earliest, latest, containerID)");
	o = borrow((uint32_t)numbers[0]);
	labelled = o && fork_tree_label_started(o->tree, (pid_t)numbers[1], numbers[2], numbers[3], id);
	if (o)
		give_back(o);
	TRY(napi_get_boolean(env, labelled, &result));
	return result;
}

static napi_value bar_fork(napi_env env, napi_callback_info info)
{
	double number, number_of_key;
	struct opened *o;
	napi_value args[2];
	size_t argc = 2;
	uint64_t key;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 2 || !get_numbers(env, args, 1, &number) ||
	    napi_get_value_double(env, args[1], &number_of_key) != napi_ok || !get_key(number_of_key, &key))
		return give_up(env, "barFork(number, key)");
	o = borrow((uint32_t)number);
	if (!o)
		return NULL;
	fork_tree_bar(o->tree, key);
	give_back(o);
	return NULL;
}

static bool set_stats(napi_env env, napi_value stats, struct fork_tree *t)
{
	struct fork_tree_sizes sizes = fork_tree_sizes(t);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "forks", t->counts.forks },
		{ "exits", t->counts.exits },
		{ "forged", t->counts.foreign },
		{ "malformed", t->counts.malformed },
		{ "overruns", t->counts.overruns },
		{ "scans", t->counts.scans },
		{ "failedScans", t->counts.failed_scans },
		{ "clockSteps", t->counts.clock_steps },
		{ "known", sizes.known },
		{ "living", sizes.living },
		{ "full", sizes.full },
		{ "unlabelled", sizes.unlabelled },
		{ "error", (uint64_t)t->counts.error },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!set_number(env, stats, rows[i].name, (double)rows[i].value))
			return false;
	return set_known(env, stats, "reuses", sizes.reuses != UINT64_MAX, (double)sizes.reuses) &&
	       set_known(env, stats, "socketDrops", sizes.socket_drops != UINT64_MAX, (double)sizes.socket_drops);
}

static napi_value fork_stats(napi_env env, napi_callback_info info)
{
	struct opened *o;
	double number;
	napi_value args[1], stats;
	size_t argc = 1;
	bool filled;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 1 || !get_numbers(env, args, 1, &number))
		return give_up(env, "forkStats(number)");
	o = borrow((uint32_t)number);
	if (!o) {
		TRY(napi_get_null(env, &stats));
		return stats;
	}
	filled = napi_create_object(env, &stats) == napi_ok && set_stats(env, stats, o->tree);
	give_back(o);
	return filled ? stats : give_up(env, "stats");
}

static napi_value close_forks(napi_env env, napi_callback_info info)
{
	struct opened *o;
	double number;
	napi_value args[1];
	size_t argc = 1;

	TRY(napi_get_cb_info(env, info, &argc, args, NULL, NULL));
	if (argc < 1 || !get_numbers(env, args, 1, &number))
		return give_up(env, "closeForks(number)");
	pthread_mutex_lock(&registry.lock);
	o = slot_of((uint32_t)number);
	if (o)
		close_slot(o);
	pthread_mutex_unlock(&registry.lock);
	return NULL;
}

napi_value fork_binding_define(napi_env env, napi_value exports)
{
	const napi_property_descriptor functions[] = {
		{ "openForks", NULL, open_forks, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "findFork", NULL, find_fork, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "livingFork", NULL, living_fork, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "labelFork", NULL, label_fork, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "labelStartedFork", NULL, label_started_fork, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "barFork", NULL, bar_fork, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "forkStats", NULL, fork_stats, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "closeForks", NULL, close_forks, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	TRY(napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions));
	return exports;
}
