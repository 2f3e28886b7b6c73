/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_SIDE_THREAD_H
#define VARMOR_SIDE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* Shared by the addon's threads: how they start, wake up and count. */

/* Starts a thread that takes no signals, which are for the process' own threads. Returns 0 or -errno. */
int side_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context);

/* Wakes the thread that polls this eventfd. */
void side_thread_wake(int fd);

static inline void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
