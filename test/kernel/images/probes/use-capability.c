/*
 * use-capability NAME: does one operation that needs the capability NAME and no other, drops all other capabilities
 * that would also permit it, and reports whether the kernel allowed it: exit status 0, or 1 with the text of the
 * errno. The file /dev/shm/others of user 1000 with mode 0 must exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define OTHERS "/dev/shm/others"
#define OWN "/dev/shm/own"

static int file = -1;
static pid_t other = -1;
static int said;

/* Failures without an errno. */
static int silent(const char *words)
{
	puts(words);
	said = 1;
	return -1;
}

static int open_own(void)
{
	return file = open(OWN, O_RDWR | O_CREAT, 0644);
}

/* Starts a process of user 1000 that ends with this process. */
static int start_other(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0 || (other = fork()) < 0)
		return -1;
	if (other == 0) {
		if (setgid(1000) < 0 || setuid(1000) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			_exit(1);
		shmget(4711, 4096, IPC_CREAT | 0600);
		write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	return read(ready[0], &byte, 1) == 1 ? 0 : -1;
}

static int use_chown(void) { return fchown(file, 1000, -1); }
static int use_dac_override(void) { return open(OTHERS, O_WRONLY); }
static int use_fowner(void) { return chmod(OTHERS, 0); }
static int use_kill(void) { return kill(other, SIGKILL); }
static int use_setgid(void) { return setgid(1000); }
static int use_setuid(void) { return setuid(1000); }
static int use_setpcap(void) { return prctl(PR_CAPBSET_DROP, CAP_WAKE_ALARM, 0, 0, 0); }
static int use_net_raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static int use_ipc_owner(void) { return shmget(4711, 4096, 0600); }
static int use_sys_module(void) { return syscall(SYS_delete_module, "no_such_module", O_NONBLOCK) == 0 || errno == ENOENT ? 0 : -1; }
static int use_sys_rawio(void) { return iopl(3); }
static int use_sys_chroot(void) { return chroot("/tmp"); }
static int use_sys_ptrace(void) { return ptrace(PTRACE_ATTACH, other, 0, 0); }
static int use_sys_pacct(void) { return acct(NULL); }
static int use_sys_admin(void) { return sethostname("other", 5); }
static int use_sys_boot(void) { return syscall(SYS_kexec_load, 0, 0, NULL, 0); }
static int use_sys_nice(void) { return setpriority(PRIO_PROCESS, 0, -5); }
static int use_sys_tty_config(void) { return syscall(SYS_vhangup); }
static int use_mknod(void) { return unlink("/dev/shm/null"), mknod("/dev/shm/null", S_IFCHR | 0600, makedev(1, 3)); }
static int use_lease(void) { return fcntl(file, F_SETLEASE, F_RDLCK); }
static int use_syslog(void) { return klogctl(3, NULL, 0) < 0 && errno != EINVAL ? -1 : 0; }
static int use_wake_alarm(void) { return timerfd_create(CLOCK_REALTIME_ALARM, 0); }

static int open_others(void) { return file = open(OTHERS, O_RDONLY); }

static int use_dac_read_search(void)
{
	union { struct file_handle head; char room[256]; } handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	if (name_to_handle_at(AT_FDCWD, OWN, &handle.head, &mount, 0) < 0)
		return silent("no handle");
	return open_by_handle_at(file, &handle.head, O_RDONLY);
}

/*
 * Gives the file to a group that this process is not in. Without the capability the kernel then drops the setgid bit
 * silently.
 */
static int own_of_other_group(void)
{
	return open_own() < 0 ? -1 : fchown(file, 0, 1000);
}

static int use_fsetid(void)
{
	struct stat now;

	if (fchmod(file, 02755) < 0 || fstat(file, &now) < 0)
		return -1;
	return now.st_mode & S_ISGID ? 0 : silent("the set-group-ID bit was dropped");
}

static int use_linux_immutable(void)
{
	int flags = FS_APPEND_FL;

	if (ioctl(file, FS_IOC_SETFLAGS, &flags) < 0)
		return -1;
	flags = 0;
	return ioctl(file, FS_IOC_SETFLAGS, &flags);
}

static int bind_port(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address));
}

static int use_net_bind_service(void) { return bind_port(80); }
static int high_port(void) { return bind_port(8080); }

