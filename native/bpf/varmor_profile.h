/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A profile as the programs read it. The agent does not write it yet; test/kernel/bpf/profile-bytes.ts does. */
#ifndef VARMOR_PROFILE_H
#define VARMOR_PROFILE_H

#define VARMOR_PROFILES 1024
#define VARMOR_TABLES_OF_PROFILE 5

#define VARMOR_DENY 1
#define VARMOR_AUDIT 2

/* Of a path; VARMOR_FILE_AUDIT bits above, the same for what is reported (src/profile/bpf/bpf-profile.ts, fileFlags). */
#define VARMOR_FILE_READ 1
#define VARMOR_FILE_WRITE 2
#define VARMOR_FILE_APPEND 4
#define VARMOR_FILE_EXEC 8
#define VARMOR_FILE_WAY 16
#define VARMOR_FILE_ANY 15
#define VARMOR_FILE_AUDIT 8

/* Tables of automata lie in maps of three sizes; a reference has the size's number in its highest bits. */
#define VARMOR_TABLE_SMALL (16 << 10)
#define VARMOR_TABLE_MEDIUM (256 << 10)
#define VARMOR_TABLE_LARGE (4 << 20)
#define VARMOR_TABLE_SIZE_SHIFT 30
#define VARMOR_TABLE_CLASSES 256

struct varmor_automaton {
	__u32 table; /* the reference, and 0 for none; the first of each map is not used */
	__u32 start;
	__u32 cells;
	__u32 reserved;
};

/* A set that is 0 matches all. A rule with protocols names IPv4 or IPv6, whose numbers they are. */
struct varmor_socket_rule {
	__u64 domains;   /* by AF_ number */
	__u64 protocols; /* by IPPROTO_ number */
	__u32 types;     /* by SOCK_ number */
	__u32 verdict;   /* VARMOR_DENY, VARMOR_AUDIT */
};

#define VARMOR_SOCKET_RULES 512

/*
 * Where packets go: the longest prefix in varmor_v4 or varmor_v6 names ranges of ports in varmor_ports. Entries are of `egress`, a
 * number that no other profile has, nor an earlier state of this one.
 */
struct varmor_v4_key {
	__u32 bits; /* of what follows: 32 and the length of the prefix */
	__u32 egress;
	__u8 address[4];
};

struct varmor_v6_key {
	__u32 bits;
	__u32 egress;
	__u8 address[16];
};

struct varmor_port_ranges {
	__u32 first; /* index of the first */
	__u32 count;
};

struct varmor_port_key {
	__u32 egress;
	__u32 index;
};

/* Protocol and port: VARMOR_TCP, VARMOR_UDP or VARMOR_OTHER in the upper half (src/profile/bpf/port-set.ts). Ascending. */
struct varmor_port_range {
	__u32 first;
	__u32 last;
	__u32 verdict;
	__u32 reserved;
};

enum { VARMOR_TCP, VARMOR_UDP, VARMOR_OTHER };

#define VARMOR_MOUNT_RULES 1024
#define VARMOR_MOUNT_WORDS (VARMOR_MOUNT_RULES / 64)

/* src/profile/bpf/bpf-profile.ts, mountOperations */
#define VARMOR_MOUNT_NEW 1
#define VARMOR_MOUNT_BIND 2
#define VARMOR_MOUNT_MOVE 4
#define VARMOR_MOUNT_REMOUNT 8
#define VARMOR_MOUNT_UMOUNT 16
#define VARMOR_MOUNT_PROPAGATION 32

struct varmor_mount_rule {
	__u32 operations;
	__u32 set; /* it matches when one of these flags is given, or one of the next is not */
	__u32 clear;
	__u32 verdict;
	char fstype[16]; /* empty for any */
};

/* Which rules mean a path: those that mean any, and those of the set whose number the automaton gives. */
struct varmor_path_sets {
	__u64 always[VARMOR_MOUNT_WORDS];
	struct varmor_automaton automaton;
	__u32 sets; /* reference to the table of sets, of VARMOR_MOUNT_WORDS words each */
	__u32 reserved;
};

struct varmor_mounts {
	__u32 count;
	__u32 reserved;
	struct varmor_path_sets sources;
	struct varmor_path_sets targets;
	struct varmor_mount_rule rules[VARMOR_MOUNT_RULES];
};

struct varmor_profile {
	__u32 id;   /* what events call it */
	__u32 mode; /* 1: everything is let through and reported */
	__u32 any;  /* flags of a path that cannot be rebuilt */
	__u32 block_devices; /* flags of every block device */
	struct varmor_automaton files;
	__u64 capability_deny;
	__u64 capability_audit;
	__u32 ptrace_deny_all;
	__u32 ptrace_deny_outside;
	__u32 ptrace_audit_all;
	__u32 ptrace_audit_outside;
	__u32 userns;
	__u32 bpf_prog_load;
	__u32 bpf_map_create;
	__u32 egress; /* 0: no rules */
	__u32 socket_rules;
	__u32 mounts; /* number of their place in the map; 0: no rules */
	struct varmor_socket_rule sockets[VARMOR_SOCKET_RULES];
};

/* Its id as the runtime has it, by which cgroups are called. */
struct varmor_container_id {
	__u8 hex[64];
};

/* What the agent itself wants to find again: which profile is in a place, and of which content. */
struct varmor_profile_record {
	__u32 id;
	__u32 map; /* the kernel's id of the map that is the profile */
	__u8 digest[32];
	__u8 name[64]; /* padded with NUL */
};

struct varmor_settings {
	__u32 host_mnt_ns;  /* inode number of the mount namespace that is no container's */
	__u32 strict_start; /* 1: what starts in a container that is not known is stopped */
};

struct varmor_container {
	__u32 profile; /* number of its place in the map; 0: none */
	__u32 mnt_ns;  /* inode number of the mount namespace of its first process */
};

struct varmor_task {
	__u32 container; /* number of its place in the map */
	__u32 reserved;
};

#endif
