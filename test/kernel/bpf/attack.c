/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack files|mounts|network|others|forks|flood: makes the attempts that programs.test.ts lists, and prints for
 * each whether it passed or was refused. prepare.sh creates the files first. If VARMOR_TEST_TAKEN is set, the
 * program stops itself before the first attempt (see under-profile.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILE_OF_RULE "/deny/a/b/c"
#define DEPTH 40

static void tell(const char *what, int passed)
{
	if (!passed && errno != EPERM && errno != EACCES)
		printf("errno-%d %s\n", errno, what);
	else
		printf("%s %s\n", passed ? "passed" : "refused", what);
}

#define TRY(what, call)                 \
	do {                            \
		errno = 0;              \
		tell(what, (call) >= 0); \
	} while (0)

/* Tells whether a program started. A child process starts it. */
#define START(what, ...)                                                    \
	do {                                                                \
		pid_t pid = fork();                                         \
		int status;                                                 \
		if (pid == 0) {                                             \
			int null = open("/dev/null", O_WRONLY);             \
			dup2(null, 1);                                      \
			dup2(null, 2);                                      \
			__VA_ARGS__;                                        \
			_exit(errno == EPERM || errno == EACCES ? 99 : 98); \
		}                                                           \
		waitpid(pid, &status, 0);                                   \
		errno = WEXITSTATUS(status) == 99 ? EPERM : EIO;            \
		tell(what, WEXITSTATUS(status) < 98);                       \
	} while (0)

/* Runs the arguments in a child process. */
#define IN_CHILD(...)                           \
	do {                                    \
		pid_t pid;                      \
		fflush(stdout);                 \
		pid = fork();                   \
		if (pid == 0) {                 \
			__VA_ARGS__;            \
			fflush(stdout);         \
			_exit(0);               \
		}                               \
		waitpid(pid, NULL, 0);          \
	} while (0)

static int through_descriptor(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static void open_it(void)
{
	TRY("read a file of no rule", open("/free/ok", O_RDONLY));
	TRY("write a file whose name begins like a rule's", open("/denied", O_RDWR | O_CREAT, 0600));
	TRY("read", open(FILE_OF_RULE, O_RDONLY));
	TRY("append", open(FILE_OF_RULE, O_WRONLY | O_APPEND));
	TRY("read by a relative path", chdir("/deny/a") ? -1 : open("b/c", O_RDONLY));
	TRY("read by a path with dots", open("/free/../deny/./a//b/c", O_RDONLY));
	TRY("read by /proc/self/root", open("/proc/self/root" FILE_OF_RULE, O_RDONLY));
	unlink("/free/link");
	TRY("read by a symbolic link", symlink("/deny/a", "/free/link") ? -1 : open("/free/link/b/c", O_RDONLY));
	TRY("read from a descriptor of a directory", openat(open("/deny", O_PATH | O_DIRECTORY), "a/b/c", O_RDONLY));
	TRY("open a descriptor of a path again", through_descriptor(open(FILE_OF_RULE, O_PATH), O_RDONLY));
	TRY("read after chroot", openat(open("/", O_PATH), "deny/a/b/c", O_RDONLY));
	TRY("read a rule's file of one name", open("/secret/s", O_RDONLY));
	TRY("read one whose name begins with it", open("/secret/s2", O_RDONLY));
	TRY("write it, which no rule is about", open("/secret/s", O_WRONLY));
	TRY("list the directory that it is in", open("/secret", O_RDONLY | O_DIRECTORY));
	if (chdir("/"))
		perror("chdir");
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof(address));
}

static void change_it(void)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	TRY("rename away", rename(FILE_OF_RULE, "/free/c"));
	TRY("rename its directory", rename("/deny/a", "/free/a"));
	TRY("rename the directory of the rule", rename("/deny", "/free/deny"));
	TRY("exchange", syscall(SYS_renameat2, AT_FDCWD, FILE_OF_RULE, AT_FDCWD, "/free/ok", 2));
	TRY("exchange from the other side", syscall(SYS_renameat2, AT_FDCWD, "/free/ok", AT_FDCWD, FILE_OF_RULE, 2));
	TRY("link to another name", link(FILE_OF_RULE, "/free/c2"));
	TRY("truncate", truncate(FILE_OF_RULE, 0));
	TRY("unlink", unlink(FILE_OF_RULE));
	TRY("remove a directory", rmdir("/deny/empty"));
	TRY("make a directory", mkdir("/deny/new", 0700));
	TRY("make a file", open("/deny/new", O_CREAT | O_WRONLY, 0600));
	TRY("make a pipe", mknod("/deny/newpipe", S_IFIFO | 0600, 0));
	TRY("open a pipe", open("/deny/pipe", O_RDONLY | O_NONBLOCK));
	TRY("unlink a pipe", unlink("/deny/pipe"));
	TRY("connect to a socket", connect_to("/deny/socket"));
	TRY("connect to another socket", connect_to("/free/socket"));
	TRY("make a symbolic link", symlink("x", "/deny/s"));
	TRY("link into it", link("/free/ok", "/deny/l"));
	TRY("rename into it", rename("/free/ok", "/deny/l"));
	TRY("change its mode", chmod(FILE_OF_RULE, 0777));
	TRY("change its owner", chown(FILE_OF_RULE, 1, 1));
	TRY("change its attributes", setxattr(FILE_OF_RULE, "trusted.x", "1", 1, 0));
	TRY("change its times", utimensat(AT_FDCWD, FILE_OF_RULE, times, 0));
	TRY("change another's times", utimensat(AT_FDCWD, "/free/ok", times, 0));
}

