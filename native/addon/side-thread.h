/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_SIDE_THREAD_H
#define VARMOR_SIDE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* Functions to start and wake the addon's threads, and to count in them. */

/* Starts a thread that blocks all signals, because the threads of Node.js handle them. Returns 0 or -errno. */
int side_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context);

/* Wakes the thread that polls this eventfd. */
void side_thread_wake(int fd);

static inline void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
