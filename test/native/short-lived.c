/* SPDX-License-Identifier: Apache-2.0 */
/*
 * short-lived log|quiet COUNT [WIDTH]: creates processes that end at once. It first reads a line, then forks COUNT
 * children, WIDTH at a time, through an intermediate child that ends with them. With `log` each child puts itself under
 * a seccomp filter that logs getppid(), and calls it, which makes one kernel record. Prints the children's pids, one
 * per line, when all have ended.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_record(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program))
		_exit(1);
	syscall(SYS_getppid);
}

static int live(int log)
{
	pid_t child = fork();

	if (child == 0) {
		if (log)
			make_record();
		_exit(0);
	}
	return child;
}

/* Returns 0 if all children ended as expected. */
static int breed(int log, long count, long width)
{
	int failed = 0, status;
	long i, living = 0;

	for (i = 0; i < count || living > 0;) {
		if (i < count && living < width) {
			printf("%d\n", live(log));
			i++;
			living++;
		} else if (wait(&status) > 0) {
			failed |= status;
			living--;
		}
	}
	fflush(stdout);
	return failed != 0;
}

int main(int argc, char **argv)
{
	int status = 1;
	char go[16];
	pid_t parent;

	if (argc < 3 || !fgets(go, sizeof(go), stdin))
		return 2;
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	parent = fork();
	if (parent == 0)
		exit(breed(strcmp(argv[1], "log") == 0, atol(argv[2]), argc > 3 ? atol(argv[3]) : 1));
	waitpid(parent, &status, 0);
	return status != 0;
}
