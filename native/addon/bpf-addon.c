/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets Node.js load the BPF programs, use their maps, and read the ring. src/enforcer/bpf/addon.ts and
 * src/audit/source/ring-addon.ts have the types and describe each function. A function that may wait for the kernel
 * runs on a thread of libuv's pool and returns a promise.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/varmor_profile.h"
#include "bpf-object.h"
#include "bpf-ring-binding.h"
#include "bpf-state.h"
#include "napi-help.h"

#define MAX_RING (256 * 1024 * 1024)
#define MAX_WRITES (4 * 1024 * 1024)

static const napi_type_tag state_tag = { 0x5a0e37b1c2d84f96, 0x91c6e0b7f3a85d42 };

/* A state. Its object in JavaScript and the running jobs own it together. */
struct handle {
	struct state state;
	int owners; /* used on the JavaScript thread only */
};

struct write {
	struct state_map *map;
	unsigned char *key;
	unsigned char *value; /* NULL: remove the entry */
	size_t length;
	uint32_t inner; /* if not 0: the map is a map of maps, and gets a new inner map of this size with `value` */
};

/* Work for another thread, and its result. */
struct job {
	napi_async_work work;
	napi_deferred promise;
	struct handle *handle;
	void (*run)(struct job *job);
	napi_value (*answer)(napi_env env, struct job *job);
	struct state_failure failure; /* error 0: no failure */
	struct state_load load;
	struct write *writes;
	size_t count;
	struct state_map *map;
	uint32_t offset, number;
	const char *iterator;
	bool wait;
	void *bytes;
	size_t length;
};

static void leave(struct handle *handle)
{
	if (!handle || --handle->owners)
		return;
	state_close(&handle->state);
	free(handle);
}

static void free_job(struct job *job)
{
	size_t i;

	for (i = 0; i < job->count; i++)
		free(job->writes[i].key);
	free(job->writes);
	free(job->bytes);
	leave(job->handle);
	free(job);
}

static void execute(napi_env env, void *data)
{
	struct job *job = data;

	(void)env;
	job->run(job);
}

static napi_value failure_error(napi_env env, const struct state_failure *failure)
{
	napi_value message, error, step, log;

	TRY(napi_create_string_utf8(env, strerror(failure->error), NAPI_AUTO_LENGTH, &message));
	TRY(napi_create_error(env, NULL, message, &error));
	TRY(napi_create_string_utf8(env, failure->step, NAPI_AUTO_LENGTH, &step));
	TRY(napi_set_named_property(env, error, "step", step));
	TRY(napi_create_string_utf8(env, failure->log, NAPI_AUTO_LENGTH, &log));
	TRY(napi_set_named_property(env, error, "log", log));
	return set_number(env, error, "errno", failure->error) ? error : give_up(env, "errno");
}

static void complete(napi_env env, napi_status status, void *data)
{
	struct job *job = data;
	napi_value value = NULL;

	if (status != napi_ok) {
		job->failure.error = ECANCELED;
		snprintf(job->failure.step, sizeof(job->failure.step), "run");
	}
	value = job->failure.error ? failure_error(env, &job->failure) : job->answer(env, job);
	if (value && job->failure.error)
		napi_reject_deferred(env, job->promise, value);
	else if (value)
		napi_resolve_deferred(env, job->promise, value);
	napi_delete_async_work(env, job->work);
	free_job(job);
}

static napi_value answer_nothing(napi_env env, struct job *job)
{
	napi_value undefined;

	(void)job;
	TRY(napi_get_undefined(env, &undefined));
	return undefined;
}

/* Takes ownership of the job, even if it fails. */
static napi_value start_job(napi_env env, struct job *job, struct handle *handle, const char *name)
{
	napi_value title, promise;

	job->handle = handle;
	if (handle)
		handle->owners++;
	if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &title) == napi_ok &&
	    napi_create_promise(env, &job->promise, &promise) == napi_ok &&
	    napi_create_async_work(env, NULL, title, execute, complete, job, &job->work) == napi_ok &&
	    napi_queue_async_work(env, job->work) == napi_ok)
		return promise;
	free_job(job);
	return give_up(env, name);
}

