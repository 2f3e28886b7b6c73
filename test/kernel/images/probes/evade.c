/*
 * evade WAY ARGUMENT...: opens or runs a file that a profile forbids, in a way that no common program uses. If it
 * can open the file, evade prints the content; otherwise it prints the text of the errno and exits with 1.
 * Ways:
 * - openat2 FILE: opens FILE with openat2(2)
 * - within DIRECTORY FILE: like openat2, with DIRECTORY as the root (RESOLVE_IN_ROOT)
 * - chroot DIRECTORY FILE: opens FILE after chroot(2) to DIRECTORY
 * - exchange FROM TO: exchanges the two names atomically (RENAME_EXCHANGE), then opens TO
 * - link-opened FILE LINK: opens FILE without access (O_PATH), creates the hard link LINK to it, and opens LINK
 * - hammer FILE STOP: opens FILE repeatedly until STOP exists, and prints how often it could open FILE
 * - reopen FILE: opens FILE without access (O_PATH), then again through /proc/self/fd
 * - io_uring FILE: opens FILE with io_uring
 * - io_uring-write FILE: like io_uring, for writing
 * - io_uring-thread FILE: a worker thread of io_uring opens FILE (IOSQE_ASYNC)
 * - io_uring-polled FILE: the polling thread of io_uring opens FILE (IORING_SETUP_SQPOLL)
 * - handle FILE: opens a file in /run with open_by_handle_at(2)
 * - steal PID FD: takes an open file from another process with pidfd_getfd(2)
 * - tree DIRECTORY FILE: opens FILE below a detached copy of the mount (open_tree)
 * - move-tree FROM TO: attaches a copy of FROM at TO (open_tree, move_mount)
 * - move-mount FROM TO: moves a mount with move_mount(2)
 * - new-mount TYPE FILE: opens FILE below a new, detached file system (fsopen, fsmount)
 * - overlay DIRECTORIES FILE: like new-mount, for an overlay of the DIRECTORIES (A:B)
 * - pivot ROOT OLD FILE: makes ROOT the root with the old root at OLD, and opens FILE there
 * - writable MOUNT: makes a mount writable with mount_setattr(2)
 * - fexecve PROGRAM...: runs a program that was opened with O_PATH
 * - memfd PROGRAM...: copies the program to memory, and runs the copy with execveat(2)
 * - say WORD: prints WORD, as a program to run
 * - interpreted-by PROGRAM FILE: makes FILE an ELF program with PROGRAM as its dynamic loader, and runs FILE
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static int show(int file)
{
	char room[256];
	ssize_t size;

	if (file < 0 || (size = read(file, room, sizeof(room))) < 0)
		return -1;
	return write(1, room, size) < 0 ? -1 : 0;
}

static int by_openat2(char **arguments)
{
	struct open_how how = { .flags = O_RDONLY };

	return show(syscall(SYS_openat2, AT_FDCWD, arguments[0], &how, sizeof(how)));
}

static int within(char **arguments)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT };

	return show(syscall(SYS_openat2, open(arguments[0], O_PATH), arguments[1], &how, sizeof(how)));
}

static int by_chroot(char **arguments)
{
	return chroot(arguments[0]) < 0 || chdir("/") < 0 ? -1 : show(open(arguments[1], O_RDONLY));
}

static int by_exchange(char **arguments)
{
	if (syscall(SYS_renameat2, AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE) < 0)
		return -1;
	return show(open(arguments[1], O_RDONLY));
}

static int by_link_to_opened(char **arguments)
{
	char opened[64];

	snprintf(opened, sizeof(opened), "/proc/self/fd/%d", open(arguments[0], O_PATH));
	if (linkat(AT_FDCWD, opened, AT_FDCWD, arguments[1], AT_SYMLINK_FOLLOW) < 0)
		return -1;
	return show(open(arguments[1], O_RDONLY));
}

static int by_hammering(char **arguments)
{
	long tries = 0, opened = 0;

	for (; access(arguments[1], F_OK) < 0; tries++) {
		int file = open(arguments[0], O_RDONLY);

		if (file < 0)
			continue;
		opened++;
		close(file);
	}
	return printf("%ld of %s\n", opened, tries > 1000 ? "thousands" : "few");
}

static int by_reopening(char **arguments)
{
	char again[64];

	snprintf(again, sizeof(again), "/proc/self/fd/%d", open(arguments[0], O_PATH));
	return show(open(again, O_RDONLY));
}

/* Submits one request and waits for its result. */
static int by_io_uring_as(const char *path, int flags, int setup, int how)
{
	struct io_uring_params about = { .flags = setup, .sq_thread_idle = 100 };
	int ring = syscall(SYS_io_uring_setup, 1, &about), protection = PROT_READ | PROT_WRITE;
	char *queue, *answers;
	struct io_uring_sqe *request;
	int result;

	if (ring < 0)
		return -1;
	queue = mmap(0, about.sq_off.array + sizeof(__u32), protection, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	answers = mmap(0, about.cq_off.cqes + 2 * sizeof(struct io_uring_cqe), protection, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	request = mmap(0, sizeof(*request), protection, MAP_SHARED, ring, IORING_OFF_SQES);
	if (queue == MAP_FAILED || answers == MAP_FAILED || request == MAP_FAILED)
		return -1;
	request->opcode = IORING_OP_OPENAT;
	request->flags = how;
	request->fd = AT_FDCWD;
	request->addr = (unsigned long)path;
	request->open_flags = flags;
	__atomic_store_n((__u32 *)(queue + about.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0)
		return -1;
	result = ((struct io_uring_cqe *)(answers + about.cq_off.cqes))->res;
	return result < 0 ? (errno = -result, -1) : result;
}

static int by_io_uring(const char *path, int flags) { return by_io_uring_as(path, flags, 0, 0); }

static int by_io_uring_thread(char **arguments) { return show(by_io_uring_as(arguments[0], O_RDONLY, 0, IOSQE_ASYNC)); }

static int by_io_uring_polled(char **arguments) { return show(by_io_uring_as(arguments[0], O_RDONLY, IORING_SETUP_SQPOLL, 0)); }

static int by_io_uring_reading(char **arguments) { return show(by_io_uring(arguments[0], O_RDONLY)); }

static int by_io_uring_writing(char **arguments)
{
	int file = by_io_uring(arguments[0], O_WRONLY);

	return file < 0 ? -1 : write(file, "evil\n", 5);
}

static int by_handle(char **arguments)
{
	union { struct file_handle head; char room[256]; } handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	if (name_to_handle_at(AT_FDCWD, arguments[0], &handle.head, &mount, 0) < 0)
		return -1;
	return show(open_by_handle_at(open("/run", O_RDONLY), &handle.head, O_RDONLY));
}

static int by_stealing(char **arguments)
{
	return show(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, atoi(arguments[0]), 0), atoi(arguments[1]), 0));
}

static int copy_of_tree(const char *directory)
{
	return syscall(SYS_open_tree, AT_FDCWD, directory, OPEN_TREE_CLONE | AT_RECURSIVE);
}

static int by_tree(char **arguments)
{
	int tree = copy_of_tree(arguments[0]);

	return tree < 0 ? -1 : show(openat(tree, arguments[1], O_RDONLY));
}

static int attach(int tree, const char *to)
{
	return tree < 0 ? -1 : syscall(SYS_move_mount, tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

static int by_moving_tree(char **arguments) { return attach(copy_of_tree(arguments[0]), arguments[1]); }

static int by_moving_mount(char **arguments)
{
	return syscall(SYS_move_mount, AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], 0);
}

static int by_new_mount(char **arguments)
{
	int context = syscall(SYS_fsopen, arguments[0], 0), mount;

	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	mount = syscall(SYS_fsmount, context, 0, 0);
	return mount < 0 ? -1 : show(openat(mount, arguments[1], O_RDWR));
}

static int by_overlay(char **arguments)
{
	int context = syscall(SYS_fsopen, "overlay", 0), mount;

	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "lowerdir", arguments[0], 0) < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	mount = syscall(SYS_fsmount, context, 0, 0);
	return mount < 0 ? -1 : show(openat(mount, arguments[1], O_RDONLY));
}

static int by_pivoting(char **arguments)
{
	if (chdir(arguments[0]) < 0 || syscall(SYS_pivot_root, ".", arguments[1]) < 0 || chdir("/") < 0)
		return -1;
	return chdir(arguments[1]) < 0 ? -1 : show(open(arguments[2], O_RDONLY));
}

static int by_mount_attribute(char **arguments)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	return syscall(SYS_mount_setattr, AT_FDCWD, arguments[0], 0, &writable, sizeof(writable));
}

