/*
 * attempt WHAT [ARGUMENT...]: makes one system call, or a few related calls, that no common program makes, and
 * reports whether the kernel allowed it: exit status 0, or 1 with the text of the errno. WHAT is one of:
 * - socket FAMILY TYPE [PROTOCOL]: creates a socket, such as `socket inet stream`
 * - connect PATH: connects to a unix socket
 * - listen PATH: creates a unix socket, and leaves a process that listens on it
 * - mount SOURCE TARGET TYPE [DATA]: mounts; mount(8) would retry read-only, and would not print the errno
 * - bind SOURCE TARGET: mounts a tree at a second place
 * - a name of the table below, without arguments
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8 */
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6 */
#endif

static const char own_file[] = "/tmp/attempt";

static int own(int flags)
{
	return open(own_file, flags | O_CREAT, 0644);
}

static int path_socket(const char *path, int (*act)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int one = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return act(one, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : one;
}

static int listen_at(const char *path)
{
	int server = path_socket(path, bind);

	if (server < 0 || listen(server, 8) < 0)
		return -1;
	if (fork() != 0)
		return 0;
	for (;;)
		pause();
}

static int try_fsopen(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static int try_fspick(void) { return syscall(SYS_fspick, AT_FDCWD, "/", 0); }
static int try_open_tree(void) { return syscall(SYS_open_tree, AT_FDCWD, "/tmp", OPEN_TREE_CLONE); }
static int try_move_mount(void) { return syscall(SYS_move_mount, -1, "", -1, "", 0) < 0 && errno == ENOENT ? 0 : -1; }

static int try_mount_setattr(void)
{
	struct mount_attr none = { 0 };

	return syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, &none, sizeof(none));
}

/* Reads the attributes of the mount of /proc. */
static int try_statmount(void)
{
	struct { __u32 size, spare; __u64 id, parameters, namespace; } request = { 24, 0, 0, 2, 0 };
	struct statx found;
	static char room[4096];

	if (statx(AT_FDCWD, "/proc", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &found) < 0)
		return -1;
	request.id = found.stx_mnt_id;
	return syscall(SYS_statmount, &request, room, sizeof(room), 0);
}

static int child(pid_t pid)
{
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, __WALL) < 0 ? -1 : 0;
}

static int try_unshare_user(void) { return unshare(CLONE_NEWUSER); }
static int try_clone_user(void) { return child(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }
static int try_clone(void) { return child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

static int try_clone3_user(void)
{
	struct clone_args how = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

	return child(syscall(SYS_clone3, &how, sizeof(how)));
}

static int load_program(int type, long command)
{
	struct bpf_insn nothing[] = { { BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 }, { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 } };
	union bpf_attr program = { .prog_type = type, .insns = (__u64)nothing, .insn_cnt = 2, .license = (__u64)"GPL" };

	return syscall(SYS_bpf, command, &program, sizeof(program));
}

static int try_bpf_program(void) { return load_program(BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_LOAD); }
/* The kernel reads the command as an int, so it ignores higher bits. */
static int try_bpf_program_high_bits(void) { return load_program(BPF_PROG_TYPE_SOCKET_FILTER, 0x100000000 | BPF_PROG_LOAD); }

static int try_bpf_map(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));
}

static struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 0xffff) };
static struct sock_fprog filter = { 1, all };