static struct job *new_job(napi_env env, void (*run)(struct job *), napi_value (*answer)(napi_env, struct job *))
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		give_up(env, "memory");
		return NULL;
	}
	job->run = run;
	job->answer = answer;
	return job;
}

static struct handle *get_handle(napi_env env, napi_value value)
{
	napi_valuetype kind = napi_undefined;
	bool ours = false;
	void *data = NULL;

	napi_typeof(env, value, &kind);
	if (kind == napi_external)
		napi_check_object_type_tag(env, value, &state_tag, &ours);
	if (ours && napi_get_value_external(env, value, &data) == napi_ok)
		return data;
	give_up(env, "not a state");
	return NULL;
}

/* Returns the state's map with this name; NULL with an exception. */
static struct state_map *get_map(napi_env env, struct handle *handle, napi_value value)
{
	struct failure failure = { "map", 0 };
	struct state_map *map;
	char name[32];

	if (!get_text(env, value, "map", name, sizeof(name)))
		return NULL;
	map = state_map(&handle->state, name);
	failure.error = errno;
	if (!map)
		throw_failure(env, &failure);
	return map;
}

/* Returns the bytes of a Uint8Array; NULL with an exception. */
static const unsigned char *get_bytes(napi_env env, napi_value value, const char *what, size_t *length)
{
	napi_typedarray_type kind;
	void *bytes;

	if (napi_get_typedarray_info(env, value, &kind, length, &bytes, NULL, NULL) == napi_ok &&
	    kind == napi_uint8_array && bytes)
		return bytes;
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", what);
	return NULL;
}

static const unsigned char *get_key(napi_env env, napi_value value, const struct state_map *map)
{
	size_t length;
	const unsigned char *key = get_bytes(env, value, "key", &length);

	if (key && length != map->key_size) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "size of the key");
		return NULL;
	}
	return key;
}

static napi_value copy_out(napi_env env, const void *bytes, size_t length)
{
	napi_value buffer, array;
	void *memory;

	TRY(napi_create_arraybuffer(env, length, &memory, &buffer));
	if (length)
		memcpy(memory, bytes, length);
	TRY(napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array));
	return array;
}

static void run_load(struct job *job)
{
	state_load(&job->load, &job->failure);
}

static napi_value answer_load(napi_env env, struct job *job)
{
	napi_value answer, reused, absent;

	TRY(napi_create_object(env, &answer));
	TRY(napi_get_boolean(env, job->load.reused, &reused));
	TRY(napi_set_named_property(env, answer, "reused", reused));
	TRY(napi_create_string_utf8(env, job->load.absent, NAPI_AUTO_LENGTH, &absent));
	TRY(napi_set_named_property(env, answer, "absent", absent));
	return answer;
}

static napi_value load(napi_env env, napi_callback_info info)
{
	struct job *job = new_job(env, run_load, answer_load);
	napi_value options;

	if (!job)
		return NULL;
	if (get_args(env, info, 1, &options) &&
	    get_named_text(env, options, "object", job->load.object, sizeof(job->load.object)) &&
	    get_named_text(env, options, "folder", job->load.folder, sizeof(job->load.folder)) &&
	    get_u32(env, options, "ringBytes", 4096, MAX_RING, &job->load.ring_bytes) &&
	    get_u32(env, options, "containers", 2, VARMOR_MAX_CONTAINERS, &job->load.containers) &&
	    get_u32(env, options, "profiles", 2, VARMOR_MAX_PROFILES, &job->load.profiles) &&
	    get_u32(env, options, "hostMntNs", 0, UINT32_MAX, &job->load.host_mnt_ns) &&
	    get_u32(env, options, "strictStart", 0, 1, &job->load.strict_start))
		return start_job(env, job, NULL, "load");
	free_job(job);
	return NULL;
}

static void run_drop(struct job *job)
{
	int error = state_drop(job->load.folder, job->wait);

	job->failure.error = -error;
	snprintf(job->failure.step, sizeof(job->failure.step), "remove the folder");
}

static napi_value drop(napi_env env, napi_callback_info info)
{
	struct job *job = new_job(env, run_drop, answer_nothing);
	napi_value args[2];

	if (!job)
		return NULL;
	if (get_args(env, info, 2, args) &&
	    get_text(env, args[0], "folder", job->load.folder, sizeof(job->load.folder)) &&
	    (napi_get_value_bool(env, args[1], &job->wait) == napi_ok || give_up(env, "wait")))
		return start_job(env, job, NULL, "drop");
	free_job(job);
	return NULL;
}

