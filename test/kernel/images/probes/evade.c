/*
 * evade WAY ARGUMENT...: opens or runs what a profile forbids, by a way that no common program takes. What it could
 * open it prints; else it says the errno's words and exits with 1. openat2 FILE open by openat2(2) within DIRECTORY
 * FILE the same, with the directory as the root (RESOLVE_IN_ROOT) chroot DIRECTORY FILE opens it in there after
 * chroot(2) exchange FROM TO the two change their names at once (RENAME_EXCHANGE); then opens the second link-opened
 * FILE LINK opens without access (O_PATH), makes a hard link to that and opens it hammer FILE STOP opens it again and
 * again until STOP is there; says how often it could reopen FILE opens without access (O_PATH), then again through
 * /proc/self/fd io_uring FILE lets io_uring open it io_uring-write FILE the same, for writing io_uring-thread FILE has
 * a worker thread of io_uring open it (IOSQE_ASYNC) io_uring-polled FILE has the thread open it that looks for requests
 * (IORING_SETUP_SQPOLL) handle FILE open_by_handle_at(2), for a file in /run steal PID FD takes an open file from
 * another process by pidfd_getfd(2) tree DIRECTORY FILE opens below a copy of the mount that is attached nowhere
 * (open_tree) move-tree FROM TO attaches such a copy there (open_tree, move_mount) move-mount FROM TO moves a mount by
 * move_mount(2) new-mount TYPE FILE opens below a new file system that is attached nowhere (fsopen, fsmount) overlay
 * DIRECTORIES FILE the same, for an overlay of these (A:B) pivot ROOT OLD FILE makes ROOT the root, and the old root
 * OLD below it, where it opens FILE writable MOUNT makes a mount writable by mount_setattr(2) fexecve PROGRAM... runs
 * what was opened with O_PATH memfd PROGRAM... copies it to memory, and runs that by execveat(2) say WORD prints it:
 * something to run interpreted-by PROGRAM FILE makes FILE an ELF program with that as its dynamic loader, and runs it
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

/* One request, handed in and waited for. */
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

/* The least that the kernel takes: it maps nothing of this file, and starts the loader that is named in it. */
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