/* Binds the object of an open descriptor, which may be a symbolic link. */
static int through_mount(int fd, const char *target)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return mount(path, target, NULL, MS_BIND, NULL);
}

static int arrive(const char *what, int how)
{
	unlink("/gone/way");
	if (how != RENAME_NOREPLACE && mknod("/gone/way", S_IFREG | 0600, 0) && errno != EEXIST)
		return -1;
	return (int)syscall(SYS_renameat2, AT_FDCWD, what, AT_FDCWD, "/gone/way", how);
}

/* The rule names /gone/way/key, but /gone/way does not exist. */
static void lead_elsewhere(void)
{
	int link_itself;

	TRY("make a symbolic link to go elsewhere", symlink("/free", "/gone/link"));
	TRY("make a symbolic link where a way is gone", symlink("/free", "/gone/way"));
	TRY("link one there", linkat(AT_FDCWD, "/gone/link", AT_FDCWD, "/gone/way", 0));
	TRY("rename one to there", arrive("/gone/link", RENAME_NOREPLACE));
	TRY("make a file where a way is gone", mknod("/gone/way", S_IFREG | 0600, 0));
	TRY("rename a symbolic link over that", arrive("/gone/link", 0));
	TRY("exchange that for a symbolic link", arrive("/gone/link", RENAME_EXCHANGE));
	TRY("exchange that for a directory", arrive("/gone/folder", RENAME_EXCHANGE));
	TRY("exchange a directory for that", syscall(SYS_renameat2, AT_FDCWD, "/gone/way", AT_FDCWD, "/gone/folder", RENAME_EXCHANGE));
	link_itself = open("/gone/link", O_PATH | O_NOFOLLOW);
	TRY("bind a symbolic link over that", through_mount(link_itself, "/gone/way"));
	TRY("rename a file over it", arrive("/gone/file", 0));
	TRY("remove that", unlink("/gone/way"));
	TRY("make an empty directory there", mkdir("/gone/way", 0700));
}

static int command(unsigned long number)
{
	unsigned char room[4096] = { 0 };
	int fd = open("/free", O_RDONLY | O_DIRECTORY);
	int answer = fd < 0 ? -1 : ioctl(fd, number, room);

	return answer < 0 && errno != EPERM ? 0 : answer;
}

/* Other file systems do not know these commands, so a command that passes changes nothing. */
static void command_it(void)
{
	TRY("make a snapshot (Btrfs)", command(0x50009417));
	TRY("remove a subvolume (Btrfs)", command(0x5000940f));
	TRY("search the trees of a file system (Btrfs)", command(0xd0009411));
	TRY("start to write a file system (Btrfs)", command(0x80089418));
	TRY("exchange extents of two files (XFS)", command(0x40285881));
	TRY("move extents of a file (ext4)", command(0xc028660f));
	TRY("make a subvolume (bcachefs)", command(0x4030bc10));
}