static void finalize_state(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	leave(data);
}

static napi_value open_state(napi_env env, napi_callback_info info)
{
	char folder[STATE_PATH];
	struct handle *handle;
	napi_value arg, value;

	if (!get_args(env, info, 1, &arg) || !get_text(env, arg, "folder", folder, sizeof(folder)))
		return NULL;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return give_up(env, "memory");
	state_init(&handle->state, folder);
	handle->owners = 1;
	if (napi_create_external(env, handle, finalize_state, NULL, &value) != napi_ok) {
		leave(handle);
		return give_up(env, "handle");
	}
	TRY(napi_type_tag_object(env, value, &state_tag));
	return value;
}

static void run_writes(struct job *job)
{
	size_t i;

	for (i = 0; i < job->count; i++) {
		struct write *w = &job->writes[i];
		int error = w->inner ? state_set_inner(w->map, w->key, w->value, w->length, w->inner)
				     : state_set(w->map, w->key, w->value);

		if (!error)
			continue;
		snprintf(job->failure.step, sizeof(job->failure.step), "write %s", w->map->name);
		job->failure.error = -error;
		return;
	}
}

static bool is_undefined(napi_env env, napi_value value)
{
	napi_valuetype kind = napi_undefined;

	return napi_typeof(env, value, &kind) == napi_ok && (kind == napi_undefined || kind == napi_null);
}

/* Copies key and value, because the caller may change them before the job runs. */
static bool get_write(napi_env env, struct handle *handle, napi_value object, struct write *w)
{
	napi_value name, key_value, bytes_value, inner;
	const unsigned char *key, *bytes = NULL;
	size_t length = 0;

	if (napi_get_named_property(env, object, "map", &name) != napi_ok ||
	    napi_get_named_property(env, object, "key", &key_value) != napi_ok ||
	    napi_get_named_property(env, object, "value", &bytes_value) != napi_ok ||
	    napi_get_named_property(env, object, "inner", &inner) != napi_ok)
		return give_up(env, "write");
	w->map = get_map(env, handle, name);
	key = w->map ? get_key(env, key_value, w->map) : NULL;
	if (!key)
		return false;
	if (!is_undefined(env, inner) && !get_u32(env, object, "inner", 1, 64 * 1024 * 1024, &w->inner))
		return false;
	if (!is_undefined(env, bytes_value)) {
		bytes = get_bytes(env, bytes_value, "value", &length);
		if (!bytes)
			return false;
		if (w->inner ? length > w->inner : length != w->map->value_size) {
			napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "size of the value");
			return false;
		}
	} else {
		w->inner = 0;
	}
	w->key = malloc(w->map->key_size + length);
	if (!w->key)
		return give_up(env, "memory");
	memcpy(w->key, key, w->map->key_size);
	if (bytes) {
		w->value = w->key + w->map->key_size;
		memcpy(w->value, bytes, length);
		w->length = length;
	}
	return true;
}

static napi_value write_all(napi_env env, napi_callback_info info)
{
	struct job *job = new_job(env, run_writes, answer_nothing);
	struct handle *handle;
	napi_value args[2];
	uint32_t i, count;

	if (!job)
		return NULL;
	if (!get_args(env, info, 2, args))
		goto out;
	handle = get_handle(env, args[0]);
	if (!handle)
		goto out;
	if (napi_get_array_length(env, args[1], &count) != napi_ok || count > MAX_WRITES) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "writes");
		goto out;
	}
	job->writes = calloc(count ? count : 1, sizeof(*job->writes));
	if (!job->writes) {
		give_up(env, "memory");
		goto out;
	}
	for (i = 0; i < count; i++) {
		napi_handle_scope scope;
		napi_value one;
		bool taken;

		if (napi_open_handle_scope(env, &scope) != napi_ok) {
			give_up(env, "scope");
			goto out;
		}
		taken = napi_get_element(env, args[1], i, &one) == napi_ok &&
			get_write(env, handle, one, &job->writes[i]);
		napi_close_handle_scope(env, scope);
		if (!taken)
			goto out;
		job->count++;
	}
	return start_job(env, job, handle, "write");