/* Asks for the messages of all network namespaces. */
static int use_net_broadcast(void)
{
	int on = 1;

	return setsockopt(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
}

static int use_net_admin(void)
{
	int on = 1;

	return setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_DEBUG, &on, sizeof(on));
}

static int no_locked_memory(void)
{
	struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_MEMLOCK, &none);
}

static int use_ipc_lock(void) { return mlock(&file, sizeof(file)); }

static int low_limit(void)
{
	struct rlimit low = { 64, 64 };

	return setrlimit(RLIMIT_NOFILE, &low);
}

static int use_sys_resource(void)
{
	struct rlimit high = { 128, 128 };

	return setrlimit(RLIMIT_NOFILE, &high);
}

static int use_sys_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

/* Sends one message to the kernel's audit system. */
static int use_audit_write(void)
{
	struct { struct nlmsghdr head; char text[32]; } sent = { { sizeof(sent), AUDIT_USER, NLM_F_REQUEST | NLM_F_ACK, 1, 0 }, "a note" };
	struct { struct nlmsghdr head; struct nlmsgerr error; char room[256]; } answer;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int link = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (sendto(link, &sent, sizeof(sent), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -1;
	if (recv(link, &answer, sizeof(answer), 0) < 0)
		return -1;
	errno = -answer.error.error;
	return errno == 0 ? 0 : -1;
}

static int write_text(const char *path, const char *text)
{
	int target = open(path, O_WRONLY);

	return target < 0 ? -1 : write(target, text, strlen(text)) < 0 ? -1 : close(target);
}

/* After the login's user is set, only a process with the capability may change it. */
static int set_login(void) { return write_text("/proc/self/loginuid", "1000"); }
static int use_audit_control(void) { return write_text("/proc/self/loginuid", "1001"); }

static int use_setfcap(void)
{
	struct vfs_cap_data all = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .data = { { 1 << CAP_NET_RAW, 0 } } };

	return syscall(SYS_fsetxattr, file, "security.capability", &all, sizeof(all), 0);
}

/*
 * Changes the policy of AppArmor. To remove a missing profile, the kernel checks the permission and then looks for
 * the profile.
 */
static int use_mac_admin(void)
{
	return write_text("/sys/kernel/security/apparmor/.remove", "no-such-profile") == 0 || errno == ENOENT ? 0 : -1;
}

static int use_block_suspend(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLWAKEUP };
	int ends[2], poll = epoll_create1(0);
	char path[64], text[512] = "";

	if (pipe(ends) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &event) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", poll);
	if (read(open(path, O_RDONLY), text, sizeof(text) - 1) < 0)
		return -1;
	return strstr(text, "events: 2") != NULL ? 0 : silent("EPOLLWAKEUP was dropped");
}

static int use_audit_read(void)
{
	struct sockaddr_nl log = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	return bind(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), (struct sockaddr *)&log, sizeof(log));
}

/* Observes all processes on a CPU. */
static int use_perfmon(void)
{
	struct perf_event_attr clock = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(clock), .config = PERF_COUNT_SW_CPU_CLOCK };

	return syscall(SYS_perf_event_open, &clock, -1, 0, -1, 0);
}

static int use_bpf(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));
}

/* Loads a program of a type that needs the capability if kernel.unprivileged_bpf_disabled is not 0. */
static int use_bpf_program(void)
{
	struct bpf_insn nothing[] = { { BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 }, { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 } };
	union bpf_attr program = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (__u64)nothing, .insn_cnt = 2, .license = (__u64)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program));
}

static int use_checkpoint_restore(void) { return write_text("/proc/sys/kernel/ns_last_pid", "20000"); }

