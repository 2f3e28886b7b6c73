/*
 * overtake PID ATTACK [WORD...]: makes system calls in the process PID that its program does not contain, as an
 * attacker with an exploit would. Exits with 0 if the attack succeeds, otherwise with 1 and prints the call and its
 * error. Afterwards the process continues unchanged. Run this outside of the process's container.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t victim;
static int memory;
static struct user_regs_struct before;
static unsigned long instruction; /* address of a system call instruction in the vDSO */
static unsigned long room;        /* the lowest page of the stack, which the program has not used */
static char kept[1024];
static size_t used;

static void fail(const char *what)
{
	fprintf(stderr, "overtake: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void refused(const char *call, long error)
{
	printf("%s: %s\n", call, strerror(error));
}

/* Start and end of a mapping. */
static void mapping(const char *name, unsigned long *start, unsigned long *end)
{
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", victim);
	if ((maps = fopen(path, "r")) == NULL)
		fail(path);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, name) != NULL && sscanf(line, "%lx-%lx", start, end) == 2) {
			fclose(maps);
			return;
		}
	errno = ENOENT;
	fail(name);
}

static void find_places(void)
{
	unsigned char code[0x4000];
	unsigned long start, end;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", victim);
	if ((memory = open(path, O_RDWR)) < 0)
		fail(path);
	mapping("[stack]", &room, &end);
	if (pread(memory, kept, sizeof(kept), room) != sizeof(kept))
		fail("the stack");
	mapping("[vdso]", &start, &end);
	ssize_t length = pread(memory, code, end - start < sizeof(code) ? end - start : sizeof(code), start);
	for (ssize_t i = 0; i + 1 < length; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05) {
			instruction = start + i;
			return;
		}
	errno = ENOENT;
	fail("a system call in the vDSO");
}

static void stop(void)
{
	int status;

	if (ptrace(PTRACE_SEIZE, victim, 0, PTRACE_O_EXITKILL) < 0 || ptrace(PTRACE_INTERRUPT, victim, 0, 0) < 0)
		fail("ptrace");
	if (waitpid(victim, &status, __WALL) < 0 || !WIFSTOPPED(status))
		fail("waitpid");
	if (ptrace(PTRACE_GETREGS, victim, 0, &before) < 0)
		fail("PTRACE_GETREGS");
}

static void let_go(void)
{
	pwrite(memory, kept, sizeof(kept), room);
	if (ptrace(PTRACE_SETREGS, victim, 0, &before) < 0)
		fail("PTRACE_SETREGS");
	if (ptrace(PTRACE_DETACH, victim, 0, 0) < 0)
		fail("PTRACE_DETACH");
}

/* Writes bytes into the process's memory. */
static long put(const void *bytes, size_t length)
{
	unsigned long at = room + used;

	if (pwrite(memory, bytes, length, at) != (ssize_t)length)
		fail("write to the stack");
	used += (length + 15) & ~15ul;
	return at;
}

static long text(const char *words) { return put(words, strlen(words) + 1); }

/* The call's result in the process, as the kernel returns it: an error is a negative errno. */
static long call(long number, long a, long b, long c, long d, long e)
{
	struct user_regs_struct regs = before;
	int status, signal = 0;

	regs.rip = instruction;
	regs.rax = number;
	regs.orig_rax = -1;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = e;
	regs.r9 = 0;
	if (ptrace(PTRACE_SETREGS, victim, 0, &regs) < 0)
		fail("PTRACE_SETREGS");
	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, victim, 0, 0) < 0)
			fail("PTRACE_SINGLESTEP");
		if (waitpid(victim, &status, __WALL) < 0)
			fail("waitpid");
		/* An exec that fails after the point of no return ends the process. */
		if (!WIFSTOPPED(status)) {
			printf("the process was ended\n");
			exit(1);
		}
		if (WSTOPSIG(status) == SIGTRAP)
			break;
		signal = WSTOPSIG(status);
	}
	if (ptrace(PTRACE_GETREGS, victim, 0, &regs) < 0)
		fail("PTRACE_GETREGS");
	if (signal != 0)
		kill(victim, signal);
	return regs.rax;
}

/*
 * Checks the answer of one step of an attack. `error` and `other` are errors of an allowed call: the kernel finds
 * them only after it has allowed the call.
 * @returns the answer, 0 for these errors
 */
static long step(const char *name, long answer, int error, int other)
{
	if (answer >= 0 || answer == -error || answer == -other)
		return answer < 0 ? 0 : answer;
	let_go();
	refused(name, -answer);
	exit(1);
}