out:
	free_job(job);
	return NULL;
}

static void run_remove_where(struct job *job)
{
	int removed = state_remove_where(job->map, job->offset, job->number);

	if (removed >= 0) {
		job->length = (size_t)removed;
		return;
	}
	snprintf(job->failure.step, sizeof(job->failure.step), "remove from %s", job->map->name);
	job->failure.error = -removed;
}

static napi_value answer_length(napi_env env, struct job *job)
{
	napi_value number;

	TRY(napi_create_double(env, (double)job->length, &number));
	return number;
}

static napi_value remove_where(napi_env env, napi_callback_info info)
{
	struct job *job = new_job(env, run_remove_where, answer_length);
	struct handle *handle;
	napi_value args[3];

	if (!job)
		return NULL;
	if (get_args(env, info, 3, args)) {
		handle = get_handle(env, args[0]);
		job->map = handle ? get_map(env, handle, args[1]) : NULL;
		if (job->map && get_u32(env, args[2], "offset", 0, 65536, &job->offset) &&
		    get_u32(env, args[2], "number", 0, UINT32_MAX, &job->number))
			return start_job(env, job, handle, "removeWhere");
	}
	free_job(job);
	return NULL;
}

static void run_iterate(struct job *job)
{
	job->bytes = state_iterate(&job->handle->state, job->iterator, &job->length);
	if (job->bytes)
		return;
	snprintf(job->failure.step, sizeof(job->failure.step), "read %s", job->iterator);
	job->failure.error = errno;
}

static napi_value answer_bytes(napi_env env, struct job *job)
{
	return copy_out(env, job->bytes, job->length);
}

static napi_value iterate(napi_env env, napi_callback_info info, const char *iterator)
{
	struct job *job = new_job(env, run_iterate, answer_bytes);
	struct handle *handle;
	napi_value arg;

	if (!job)
		return NULL;
	handle = get_args(env, info, 1, &arg) ? get_handle(env, arg) : NULL;
	job->iterator = iterator;
	if (handle)
		return start_job(env, job, handle, iterator);
	free_job(job);
	return NULL;
}

static napi_value follow(napi_env env, napi_callback_info info)
{
	struct failure failure = { "follow", 0 };
	char folder[STATE_PATH];
	struct handle *handle;
	napi_value args[2];

	if (!get_args(env, info, 2, args) || !(handle = get_handle(env, args[0])) ||
	    !(is_undefined(env, args[1]) || get_text(env, args[1], "folder", folder, sizeof(folder))))
		return NULL;
	failure.error = -state_follow(&handle->state, is_undefined(env, args[1]) ? NULL : folder);
	return failure.error ? throw_failure(env, &failure) : answer_nothing(env, NULL);
}

static napi_value find_tasks(napi_env env, napi_callback_info info)
{
	return iterate(env, info, "varmor_find_tasks");
}

static napi_value list_profiles(napi_env env, napi_callback_info info)
{
	return iterate(env, info, "varmor_list_profiles");
}

/* Returns one value, or null. For a per-CPU map, returns the values of all processors. */
static napi_value get_value(napi_env env, napi_callback_info info)
{
	struct failure failure = { "read", 0 };
	struct handle *handle;
	struct state_map *map;
	const unsigned char *key;
	napi_value args[3], result;
	size_t size;
	void *value;

	if (!get_args(env, info, 3, args) || !(handle = get_handle(env, args[0])) ||
	    !(map = get_map(env, handle, args[1])) || !(key = get_key(env, args[2], map)))
		return NULL;
	size = state_value_size(map);
	value = size ? calloc(1, size) : NULL;
	if (!value)
		return give_up(env, "memory");
	if (bpf_map_lookup_elem(map->fd, key, value) == 0)
		result = copy_out(env, value, size);
	else if (errno == ENOENT)
		napi_get_null(env, &result);
	else {
		failure.error = errno;
		result = throw_failure(env, &failure);
	}
	free(value);
	return result;
}

#define MAX_RESTARTS 64

