/*
 * hostile WORK ...: acts as a process that wants its violations to look like another container's. Each file that the
 * process really touches is /mark/OWNER.NUMBER, where OWNER is the process's container, so a reader of the log can
 * verify each line. Each work prints the number of its violations, or of the texts that the kernel accepted. Works:
 *
 *   touch OWNER COUNT                    creates files that a profile refuses
 *   fork OWNER CHILDREN EACH             like touch, in children that run one after another and end at once
 *   call OWNER COUNT                     makes calls that its own seccomp filter logs, under the name OWNER
 *   names OWNER FILE                     creates files named by the texts of FILE (separated by zero bytes), and takes
 *                                        each text as its own name
 *   send FILE FIRST LAST                 sends the texts of FILE as audit records of the types FIRST to LAST
 *   send-from-children FILE TYPE TIMES   like send with one type, each from a child that ends at once
 *   kmsg FILE                            writes the texts of FILE to /dev/kmsg, with the kernel's and other priorities
 *   in-group PATH WORK ...               creates the cgroup PATH, below /cg, and does WORK there
 *   in-profile LABEL WORK ...            does WORK as another program under LABEL
 *   containers OWNER COUNT PROFILE EACH  runs short-lived containers; each id and owner is OWNER and a number
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_TEXTS 256
#define LONGEST 65536

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long refused(const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (file >= 0) {
		close(file);
		unlink(path);
		return 0;
	}
	return errno == EACCES;
}

static unsigned long touch(const char *owner, unsigned long first, unsigned long count)
{
	unsigned long number, sum = 0;
	char path[4096];

	for (number = first; number < first + count; number++) {
		snprintf(path, sizeof(path), "/mark/%s.%lu", owner, number);
		sum += refused(path);
	}
	return sum;
}

/* A count that children share. */
static unsigned long *shared_count(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		die("mmap");
	return page;
}

static void await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		exit(1);
}

/* Retries fork() while all pids are in use, because a pid becomes free soon. */
static pid_t fork_patiently(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid >= 0)
			return pid;
		if (errno != EAGAIN && errno != ENOMEM)
			die("fork");
		usleep(1000);
	}
}

static unsigned long forks(const char *owner, unsigned long children, unsigned long each)
{
	unsigned long *sum = shared_count(), child;

	for (child = 0; child < children; child++) {
		pid_t pid = fork_patiently();

		if (!pid) {
			*sum += touch(owner, child * each, each);
			_exit(0);
		}
		await(pid);
	}
	return *sum;
}

static unsigned long calls(const char *owner, unsigned long count)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	unsigned long number;

	if (prctl(PR_SET_NAME, owner) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("prctl");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("seccomp");
	for (number = 0; number < count; number++)
		syscall(SYS_getpriority, 0, 0);
	return count;
}

static size_t read_texts(const char *path, char *texts[])
{
	static char bytes[MOST_TEXTS * 1024];
	int file = open(path, O_RDONLY);
	size_t count = 0;
	ssize_t size, at = 0;

	size = file < 0 ? -1 : read(file, bytes, sizeof(bytes) - 1);
	if (size < 0)
		die(path);
	close(file);
	for (; at < size && count < MOST_TEXTS; at += strlen(bytes + at) + 1)
		texts[count++] = bytes + at;
	return count;
}

static unsigned long names(const char *owner, const char *file)
{
	char *texts[MOST_TEXTS], path[LONGEST];
	size_t count = read_texts(file, texts), i;
	unsigned long sum = 0;

	for (i = 0; i < count; i++) {
		prctl(PR_SET_NAME, texts[i]);
		snprintf(path, sizeof(path), "/mark/%s.%s", owner, texts[i]);
		sum += refused(path);
	}
	return sum;
}

static int audit_socket(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		die("audit socket");
	return fd;
}

/* Tells whether the kernel accepted the record; the kernel answers within the call. */
static unsigned long send_one(int fd, unsigned int type, const char *text)
{
	static char message[NLMSG_HDRLEN + LONGEST];
	static char answer[LONGEST];
	struct nlmsghdr *head = (struct nlmsghdr *)message;
	size_t length = strlen(text) + 1;
	ssize_t size;

	*head = (struct nlmsghdr){ NLMSG_LENGTH(length), type, NLM_F_REQUEST | NLM_F_ACK, 0, 0 };
	memcpy(NLMSG_DATA(head), text, length);
	if (send(fd, message, head->nlmsg_len, 0) < 0)
		return 0;
	size = recv(fd, answer, sizeof(answer), 0);
	head = (struct nlmsghdr *)answer;
	return size >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && head->nlmsg_type == NLMSG_ERROR &&
	       !((struct nlmsgerr *)NLMSG_DATA(head))->error;
}

