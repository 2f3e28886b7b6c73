/*
 * as-user NAME CAPABILITIES PROGRAM ARGUMENTS: runs a program as the given user with those CAPABILITIES (names,
 * separated by commas) that this process has. Programs that read the capabilities with capget(2) fail under an
 * AppArmor profile, because AppArmor hides the capabilities that it forbids.
 */
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} known[] = {
	{ "dac_override", CAP_DAC_OVERRIDE }, { "net_raw", CAP_NET_RAW },	{ "sys_module", CAP_SYS_MODULE }, { "sys_ptrace", CAP_SYS_PTRACE },
	{ "sys_admin", CAP_SYS_ADMIN },	      { "mknod", CAP_MKNOD },		{ "bpf", 39 },
};

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

/* Reads a line `name:x:uid:gid:`. */
static void find_user(const char *name, unsigned int *uid, unsigned int *gid)
{
	char line[1024], found[256];
	FILE *users = fopen("/etc/passwd", "re");

	if (!users)
		fail("/etc/passwd");
	while (fgets(line, sizeof(line), users))
		if (sscanf(line, "%255[^:]:%*[^:]:%u:%u:", found, uid, gid) == 3 && strcmp(found, name) == 0) {
			fclose(users);
			return;
		}
	fprintf(stderr, "no user %s\n", name);
	exit(125);
}

static unsigned long long capabilities_of(char *names)
{
	unsigned long long set = 0;

	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].name, name) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			fprintf(stderr, "no capability %s\n", name);
			exit(125);
		}
		set |= 1ULL << known[i].number;
	}
	return set;
}

int main(int argc, char **argv)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	unsigned long long set;
	unsigned int uid, gid;

	if (argc < 4) {
		fprintf(stderr, "usage: %s NAME CAPABILITIES PROGRAM ARGUMENTS\n", argv[0]);
		return 125;
	}
	find_user(argv[1], &uid, &gid);
	set = capabilities_of(argv[2]);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		fail("prctl(PR_SET_KEEPCAPS)");
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		fail("the user");
	for (int i = 0; i < 2; i++) {
		unsigned int half = (unsigned int)(set >> (32 * i));

		data[i] = (struct __user_cap_data_struct){ .effective = half, .permitted = half, .inheritable = half };
	}
	if (syscall(SYS_capset, &header, data))
		fail("capset");
	for (unsigned long number = 0; number < 64; number++)
		if (set >> number & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0))
			fail("prctl(PR_CAP_AMBIENT_RAISE)");
	execv(argv[3], argv + 3);
	fail(argv[3]);
}