/* Returns keys and values in turn: key, value, key, value. */
static napi_value get_entries(napi_env env, napi_callback_info info)
{
	struct handle *handle;
	struct state_map *map;
	napi_value args[2], result;
	unsigned char *entries, *last = NULL;
	size_t size, count = 0;
	int restarts = 0;

	if (!get_args(env, info, 2, args) || !(handle = get_handle(env, args[0])) ||
	    !(map = get_map(env, handle, args[1])))
		return NULL;
	if (state_value_size(map) != map->value_size)
		return give_up(env, "entries of a map with a value for each processor");
	size = (size_t)map->key_size + map->value_size;
	entries = malloc(size * map->max_entries);
	if (!entries)
		return give_up(env, "memory");
	while (count < map->max_entries) {
		unsigned char *entry = entries + count * size, *value = entry + map->key_size;

		if (bpf_map_get_next_key(map->fd, last, entry))
			break;
		/*
		 * If the last key was removed meanwhile, the kernel returns the first key of the map again. So this
		 * also looks up the last key.
		 */
		if ((!last || !bpf_map_lookup_elem(map->fd, last, value)) &&
		    !bpf_map_lookup_elem(map->fd, entry, value)) {
			last = entry;
			count++;
			continue;
		}
		/* Another agent has removed the last key or this key, so the walk restarts. */
		if (restarts++ >= MAX_RESTARTS) {
			free(entries);
			return give_up(env, "entries of a map that changes all the time");
		}
		last = NULL;
		count = 0;
	}
	result = copy_out(env, entries, count * size);
	free(entries);
	return result;
}

/* Writes a number at an offset of a map, if `expected` is there (below 0: any value). */
static napi_value swap(napi_env env, napi_callback_info info)
{
	struct failure failure = { "swap", 0 };
	struct handle *handle;
	struct state_map *map;
	napi_value args[5], result;
	double offset, expected, number;
	int swapped;

	if (!get_args(env, info, 5, args) || !(handle = get_handle(env, args[0])) ||
	    !(map = get_map(env, handle, args[1])))
		return NULL;
	TRY(napi_get_value_double(env, args[2], &offset));
	TRY(napi_get_value_double(env, args[3], &expected));
	TRY(napi_get_value_double(env, args[4], &number));
	if (!is_whole(offset, 0, 1e9) || !is_whole(number, 0, UINT32_MAX) ||
	    !(expected < 0 || is_whole(expected, 0, UINT32_MAX))) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "swap");
		return NULL;
	}
	swapped = state_swap(map, (size_t)offset, expected < 0 ? UINT64_MAX : (uint64_t)expected, (uint32_t)number);
	if (swapped < 0) {
		failure.error = -swapped;
		return throw_failure(env, &failure);
	}
	TRY(napi_get_boolean(env, swapped, &result));
	return result;
}

static napi_value count_links(napi_env env, napi_callback_info info)
{
	struct failure failure = { "links", 0 };
	struct handle *handle;
	napi_value arg, result;
	int count;

	if (!get_args(env, info, 1, &arg) || !(handle = get_handle(env, arg)))
		return NULL;
	count = state_links(&handle->state);
	if (count < 0) {
		failure.error = -count;
		return throw_failure(env, &failure);
	}
	TRY(napi_create_int32(env, count, &result));
	return result;
}

static napi_value needs_old_object(napi_env env, napi_callback_info info)
{
	napi_value result;

	(void)info;
	TRY(napi_get_boolean(env, bpf_needs_old_object(), &result));
	return result;
}

NAPI_MODULE_INIT()
{
	const napi_property_descriptor functions[] = {
		{ "needsOldObject", NULL, needs_old_object, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "load", NULL, load, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "drop", NULL, drop, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "open", NULL, open_state, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "write", NULL, write_all, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "removeWhere", NULL, remove_where, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "follow", NULL, follow, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "findTasks", NULL, find_tasks, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "listProfiles", NULL, list_profiles, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "get", NULL, get_value, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "entries", NULL, get_entries, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "swap", NULL, swap, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "links", NULL, count_links, NULL, NULL, NULL, napi_enumerable, NULL },
	};

	TRY(napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions));
	if (!bpf_ring_binding_define(env, exports))
		return give_up(env, "exports");
	return exports;
}
