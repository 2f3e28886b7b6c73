/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attached OBJECT PROFILE COMMAND... [, PROFILE COMMAND...]: attaches the programs that the measured operations call,
 * and runs each command as a process of a container with its profile. The profile "none" runs the command outside of
 * containers.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "put-profile.h"

/*
 * Only these hooks are loaded. The verification of other programs takes minutes in a guest that counts instructions,
 * and the measured operations do not call their hooks.
 */
static const char *const hooks[] = {
	"lsm/file_open", "lsm/mmap_file", "lsm/file_mprotect", "lsm/capable",
	"lsm/task_alloc", "lsm/bprm_creds_for_exec", "lsm/socket_create", "lsm/socket_connect",
};

static bool is_called(const struct bpf_program *program)
{
	size_t i;

	for (i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (strcmp(bpf_program__section_name(program), hooks[i]) == 0)
			return true;
	return false;
}

static struct bpf_object *attach(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		fail(path);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, is_called(program));
	if (bpf_object__load(object))
		fail(path);
	bpf_object__for_each_program(program, object)
		if (is_called(program) && !bpf_program__attach(program))
			fail(bpf_program__name(program));
	return object;
}

static void bind(struct bpf_object *object, pid_t child)
{
	struct varmor_container container = { .profile = VARMOR_PROFILES - 1 };
	struct varmor_task task = { .container = number };
	int fd = (int)syscall(SYS_pidfd_open, child, 0);
	struct stat ns;

	if (fd < 0 || stat("/proc/self/ns/mnt", &ns))
		fail("bind");
	container.mnt_ns = (__u32)ns.st_ino;
	if (bpf_map_update_elem(map_of(object, "varmor_containers"), &number, &container, 0) ||
	    bpf_map_update_elem(map_of(object, "varmor_tasks"), &fd, &task, 0))
		fail("bind");
	close(fd);
}

static void run_one(struct bpf_object *object, const char *profile, char **command)
{
	int go[2], status;
	pid_t child;
	char byte;

	if (pipe(go))
		fail("pipe");
	child = fork();
	if (child == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0)
		fail("fork");
	if (strcmp(profile, "none") != 0) {
		put_profile(object, profile);
		bind(object, child);
	}
	if (write(go[1], "x", 1) != 1 || waitpid(child, &status, 0) < 0)
		fail("wait");
	close(go[0]);
	close(go[1]);
	if (status != 0) {
		fprintf(stderr, "%s: status %d\n", command[0], status);
		exit(1);
	}
}

/* Cuts a list of words at its first comma. Returns the words after the comma; NULL at the end. */
static char **cut(char **words)
{
	for (; *words; words++)
		if (strcmp(*words, ",") == 0) {
			*words = NULL;
			return words + 1;
		}
	return NULL;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	char **words, **next;

	if (argc < 4)
		return 2;
	object = attach(argv[1]);
	for (words = argv + 2; words; words = next) {
		next = cut(words);
		run_one(object, words[0], words + 1);
	}
	return 0;
}
