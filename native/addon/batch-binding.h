/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BATCH_BINDING_H
#define VARMOR_BATCH_BINDING_H

#include <node_api.h>
#include <stdbool.h>

#include "batch-ring.h"
#include "napi-help.h"

/*
 * Batches that a thread makes, for JavaScript. It pulls: the thread only says that there is something (a thread-safe function whose
 * calls are merged into one while it is pending), and `read` takes the oldest batch.
 */

/* What a producer is asked. `close` ends its thread and joins it; a second call does nothing. */
struct batch_producer {
	struct batch *(*oldest)(void *producer);
	void (*release)(void *producer);
	void (*stop)(void *producer);
	bool (*ended)(void *producer);
	void (*close)(void *producer);
	void (*free)(void *producer);
};

/* Released by whichever goes last: the handle in JavaScript or the thread-safe function. */
struct batch_binding {
	napi_env env;
	const struct batch_producer *ask;
	void *producer;
	napi_threadsafe_function wake;
	_Atomic bool wake_pending;
	bool closed;
	int owners;
};

/* NULL with an exception. The callback is called on the thread of JavaScript. */
struct batch_binding *batch_binding_new(napi_env env, napi_value callback, const struct batch_producer *ask);

/* From the producer's thread: there may be something to read. The context is the binding. */
void batch_binding_wake(void *context);

/* The handle of a producer that has begun; where that is NULL, the failure as an exception. The binding is not to be used then. */
napi_value batch_binding_open(napi_env env, struct batch_binding *binding, void *producer, const struct failure *failure);

/* The binding that is the first argument; the one behind it, if that is asked for. NULL with an exception. */
struct batch_binding *batch_binding_get(napi_env env, napi_callback_info info, napi_value *second);

/* Adds `read`, `stop`, `ended` and `close` to the exports. */
bool batch_binding_define(napi_env env, napi_value exports);

#endif
