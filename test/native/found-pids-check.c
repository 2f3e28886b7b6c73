/* SPDX-License-Identifier: Apache-2.0 */
/*
 * found-pids-check OBJECT: loads only the object's iterator over tasks, binds processes to containers, and prints the
 * pids that readers in nested pid namespaces get. In container 1 are processes outside of these namespaces. In each
 * further container is a child of one reader, as the first process of a pid namespace that no other reader is in.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bpf/varmor_profile.h"

#define OUTSIDE 8
#define READERS 4

static int tasks;

static void give_up(const char *step)
{
	perror(step);
	exit(1);
}

static pid_t fork_into(unsigned long namespaces)
{
	pid_t pid = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0)
		give_up("clone");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Forks a process of a container, which lasts as long as this one. */
static void fork_of(__u32 container, unsigned long namespaces)
{
	struct varmor_task task = { .container = container };
	pid_t pid = fork_into(namespaces);
	int fd;

	while (pid == 0)
		pause();
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || bpf_map_update_elem(tasks, &fd, &task, 0))
		give_up("bind a process");
	close(fd);
}

/* Returns a link of the iterator. */
static int load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program, *iterator = NULL;
	int link;

	if (!object)
		give_up("open the object");
	bpf_object__for_each_program(program, object) {
		bool found = !strcmp(bpf_program__name(program), "varmor_find_tasks");

		bpf_program__set_autoload(program, found);
		if (found)
			iterator = program;
	}
	if (bpf_object__load(object))
		give_up("load the iterator");
	tasks = bpf_object__find_map_fd_by_name(object, "varmor_tasks");
	link = bpf_link_create(bpf_program__fd(iterator), 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		give_up("link the iterator");
	return link;
}

static void print_found(int iterator, int containers)
{
	__u32 pids[READERS + 2] = { 0 };
	struct varmor_found found;
	int count = 0, i;

	for (; read(iterator, &found, sizeof(found)) == sizeof(found); count++)
		pids[found.container] |= found.pid;
	printf("%d tasks:", count);
	for (i = 1; i <= containers; i++)
		printf(" %u", pids[i]);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int link = argc == 2 ? load(argv[1]) : -1, iterators[READERS], i, status;

	/* Opened here, the iterators visit also tasks outside of the reader's namespace. */
	for (i = 0; i < READERS; i++) {
		iterators[i] = bpf_iter_create(link);
		if (iterators[i] < 0)
			give_up("open the iterator");
	}
	for (i = 0; i < OUTSIDE; i++)
		fork_of(1, 0);
	for (i = 0; i < READERS; i++) {
		if (fork_into(CLONE_NEWPID))
			return wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		fork_of((__u32)i + 2, CLONE_NEWPID);
		print_found(iterators[i], i + 2);
	}
	return 0;
}