static int by_fexecve(char **arguments)
{
	return syscall(SYS_execveat, open(arguments[0], O_PATH), "", arguments, environ, AT_EMPTY_PATH);
}

static int by_memfd(char **arguments)
{
	int program = open(arguments[0], O_RDONLY), memory = syscall(SYS_memfd_create, "program", 0);
	struct stat about;

	if (program < 0 || fstat(program, &about) < 0 || sendfile(memory, program, NULL, about.st_size) < 0)
		return -1;
	return syscall(SYS_execveat, memory, "", arguments, environ, AT_EMPTY_PATH);
}

/*
 * Builds a minimal ELF program for the kernel: it maps nothing of the file, and starts the loader that the file
 * names.
 */
static int by_loader(char **arguments)
{
	struct { Elf64_Ehdr head; Elf64_Phdr parts[2]; char loader[256]; } program = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			  .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2, .e_entry = 0x10000000 },
		.parts = { { .p_type = PT_INTERP, .p_offset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) },
			   { .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0x10000000, .p_filesz = 64, .p_memsz = 64, .p_align = 4096 } },
	};
	int file = open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0755);

	strncpy(program.loader, arguments[0], sizeof(program.loader) - 1);
	program.parts[0].p_filesz = program.parts[0].p_memsz = strlen(program.loader) + 1;
	if (write(file, &program, sizeof(program)) < 0 || close(file) < 0)
		return -1;
	return execve(arguments[1], arguments + 1, environ);
}