static const struct use {
	const char *name;
	int capability;
	int (*setup)(void);
	int (*use)(void);
} uses[] = {
	{ "chown", CAP_CHOWN, open_own, use_chown },
	{ "dac_override", CAP_DAC_OVERRIDE, NULL, use_dac_override },
	{ "dac_read_search", CAP_DAC_READ_SEARCH, open_own, use_dac_read_search },
	{ "fowner", CAP_FOWNER, NULL, use_fowner },
	{ "fsetid", CAP_FSETID, own_of_other_group, use_fsetid },
	{ "kill", CAP_KILL, start_other, use_kill },
	{ "setgid", CAP_SETGID, NULL, use_setgid },
	{ "setuid", CAP_SETUID, NULL, use_setuid },
	{ "setpcap", CAP_SETPCAP, NULL, use_setpcap },
	{ "linux_immutable", CAP_LINUX_IMMUTABLE, open_own, use_linux_immutable },
	{ "net_bind_service", CAP_NET_BIND_SERVICE, NULL, use_net_bind_service },
	{ "net_broadcast", CAP_NET_BROADCAST, NULL, use_net_broadcast },
	{ "net_admin", CAP_NET_ADMIN, NULL, use_net_admin },
	{ "net_raw", CAP_NET_RAW, NULL, use_net_raw },
	{ "ipc_lock", CAP_IPC_LOCK, no_locked_memory, use_ipc_lock },
	{ "ipc_owner", CAP_IPC_OWNER, start_other, use_ipc_owner },
	{ "sys_module", CAP_SYS_MODULE, NULL, use_sys_module },
	{ "sys_rawio", CAP_SYS_RAWIO, NULL, use_sys_rawio },
	{ "sys_chroot", CAP_SYS_CHROOT, NULL, use_sys_chroot },
	{ "sys_ptrace", CAP_SYS_PTRACE, start_other, use_sys_ptrace },
	{ "sys_pacct", CAP_SYS_PACCT, NULL, use_sys_pacct },
	{ "sys_admin", CAP_SYS_ADMIN, NULL, use_sys_admin },
	{ "sys_boot", CAP_SYS_BOOT, NULL, use_sys_boot },
	{ "sys_nice", CAP_SYS_NICE, NULL, use_sys_nice },
	{ "sys_resource", CAP_SYS_RESOURCE, low_limit, use_sys_resource },
	{ "sys_time", CAP_SYS_TIME, NULL, use_sys_time },
	{ "sys_tty_config", CAP_SYS_TTY_CONFIG, NULL, use_sys_tty_config },
	{ "mknod", CAP_MKNOD, NULL, use_mknod },
	{ "lease", CAP_LEASE, open_others, use_lease },
	{ "audit_write", CAP_AUDIT_WRITE, NULL, use_audit_write },
	{ "audit_control", CAP_AUDIT_CONTROL, set_login, use_audit_control },
	{ "setfcap", CAP_SETFCAP, open_own, use_setfcap },
	{ "mac_admin", CAP_MAC_ADMIN, NULL, use_mac_admin },
	{ "syslog", CAP_SYSLOG, NULL, use_syslog },
	{ "wake_alarm", CAP_WAKE_ALARM, NULL, use_wake_alarm },
	{ "block_suspend", CAP_BLOCK_SUSPEND, NULL, use_block_suspend },
	{ "audit_read", CAP_AUDIT_READ, NULL, use_audit_read },
	{ "perfmon", CAP_PERFMON, NULL, use_perfmon },
	{ "bpf", CAP_BPF, NULL, use_bpf },
	{ "bpf_program", CAP_BPF, NULL, use_bpf_program },
	{ "checkpoint_restore", CAP_CHECKPOINT_RESTORE, NULL, use_checkpoint_restore },
	/* The operation beside net_bind_service that needs no capability. */
	{ "none", -1, NULL, high_port },
};

/* Drops all capabilities except `capability`, and also its stronger alternatives. */
static int keep_only(int capability)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (capability >= 0) {
		data[capability / 32].effective = 1u << (capability % 32);
		data[capability / 32].permitted = 1u << (capability % 32);
	}
	return syscall(SYS_capset, &head, data);
}

/*
 * AppArmor does not repeat its last record on a CPU. So one use makes one record, even if the kernel checks the
 * capability several times.
 */
static int stay_on_one_processor(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	return sched_setaffinity(0, sizeof(first), &first);
}

int main(int argc, char **argv)
{
	if (stay_on_one_processor() < 0) {
		perror("sched_setaffinity");
		return 3;
	}
	for (size_t i = 0; argc == 2 && i < sizeof(uses) / sizeof(*uses); i++) {
		const struct use *one = &uses[i];

		if (strcmp(argv[1], one->name) != 0)
			continue;
		if ((one->setup != NULL && one->setup() < 0) || keep_only(one->capability) < 0) {
			printf("%s cannot be prepared: %s\n", one->name, strerror(errno));
			return 3;
		}
		if (one->use() >= 0)
			return 0;
		if (!said)
			puts(strerror(errno));
		return 1;
	}
	fprintf(stderr, "usage: use-capability NAME, such as net_raw\n");
	return 2;
}
