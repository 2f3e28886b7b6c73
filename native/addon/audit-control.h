/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARMOR_AUDIT_CONTROL_H
#define VARMOR_AUDIT_CONTROL_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Maximum rules that are read from the lists `exclude` and `user`. Usual configurations have fewer than ten such rules.
 */
#define MAX_AUDIT_RULES 1024

/*
 * Sends requests to the kernel's audit subsystem on a separate socket, so that answers do not mix with records. Errors:
 * -ECONNREFUSED outside the initial user and PID namespaces, -EPERM without CAP_AUDIT_CONTROL.
 * Never sets AUDIT_STATUS_ENABLED, which would add syscall records to each event of the host. Never sets
 * AUDIT_STATUS_PID, which would make this process the audit daemon, so that the real daemon gets no records.
 */
struct audit_control {
	int fd;
	uint32_t seq;
};

/*
 * Rules that can suppress vArmor's records, in the kernel's order. A rule is stored as its length (u32), then its
 * audit_rule_data.
 */
struct audit_rules {
	uint32_t enabled; /* 0 off, 1 on, 2 on and locked */
	uint32_t count;
	char *bytes;
	size_t len;
};

struct backlog_limit {
	bool known; /* the kernel answered */
	bool claimed; /* this listener is counted as a user of the raised limit */
	int error; /* errno of the refusal; 0 if there was none */
	uint32_t before;
	uint32_t after;
};

/* Each returns 0 or -errno. */
int audit_control_open(struct audit_control *control);
int audit_control_status(struct audit_control *control, struct audit_status *status);
/* After this call, a request fails if the kernel does not answer within 250 ms. */
int audit_control_sampling(struct audit_control *control);
void audit_control_close(struct audit_control *control);

/*
 * Requests the rules on a separate socket and waits a few seconds at most. Returns 0 or -errno: -EPERM and
 * -ECONNREFUSED as above, -E2BIG for more than MAX_AUDIT_RULES rules. The caller frees the rules.
 */
int audit_rules_read(struct audit_rules *rules);
void audit_rules_free(struct audit_rules *rules);

/*
 * Raises the kernel's limit of waiting records to `wanted` if the limit is lower. With `wanted` 0, only reads the
 * limit. When this process releases its last claim or ends, the old limit is restored, unless another program has
 * changed the limit, or the process is killed.
 */
void backlog_limit_claim(struct audit_control *control, uint32_t wanted, struct backlog_limit *limit);
void backlog_limit_release(struct audit_control *control, struct backlog_limit *limit);

#endif