static unsigned long send_texts(const char *file, unsigned int first, unsigned int last)
{
	char *texts[MOST_TEXTS];
	size_t count = read_texts(file, texts), i;
	unsigned long taken = 0;
	unsigned int type;
	int fd = audit_socket();

	for (type = first; type <= last; type++)
		for (i = 0; i < count; i++)
			taken += send_one(fd, type, texts[i]);
	return taken;
}

static unsigned long send_from_children(const char *file, unsigned int type, unsigned long times)
{
	char *texts[MOST_TEXTS];
	size_t count = read_texts(file, texts);
	unsigned long *taken = shared_count(), time;
	int fd = audit_socket();

	for (time = 0; time < times; time++) {
		pid_t pid = fork_patiently();

		if (!pid) {
			*taken += send_one(fd, type, texts[time % count]);
			_exit(0);
		}
		await(pid);
	}
	return *taken;
}

static unsigned long to_kmsg(const char *path)
{
	const char *const priorities[] = { "<5>", "<0>", "<13>", "<4294967301>", "" };
	char *texts[MOST_TEXTS];
	size_t count = read_texts(path, texts), i, j;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	unsigned long taken = 0;

	if (fd < 0)
		die("/dev/kmsg");
	for (i = 0; i < count; i++)
		for (j = 0; j < sizeof(priorities) / sizeof(*priorities); j++)
			taken += dprintf(fd, "%s%s", priorities[j], texts[i]) > 0;
	return taken;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length)
		die(path);
	close(fd);
}

static void make_groups(char *path)
{
	char *slash = path;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		die(path);
}

static void enter_group(char *path)
{
	char processes[4096];

	make_groups(path);
	snprintf(processes, sizeof(processes), "%s/cgroup.procs", path);
	write_to(processes, "0");
}

static void enter_profile(const char *label, char *const command[])
{
	char text[4096];

	snprintf(text, sizeof(text), "exec %s", label);
	write_to("/proc/self/attr/exec", text);
	execv("/proc/self/exe", command);
	die("exec");
}

/*
 * Creates a container as a runtime does: first the cgroup, then the namespaces, then the profile together with the
 * program.
 */
static void contain(const char *id, char *group, const char *profile, const char *each)
{
	char *const command[] = { "hostile", "touch", (char *)id, (char *)each, NULL };
	pid_t pid;

	enter_group(group);
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP))
		die("unshare");
	pid = fork_patiently();
	if (!pid)
		enter_profile(profile, command);
	await(pid);
	_exit(0);
}

static unsigned long containers(const char *owner, unsigned long count, const char *profile, const char *each)
{
	unsigned long number;

	for (number = 0; number < count; number++) {
		char id[65], group[256];
		pid_t pid;

		snprintf(id, sizeof(id), "%.56s%08x", owner, (unsigned int)number);
		snprintf(group, sizeof(group), "/sys/fs/cgroup/kubepods/besteffort/pod%s/cri-containerd-%s.scope", owner, id);
		pid = fork_patiently();
		if (!pid)
			contain(id, group, profile, each);
		await(pid);
		rmdir(group);
	}
	return count * strtoul(each, NULL, 10);
}

static int usage(void)
{
	fprintf(stderr, "see hostile.c\n");
	return 2;
}

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 10);
}

static int print(unsigned long count)
{
	printf("%lu\n", count);
	return 0;
}

static int work(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "touch") && argc >= 4)
		return print(touch(argv[2], 0, number(argv[3])));
	if (!strcmp(what, "fork") && argc == 5)
		return print(forks(argv[2], number(argv[3]), number(argv[4])));
	if (!strcmp(what, "call") && argc == 4)
		return print(calls(argv[2], number(argv[3])));
	if (!strcmp(what, "names") && argc == 4)
		return print(names(argv[2], argv[3]));
	if (!strcmp(what, "send") && argc == 5)
		return print(send_texts(argv[2], number(argv[3]), number(argv[4])));
	if (!strcmp(what, "send-from-children") && argc == 5)
		return print(send_from_children(argv[2], number(argv[3]), number(argv[4])));
	if (!strcmp(what, "kmsg"))
		return print(to_kmsg(argv[2]));
	if (!strcmp(what, "containers") && argc == 6)
		return print(containers(argv[2], number(argv[3]), argv[4], argv[5]));
	if (!strcmp(what, "in-group") && argc > 4) {
		enter_group(argv[2]);
		return work(argc - 2, argv + 2);
	}
	if (!strcmp(what, "in-profile") && argc > 4)
		enter_profile(argv[2], argv + 2);
	return usage();
}

int main(int argc, char **argv)
{
	return work(argc, argv);
}