static int try_socket_filter(void)
{
	return setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static int try_reuseport_filter(void)
{
	int on = 1, udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (setsockopt(udp, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 || bind(udp, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -1;
	return setsockopt(udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter));
}

static int try_fanout_filter(void)
{
	int group = PACKET_FANOUT_CBPF << 16, packets = socket(AF_PACKET, SOCK_RAW, htons(0x0003));

	if (packets < 0 || setsockopt(packets, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) < 0)
		return -1;
	return setsockopt(packets, SOL_PACKET, PACKET_FANOUT_DATA, &filter, sizeof(filter));
}

static int try_socket_option(void)
{
	int on = 1;

	return setsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static int try_io_uring(void)
{
	struct io_uring_params plain = { 0 };

	return syscall(SYS_io_uring_setup, 1, &plain);
}

static int try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }

static int try_userfaultfd_device(void)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	return device < 0 ? -1 : ioctl(device, _IO(0xAA, 0x00) /* USERFAULTFD_IOC_NEW */, 0);
}

static int try_eventfd(void) { return eventfd(0, 0); }

static int try_splice(void)
{
	int ends[2];

	return pipe(ends) < 0 ? -1 : splice(own(O_RDONLY), NULL, ends[1], NULL, 1, 0);
}

static int try_sendfile(void)
{
	int ends[2];

	return pipe(ends) < 0 ? -1 : sendfile(ends[1], own(O_RDONLY), NULL, 1);
}

static int try_tee(void)
{
	int from[2], to[2];

	if (pipe(from) < 0 || pipe(to) < 0 || write(from[1], "x", 1) < 0)
		return -1;
	return tee(from[0], to[1], 1, 0);
}

static int try_fchmod_x(void) { return fchmod(own(O_RDONLY), 0744); }
static int try_fchmodat_x(void) { return own(O_RDONLY), syscall(SYS_fchmodat, AT_FDCWD, own_file, 0611); }
static int try_fchmodat2_x(void) { return own(O_RDONLY), syscall(SYS_fchmodat2, AT_FDCWD, own_file, 0655, 0); }
static int try_fchmod_s(void) { return fchmod(own(O_RDONLY), 04644); }
static int try_fchmodat2_s(void) { return own(O_RDONLY), syscall(SYS_fchmodat2, AT_FDCWD, own_file, 02644, 0); }

static int created(mode_t mode, int result)
{
	struct stat now;

	if (result < 0 || stat("/tmp/attempt-new", &now) < 0)
		return -1;
	unlink("/tmp/attempt-new");
	return (now.st_mode & 07777) == mode ? 0 : (errno = EINVAL, -1);
}

static int try_openat_s(void) { return created(04755, openat(AT_FDCWD, "/tmp/attempt-new", O_CREAT | O_WRONLY, 04755)); }
static int try_openat_plain(void) { return created(0755, openat(AT_FDCWD, "/tmp/attempt-new", O_CREAT | O_WRONLY, 0755)); }
static int try_creat_s(void) { return created(04700, syscall(SYS_creat, "/tmp/attempt-new", 04700)); }
static int try_mknod_s(void) { return created(02755, mknod("/tmp/attempt-new", S_IFREG | 02755, 0)); }
/* Uses a tmpfs, because an overlay supports O_TMPFILE only on newer kernels. */
static int try_tmpfile_s(void) { return openat(AT_FDCWD, "/dev/shm", O_TMPFILE | O_WRONLY, 04755); }

#define CALL(name) { #name, try_##name }
static const struct { const char *name; int (*act)(void); } calls[] = {
	CALL(fsopen), CALL(fspick), CALL(open_tree), CALL(move_mount), CALL(mount_setattr), CALL(statmount),
	CALL(unshare_user), CALL(clone_user), CALL(clone), CALL(clone3_user),
	CALL(bpf_program), CALL(bpf_program_high_bits), CALL(bpf_map),
	CALL(socket_filter), CALL(reuseport_filter), CALL(fanout_filter), CALL(socket_option),
	CALL(io_uring), CALL(userfaultfd), CALL(userfaultfd_device), CALL(eventfd), CALL(splice), CALL(sendfile), CALL(tee),
	CALL(fchmod_x), CALL(fchmodat_x), CALL(fchmodat2_x), CALL(fchmod_s), CALL(fchmodat2_s),
	CALL(openat_s), CALL(openat_plain), CALL(creat_s), CALL(mknod_s), CALL(tmpfile_s),
};

static const struct { const char *name; int number; } words[] = {
	{ "unix", AF_UNIX }, { "inet", AF_INET }, { "inet6", AF_INET6 }, { "netlink", AF_NETLINK }, { "packet", AF_PACKET },
	{ "alg", AF_ALG }, { "smc", AF_SMC }, { "vsock", AF_VSOCK },
	{ "stream", SOCK_STREAM }, { "dgram", SOCK_DGRAM }, { "raw", SOCK_RAW }, { "seqpacket", SOCK_SEQPACKET },
	{ "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 }, { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
	{ "mptcp", 262 }, { "udplite", IPPROTO_UDPLITE },
};

static int word(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].number;
	fprintf(stderr, "attempt: no word %s\n", name);
	exit(2);
}

static int act(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "socket") == 0)
		return socket(word(argv[2]), word(argv[3]), argc > 4 ? word(argv[4]) : 0);
	if (argc == 3 && strcmp(argv[1], "connect") == 0)
		return path_socket(argv[2], connect);
	if (argc == 3 && strcmp(argv[1], "listen") == 0)
		return listen_at(argv[2]);
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "mount") == 0)
		return mount(argv[2], argv[3], argv[4], 0, argv[5]);
	if (argc == 4 && strcmp(argv[1], "bind") == 0)
		return mount(argv[2], argv[3], NULL, MS_BIND, NULL);
	for (size_t i = 0; argc == 2 && i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].name, argv[1]) == 0)
			return calls[i].act();
	fprintf(stderr, "usage: attempt socket FAMILY TYPE [PROTOCOL] | connect PATH | listen PATH |\n"
		"  mount SOURCE TARGET TYPE [DATA] | bind SOURCE TARGET | CALL\n");
	exit(2);
}

int main(int argc, char **argv)
{
	umask(0);
	if (act(argc, argv) >= 0)
		return 0;
	puts(strerror(errno));
	return 1;
}
