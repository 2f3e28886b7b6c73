/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make-records log|errno COUNT [RATE]: makes audit records of the kernel. It puts itself under a seccomp filter that
 * logs getppid(), or refuses it with EPERM and logs that. It calls getppid() COUNT times, RATE times a second or as
 * fast as possible, and prints the number of calls that were answered as the filter says.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int install(unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits in a loop, because a sleep is longer than the time between two records. */
static void wait_until(double due)
{
	while (seconds() < due)
		;
}

int main(int argc, char **argv)
{
	long i, answered = 0, count = argc >= 3 ? atol(argv[2]) : -1;
	int refuse = argc >= 3 && strcmp(argv[1], "errno") == 0;
	double start, rate = argc >= 4 ? atof(argv[3]) : 0;

	if (count < 0) {
		fprintf(stderr, "usage: make-records log|errno COUNT [RATE]\n");
		return 2;
	}
	if (install(refuse ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_LOG)) {
		perror("seccomp");
		return 1;
	}
	start = seconds();
	for (i = 0; i < count; i++) {
		long parent = syscall(SYS_getppid);

		answered += refuse ? parent == -1 && errno == EPERM : parent >= 0;
		if (rate > 0)
			wait_until(start + (double)(i + 1) / rate);
	}
	printf("%ld\n", answered);
	return 0;
}
