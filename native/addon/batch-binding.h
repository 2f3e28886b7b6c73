/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_BATCH_BINDING_H
#define VARMOR_BATCH_BINDING_H

#include <node_api.h>
#include <stdbool.h>

#include "batch-ring.h"
#include "napi-help.h"

/*
 * Hands a thread's batches to JavaScript. The thread signals by a thread-safe function that a batch is ready, and
 * JavaScript calls `read` to take the oldest batch. While a signal is pending, further signals are dropped.
 */

/* The functions of a producer. `close` ends its thread and joins it; a second call does nothing. */
struct batch_producer {
	struct batch *(*oldest)(void *producer);
	void (*release)(void *producer);
	void (*stop)(void *producer);
	bool (*ended)(void *producer);
	void (*close)(void *producer);
	void (*free)(void *producer);
};

/* Released by the last of its two users: the handle in JavaScript, and the thread-safe function. */
struct batch_binding {
	napi_env env;
	const struct batch_producer *ask;
	void *producer;
	napi_threadsafe_function wake;
	_Atomic bool wake_pending;
	bool closed;
	int owners;
};

/* Returns NULL with an exception pending. The callback runs on the JavaScript thread. */
struct batch_binding *batch_binding_new(napi_env env, napi_value callback, const struct batch_producer *ask);

/* Called on the producer's thread: a batch may be ready. The context is the binding. */
void batch_binding_wake(void *context);

/* Returns the handle of a started producer. If `producer` is NULL, throws the failure, and the binding is unusable. */
napi_value batch_binding_open(napi_env env, struct batch_binding *binding, void *producer,
			      const struct failure *failure);

/* Gets the binding from the first argument, and the second argument if `second` is not NULL. NULL with an exception. */
struct batch_binding *batch_binding_get(napi_env env, napi_callback_info info, napi_value *second);

/* Adds `read`, `stop`, `ended` and `close` to the exports. */
bool batch_binding_define(napi_env env, napi_value exports);

#endif