static int run_program(const char *path)
{
	long file = text(path), end = 0, list[2] = { file, 0 };

	step("execve", call(SYS_execve, file, put(list, sizeof(list)), put(&end, sizeof(end)), 0, 0), 0, 0);
	/* The process runs the new program at this point. */
	kill(victim, SIGKILL);
	return 0;
}

static void write_file(const char *path, int flags)
{
	long fd = step("openat", call(SYS_openat, AT_FDCWD, text(path), flags, 0755, 0), 0, 0);

	if (flags & O_CREAT)
		step("write", call(SYS_write, fd, text("\x7f" "ELF"), 4, 0, 0), 0, 0);
	call(SYS_close, fd, 0, 0, 0, 0);
}

static void connect_out(const char *address, int port)
{
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_port = htons(port) };
	unsigned char *byte = (unsigned char *)&other.sin_addr;

	sscanf(address, "%hhu.%hhu.%hhu.%hhu", byte, byte + 1, byte + 2, byte + 3);
	long fd = step("socket", call(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, 0, 0), 0, 0);
	long answer = call(SYS_connect, fd, put(&other, sizeof(other)), sizeof(other), 0, 0);
	call(SYS_close, fd, 0, 0, 0, 0);
	step("connect", answer, EINPROGRESS, ENETUNREACH);
}

static void run_memory(void)
{
	long list[2] = { text("program"), 0 };
	long fd = step("memfd_create", call(SYS_memfd_create, list[0], 0, 0, 0, 0), 0, 0);

	step("write", call(SYS_write, fd, text("\x7f" "ELF"), 4, 0, 0), 0, 0);
	long nothing = text(""), end = put(&list[1], 8);
	long answer = call(SYS_execveat, fd, nothing, put(list, sizeof(list)), end, AT_EMPTY_PATH);
	call(SYS_close, fd, 0, 0, 0, 0);
	/* The kernel reports a file without a program only after all hooks have run. */
	step("execveat", answer, ENOEXEC, 0);
}

static void trace(int other)
{
	long answer = call(SYS_ptrace, PTRACE_ATTACH, other, 0, 0, 0);

	if (answer >= 0)
		call(SYS_ptrace, PTRACE_DETACH, other, 0, 0, 0);
	step("ptrace", answer, 0, 0);
}

static void make_map(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1 };

	step("bpf", call(SYS_bpf, BPF_MAP_CREATE, put(&map, sizeof(map)), sizeof(map), 0, 0), 0, 0);
}

static void drop_program(const char *path)
{
	write_file(path, O_WRONLY | O_CREAT | O_TRUNC);
	long list[2] = { text(path), 0 };
	long end = put(&list[1], 8);
	step("execve", call(SYS_execve, list[0], put(list, sizeof(list)), end, 0, 0), ENOEXEC, 0);
}

static void mount_something(void)
{
	long type = text("tmpfs");

	step("mount", call(SYS_mount, type, text("/mnt"), type, 0, 0), 0, 0);
}

static int attack(const char *name, char **words, int count)
{
	if (strcmp(name, "run") == 0 && count == 1)
		return run_program(words[0]);
	if (strcmp(name, "write") == 0 && count == 1)
		write_file(words[0], O_WRONLY | O_APPEND);
	else if (strcmp(name, "read") == 0 && count == 1)
		write_file(words[0], O_RDONLY);
	else if (strcmp(name, "drop") == 0 && count == 1)
		drop_program(words[0]);
	else if (strcmp(name, "connect") == 0 && count == 2)
		connect_out(words[0], atoi(words[1]));
	else if (strcmp(name, "trace") == 0 && count == 1)
		trace(atoi(words[0]));
	else if (strcmp(name, "mount") == 0)
		mount_something();
	else if (strcmp(name, "module") == 0)
		/* The kernel checks the permission before it reads the file. */
		step("finit_module", call(SYS_finit_module, -1, text(""), 0, 0, 0), EBADF, 0);
	else if (strcmp(name, "memory") == 0)
		run_memory();
	else if (strcmp(name, "raw") == 0)
		step("socket", call(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP, 0, 0), 0, 0);
	else if (strcmp(name, "bpf") == 0)
		make_map();
	else if (strcmp(name, "disk") == 0 && count == 1)
		step("mknodat", call(SYS_mknodat, AT_FDCWD, text(words[0]), S_IFBLK | 0600, makedev(254, 0), 0), 0, 0);
	else {
		let_go();
		errno = EINVAL;
		fail(name);
	}
	let_go();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: overtake PID ATTACK [WORD...]\n");
		return 2;
	}
	victim = atoi(argv[1]);
	stop();
	find_places();
	puts("held");
	fflush(stdout);
	getchar();
	return attack(argv[2], argv + 3, argc - 3);
}
