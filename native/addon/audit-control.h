/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_AUDIT_CONTROL_H
#define VARMOR_AUDIT_CONTROL_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rules of the lists `exclude` and `user` that are read; usual rule sets have fewer than ten. */
#define MAX_AUDIT_RULES 1024

/*
 * Questions to the kernel's audit subsystem, on a socket of their own so that answers never mix with records.
 * The kernel answers only in the initial user and PID namespaces and with CAP_AUDIT_CONTROL: -ECONNREFUSED, -EPERM.
 * Nothing here sets AUDIT_STATUS_ENABLED or AUDIT_STATUS_PID: the first would add syscall records to every event of
 * the host, the second would make us the audit daemon and take the records from the one that runs.
 */
struct audit_control {
	int fd;
	uint32_t seq;
};

/* Rules that can keep records of ours from being made: each is a length (32 bits) and a struct audit_rule_data, in the kernel's order. */
struct audit_rules {
	uint32_t enabled; /* 0 off, 1 on, 2 on and locked */
	uint32_t count;
	char *bytes;
	size_t len;
};

struct backlog_limit {
	bool known; /* the kernel answered */
	bool claimed; /* we count among those that need the raised limit */
	int error; /* errno of the refusal, 0 if there was none */
	uint32_t before;
	uint32_t after;
};

/* Each returns 0 or -errno. */
int audit_control_open(struct audit_control *control);
int audit_control_status(struct audit_control *control, struct audit_status *status);
/* From here on an answer that does not come at once is done without. */
int audit_control_sampling(struct audit_control *control);
void audit_control_close(struct audit_control *control);

/*
 * Asks for the rules on a socket of its own, for at most some seconds. Returns 0 or -errno: -EPERM and -ECONNREFUSED as above,
 * -E2BIG where there are more rules than MAX_AUDIT_RULES. What was read is to be freed.
 */
int audit_rules_read(struct audit_rules *rules);
void audit_rules_free(struct audit_rules *rules);

/*
 * Raises the limit of records that wait in the kernel to wanted, if it is lower. The last of this process' claims to
 * be released puts the old limit back, unless somebody else has changed it meanwhile; so does the end of the process,
 * unless it is killed. wanted 0 only looks.
 */
void backlog_limit_claim(struct audit_control *control, uint32_t wanted, struct backlog_limit *limit);
void backlog_limit_release(struct audit_control *control, struct backlog_limit *limit);

#endif