/* Creates a file system that is not attached to any mount. */
static int make_mount(const char *type)
{
	int context = (int)syscall(SYS_fsopen, type, 0);

	if (syscall(SYS_fsconfig, context, 6 /* create */, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, context, 0, 0);
}

static void carry_it(void)
{
	int tree, i, at = open("/deny/long", O_PATH), ends[2] = { -1, -1 };
	char deep[4096] = "/deny/deep", name[129];

	TRY("mount over it", mount("none", "/deny", "tmpfs", 0, NULL));
	TRY("mount over what is on the way to it", mount("none", "/deny/volume/below", "tmpfs", 0, NULL));
	TRY("unmount what it is in", umount("/deny/volume"));
	TRY("move a mount", mount("/free/own", "/free/m", NULL, MS_MOVE, NULL));
	TRY("make another directory the root", syscall(SYS_pivot_root, "/free/m", "/free/m"));
	TRY("mount elsewhere", mount("none", "/free/m", "tmpfs", 0, NULL));
	TRY("unmount that", umount("/free/m"));
	TRY("bind its directory elsewhere", mount("/deny", "/free/m", NULL, MS_BIND, NULL));
	TRY("read where it is bound", open("/free/m/a/b/c", O_RDONLY));
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/deny", 1);
	TRY("read from a detached copy of the mount", openat(tree, "a/b/c", O_RDONLY));
	TRY("make a file where no path leads", openat(make_mount("tmpfs"), "f", O_CREAT | O_WRONLY, 0600));
	IN_CHILD(unshare(CLONE_NEWNS); TRY("read in another mount namespace", open(FILE_OF_RULE, O_RDONLY)));
	IN_CHILD(unshare(CLONE_NEWUSER | CLONE_NEWNS); TRY("read in another user namespace", open(FILE_OF_RULE, O_RDONLY)));
	IN_CHILD(unshare(CLONE_NEWNS); mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		 mount("/deny", "/free/p", NULL, MS_BIND, NULL); syscall(SYS_pivot_root, "/free/p", "/free/p/empty");
		 TRY("read where it was bound, as a root", open("/a/b/c", O_RDONLY) < 0 && errno == ENOENT ? open("/free/p/a/b/c", O_RDONLY) : errno ? -1 : 0));
	for (i = 0; i < DEPTH; i++)
		strcat(deep, "/d");
	strcat(deep, "/f");
	TRY("read 40 directories below", open(deep, O_RDONLY));
	memset(name, 'n', 128);
	name[128] = 0;
	for (i = 0; i < DEPTH && at >= 0; i++)
		at = openat(at, name, O_PATH);
	TRY("read at the end of a path of over 4,096 bytes", openat(at, "f", O_RDONLY));
	TRY("open a memory file", through_descriptor((int)syscall(SYS_memfd_create, "m", 0), O_RDWR));
	TRY("open a pipe again", pipe(ends) ? -1 : through_descriptor(ends[1], O_WRONLY));
}

static int map(int fd, int protection, void **mapped)
{
	*mapped = mmap(NULL, 4096, protection, MAP_PRIVATE, fd, 0);
	return *mapped == MAP_FAILED ? -1 : 0;
}

static void run_it(void)
{
	char *const arguments[] = { "x", NULL };
	void *mapped;
	int fd;

	START("run a program of no rule", execl("/bin/true", "true", NULL));
	START("run", execl("/usr/bin/noexec", "noexec", NULL));
	START("run by a relative path", if (chdir("/usr/bin") == 0) execl("./noexec", "noexec", NULL));
	START("run by a descriptor", fexecve(open("/usr/bin/noexec", O_RDONLY), arguments, arguments));
	START("run by a line that begins with #!", execl("/tmp/script", "script", NULL));
	fd = open("/usr/bin/noexec", O_RDONLY);
	TRY("map executable", map(fd, PROT_READ | PROT_EXEC, &mapped));
	TRY("map readable", map(fd, PROT_READ, &mapped));
	TRY("make executable what is mapped", mprotect(mapped, 4096, PROT_READ | PROT_EXEC));
}

static int bpf_call(int command)
{
	static const struct bpf_insn program[] = { { .code = 0xb7 }, { .code = 0x95 } };
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	if (command == BPF_MAP_CREATE) {
		attributes.map_type = BPF_MAP_TYPE_ARRAY;
		attributes.key_size = attributes.value_size = 4;
		attributes.max_entries = 1;
	} else if (command == BPF_PROG_LOAD) {
		attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
		attributes.insns = (__u64)program;
		attributes.insn_cnt = 2;
		attributes.license = (__u64) "GPL";
	}
	return (int)syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

static int mount_newly(const char *type, const char *where)
{
	int made = make_mount(type);

	return made < 0 ? -1 : (int)syscall(SYS_move_mount, made, "", AT_FDCWD, where, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
}

static void mounts(void)
{
	TRY("mount a type", mount("none", "/free/m", "proc", 0, NULL));
	TRY("mount a type by the newer calls", mount_newly("proc", "/free/m"));
	TRY("mount another type", mount("none", "/free/m", "tmpfs", 0, NULL));
	TRY("mount it by the newer calls", mount_newly("tmpfs", "/free/p"));
	TRY("make it private", mount("none", "/free/m", NULL, MS_PRIVATE, NULL));
	TRY("make it read-only", mount("none", "/free/m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	TRY("make another one read-only", mount("none", "/free/p", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	TRY("unmount another one", umount("/free/m"));
	TRY("unmount", umount("/free/own"));
}

static socklen_t address_of(int family, const char *text, unsigned short port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (void *)address;
	struct sockaddr_in6 *v6 = (void *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	v4->sin_port = htons(port);
	inet_pton(family, text, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr);
	return family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

/* Tells whether a packet reached the network. `flags` are the flags of sendto(2); -1 connects instead. */
static int reach(int family, int type, int flags, const char *text, unsigned short port, int given_family)
{
	int fd = socket(family, type | SOCK_NONBLOCK, 0), answer;
	struct sockaddr_storage address;
	socklen_t length = address_of(family, text, port, &address);

	address.ss_family = (sa_family_t)given_family;
	answer = flags < 0 ? connect(fd, (void *)&address, length) : (int)sendto(fd, "x", 1, flags, (void *)&address, length);
	if (answer < 0 && errno != EPERM && errno != EACCES && errno != EAFNOSUPPORT)
		answer = 0;
	close(fd);
	return answer;
}

/* Connects with the shorter IPv6 address structure of RFC 2133. */
static int reach_short(const char *text, unsigned short port)
{
	struct sockaddr_storage address;
	int answer;

	address_of(AF_INET6, text, port, &address);
	answer = connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&address, 24);
	return answer < 0 && errno == ECONNREFUSED ? 0 : answer;
}

/* A routing header for IPv6 with one intermediate address. */
struct route {
	unsigned char next, length, type, left;
	unsigned int reserved;
	struct in6_addr by;
};

static const struct route route = { .length = 2, .type = 2, .left = 1 };

/* Sends data with a control message to another port. */
static int send_with(int family, int level, int type, const void *data, unsigned int length)
{
	int fd = socket(family, SOCK_DGRAM, 0), answer;
	struct sockaddr_storage address;
	char room[256] __attribute__((aligned(8))) = { 0 };
	struct iovec part = { "x", 1 };
	struct msghdr message = {
		.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = CMSG_SPACE(length),
	};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	message.msg_namelen = address_of(family, family == AF_INET ? "127.0.0.1" : "::1", 8081, &address);
	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(control), data, length);
	answer = (int)sendmsg(fd, &message, 0);
	close(fd);
	return answer < 0 && errno != EPERM ? 0 : answer;
}

/* Sets a socket option. Only EPERM counts as refused; the kernel may reject the option for other reasons. */
static int ask_for(int family, int type, int level, int option, const void *data, unsigned int length)
{
	int fd = socket(family, type, type == SOCK_RAW ? 253 : 0), answer = setsockopt(fd, level, option, data, length);

	if (answer < 0 && errno != EPERM)
		answer = 0;
	close(fd);
	return answer;
}

static void hide_where_it_goes(void)
{
	const int one = 1;
	const unsigned char loose[8] = { 131, 7, 4, 10, 1, 2, 3, 0 };
	unsigned char label[32] = { 0 };

	TRY("make a socket that sends frames", socket(AF_XDP, SOCK_RAW, 0));
	TRY("ask for headers of its own", ask_for(AF_INET, SOCK_RAW, IPPROTO_IP, 3, &one, sizeof(one)));
	TRY("ask for headers of its own in IPv6", ask_for(AF_INET6, SOCK_RAW, IPPROTO_IPV6, 36, &one, sizeof(one)));
	TRY("ask for a route", ask_for(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 57, &route, sizeof(route)));
	TRY("ask for a route in the older way", ask_for(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 6, &route, sizeof(route)));
	TRY("ask for a label, which may bring a route", ask_for(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 32, label, sizeof(label)));
	TRY("ask for a route in IPv4", ask_for(AF_INET, SOCK_DGRAM, IPPROTO_IP, 4, loose, sizeof(loose)));
	TRY("send by a route", send_with(AF_INET6, IPPROTO_IPV6, 57, &route, sizeof(route)));
	TRY("send by a route in the older way", send_with(AF_INET6, IPPROTO_IPV6, 5, &route, sizeof(route)));
	TRY("send by a route in IPv4", send_with(AF_INET, IPPROTO_IP, 7, loose, sizeof(loose)));
	TRY("ask for another option", ask_for(AF_INET, SOCK_DGRAM, IPPROTO_IP, 2 /* IP_TTL */, &one, sizeof(one)));
	TRY("send with another option", send_with(AF_INET, IPPROTO_IP, 2, &one, sizeof(one)));
}

static void network(void)
{
	const int v4 = AF_INET, v6 = AF_INET6, tcp = SOCK_STREAM, udp = SOCK_DGRAM;

	TRY("connect to an address", reach(v4, tcp, -1, "127.0.0.1", 8080, v4));
	TRY("connect to another port", reach(v4, tcp, -1, "127.0.0.1", 8081, v4));
	TRY("connect to the unspecified address", reach(v4, tcp, -1, "0.0.0.0", 8080, v4));
	TRY("connect to the address in IPv6", reach(v6, tcp, -1, "::ffff:127.0.0.1", 8080, v6));
	TRY("send to the address", reach(v4, udp, 0, "127.0.0.1", 8080, v4));
	TRY("send to the address without a family", reach(v4, udp, 0, "127.0.0.1", 8080, AF_UNSPEC));
	TRY("send to the address in IPv6", reach(v6, udp, 0, "::ffff:127.0.0.1", 8080, v6));
	TRY("send to another port", reach(v4, udp, 0, "127.0.0.1", 8081, v4));
	TRY("send with the first packet of a connection", reach(v4, tcp, MSG_FASTOPEN, "127.0.0.1", 8080, v4));
	TRY("connect into a block", reach(v4, tcp, -1, "10.1.2.3", 80, v4));
	TRY("connect into a block behind a gateway of IPv6", reach(v6, tcp, -1, "64:ff9b::10.1.2.3", 80, v6));
	TRY("connect beside a block", reach(v4, tcp, -1, "10.2.0.1", 80, v4));
	TRY("connect to the own pod", reach(v4, tcp, -1, "10.3.0.5", 7, v4));
	TRY("connect to the own pod in IPv6", reach(v6, tcp, -1, "fd00::3:5", 7, v6));
	TRY("connect to the own pod by an IPv4 address in IPv6", reach(v6, udp, -1, "::ffff:10.3.0.5", 7, v6));
	TRY("connect to another port of the own pod", reach(v4, tcp, -1, "10.3.0.5", 8, v4));
	TRY("connect to another pod", reach(v4, tcp, -1, "10.3.0.6", 7, v4));
	TRY("connect to a port of a range", reach(v6, tcp, -1, "::1", 9005, v6));
	TRY("connect to it by an address without its last field", reach_short("::1", 9005));
	TRY("connect to the port after a range", reach(v6, tcp, -1, "::1", 9011, v6));
	TRY("make a socket of a protocol", socket(v4, udp, IPPROTO_ICMP));
	TRY("make a raw socket of it", socket(v4, SOCK_RAW, IPPROTO_ICMP));
	TRY("make a socket of a family", socket(AF_NETLINK, SOCK_RAW, 0));
	TRY("make a socket of another protocol", socket(v4, udp, IPPROTO_UDP));
	TRY("make a socket of another family", socket(AF_UNIX, tcp, 0));
	hide_where_it_goes();
}

static int make_process(unsigned long flags)
{
	pid_t child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0);
}

/* Calls unshare(2) as a 32-bit program does. A kernel without 32-bit calls kills the process. */
static int unshare_32(int flags)
{
	pid_t child = fork();
	int answer, status;

	if (child == 0) {
		asm volatile("int $0x80" : "=a"(answer) : "a"(310), "b"(flags) : "memory", "r8", "r9", "r10", "r11");
		_exit(-answer);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
	return errno ? -1 : 0;
}

/* One process exists already. The kernel frees a task some time after its end. */
static void forks(void)
{
	int tries = 0;
	pid_t child;

	TRY("make a process", child = fork());
	if (child == 0)
		pause();
	TRY("make another process", make_process(0));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (make_process(0) < 0 && errno == ENOMEM && tries++ < 6000)
		usleep(10000);
	TRY("make one in place of another", tries < 6000 ? 0 : -1);
}

static void others(void)
{
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	TRY("change an owner, which takes another capability", chown("/free/ok", 1, 1));
	TRY("make a raw socket", socket(AF_INET, SOCK_RAW, 1));
	IN_CHILD(TRY("make a user namespace", unshare(CLONE_NEWUSER)));
	TRY("make a user namespace by another call", unshare_32(CLONE_NEWUSER));
	TRY("make a process in a new user namespace", make_process(CLONE_NEWUSER));
	TRY("make a map", bpf_call(BPF_MAP_CREATE));
	TRY("load a program", bpf_call(BPF_PROG_LOAD));
	TRY("look for a program", bpf_call(BPF_PROG_GET_NEXT_ID));
	TRY("trace a process of the container", ptrace(PTRACE_SEIZE, child, 0, 0));
	TRY("trace another one", ptrace(PTRACE_SEIZE, 1, 0, 0));
	TRY("read the memory of another one", open("/proc/1/mem", O_RDONLY));
	TRY("read a disk, whatever its name", open("/free/disk", O_RDONLY));
	TRY("read another file", open("/free/ok", O_RDONLY));
	kill(child, SIGKILL);
}

#define FLOODERS 4
#define FLOOD 500

/*
 * Several processes make the attempts at the same time. The kernel must refuse each attempt, even if it does not
 * report it.
 */
static void flood(void)
{
	int i, failed = 0, status;

	for (i = 0; i < FLOODERS; i++) {
		if (fork())
			continue;
		for (i = 0; i < FLOOD; i++)
			if (open(FILE_OF_RULE, O_RDONLY) >= 0 || errno != EPERM)
				_exit(1);
		_exit(0);
	}
	while (wait(&status) > 0)
		failed += !WIFEXITED(status) || WEXITSTATUS(status);
	TRY("read it ever so often", failed ? 0 : (errno = EPERM, -1));
	START("run", execl("/usr/bin/noexec", "echo", NULL));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getenv("VARMOR_TEST_TAKEN"))
		raise(SIGSTOP);
	if (argc > 1 && strcmp(argv[1], "flood") == 0) {
		flood();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "files") != 0) {
		(strcmp(argv[1], "network") == 0 ? network : strcmp(argv[1], "mounts") == 0 ? mounts : strcmp(argv[1], "forks") == 0 ? forks : others)();
		return 0;
	}
	open_it();
	run_it();
	change_it();
	lead_elsewhere();
	command_it();
	carry_it();
	return 0;
}
