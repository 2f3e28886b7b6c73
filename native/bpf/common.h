/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Kernel types and return values of hooks, for all programs. */
#ifndef VARMOR_COMMON_H
#define VARMOR_COMMON_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "varmor_event.h"
#include "varmor_profile.h"

#define EPERM 1
#define ENOMEM 12

/* vmlinux.h has types but no macros. */
#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20
#define O_TRUNC 00001000
#define O_APPEND 00002000
#define PROT_EXEC 0x4
#define S_IFMT 00170000
#define S_IFMT_SHIFT 12
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFBLK 0060000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFIFO 0010000

/*
 * Returns -EPERM if the condition holds. The compiler would merge `if (refused) return -EPERM; return 0;` into one
 * expression, and the verifier of Linux 6.12 does not see that its value is never positive.
 */
#define REFUSE_IF(condition)                           \
	do {                                           \
		if (condition) {                       \
			asm volatile("" ::: "memory"); \
			return -EPERM;                 \
		}                                      \
	} while (0)

/* The helper bpf_strncmp exists only since Linux 5.17. */
static __always_inline bool begins_with(const char *text, const char *begin, __u32 length)
{
	for (__u32 i = 0; i < length; i++)
		if (text[i] != begin[i])
			return false;
	return true;
}

#endif