static int by_saying(char **arguments) { return puts(arguments[0]); }

static const struct { const char *name; int arguments; int (*act)(char **); } ways[] = {
	{ "openat2", 1, by_openat2 }, { "within", 2, within }, { "chroot", 2, by_chroot }, { "exchange", 2, by_exchange },
	{ "link-opened", 2, by_link_to_opened }, { "hammer", 2, by_hammering }, { "reopen", 1, by_reopening }, { "io_uring", 1, by_io_uring_reading },
	{ "io_uring-thread", 1, by_io_uring_thread }, { "io_uring-polled", 1, by_io_uring_polled },
	{ "io_uring-write", 1, by_io_uring_writing }, { "handle", 1, by_handle }, { "steal", 2, by_stealing },
	{ "tree", 2, by_tree }, { "move-tree", 2, by_moving_tree }, { "move-mount", 2, by_moving_mount },
	{ "new-mount", 2, by_new_mount }, { "overlay", 2, by_overlay }, { "pivot", 3, by_pivoting }, { "writable", 1, by_mount_attribute },
	{ "say", 1, by_saying }, { "fexecve", 1, by_fexecve }, { "memfd", 1, by_memfd }, { "interpreted-by", 2, by_loader },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, argv[1]) == 0 && argc - 2 >= ways[i].arguments) {
			if (ways[i].act(argv + 2) >= 0)
				return 0;
			puts(strerror(errno));
			return 1;
		}
	fprintf(stderr, "usage: evade WAY ARGUMENT...\n");
	return 2;
}
