/* SPDX-License-Identifier: Apache-2.0 */
#include "side-thread.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

int side_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_setname_np(*thread, name);
	return -error;
}

void side_thread_wake(int fd)
{
	uint64_t one = 1;

	/* If the write fails because the counter is full, the thread wakes, too. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}
