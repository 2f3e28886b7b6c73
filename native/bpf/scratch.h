/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Data that one run of a program needs beside its stack. The variables of a long loop lie here, too: on Linux 5.10 the
 * loop continues with them in another function, and no verifier takes them for known.
 */
#ifndef VARMOR_SCRATCH_H
#define VARMOR_SCRATCH_H

#include "common.h"
#include "places.h"

#define PATH_BYTES 4096
#define RECORD_BYTES 16384
#define TYPE_BYTES 16

enum text { TEXT_PATH, TEXT_EXE };

/* As members of struct mount lie on all kernels so far, and those of struct dentry. */
struct place_of_mount {
	struct mount *parent;
	struct dentry *mountpoint;
	struct dentry *root;
};

struct name_in_folder {
	struct dentry *parent;
	struct qstr name;
};

/* From a file towards the root (path.h). */
struct walk {
	struct dentry *dentry;
	struct mount *mount;
	struct place_of_mount place;
	struct name_in_folder step;
	__u32 text;  /* enum text: written from its end at PATH_BYTES */
	__u32 start; /* of what is written */
	__u32 end;
	__u32 reserved;
};

/* Along a path (match.h). */
struct match {
	struct varmor_automaton automaton;
	__u32 text; /* enum text */
	__u32 state;
	__u32 at;
	__u32 reserved;
};

#define KEPT_MOUNTS 16

/* The mounts that a file system has in a mount namespace (kept-mounts.h). */
struct kept_mounts {
	__u64 files; /* the file system */
	__u64 mnt_ns; /* a number that no other namespace ever has */
	__u64 event; /* counts changes of the namespace's mounts */
	__u64 count;
	struct mount *at[KEPT_MOUNTS];
};

/* Along the mounts of a mount namespace (mounts.h). */
struct mounts_walk {
	struct mnt_namespace *ns;
	void *at;     /* struct list_head or struct rb_node; NULL at the end */
	void *before; /* the node that the walk comes from */
	__u64 event;  /* of the namespace, when the walk started */
	__u32 seen;   /* mounts */
	__u32 seen_before; /* by the walk before this one */
	__u32 is_whole; /* is 1 where the walk has seen each mount */
	__u32 restarts;
};

/* The other names that a file has in a mount namespace: one for each mount of its file system there (names.h). */
struct aliases {
	struct dentry *dentry;
	struct mount *known; /* its name is judged already */
	struct super_block *files;
	struct mounts_walk walk;
	struct mnt_namespace *first; /* of the container's first process, where that is to be looked at, too */
	__u64 first_id;
	struct kept_mounts mounts; /* of the namespace that the walk is in */
	struct varmor_automaton automaton;
	__u32 any;   /* marks of what cannot be named */
	__u32 mode;  /* S_IFMT of the file */
	__u32 asked; /* with the bits for reports */
	__u32 marks;
	__u32 start; /* of the first path, or of the first one that the rules mean */
	__u32 is_kept; /* is 1 where `mounts` was known already */
	__u32 index;   /* in `mounts` */
	__u32 lists;   /* of the profile */
	__u32 found;   /* mounts of the file system in the namespace */
	__u32 reserved;
};

#define FIXED_NAME 64

/* Where a file system of the kernel is by custom (fixed-names.h). */
struct fixed_name {
	char text[FIXED_NAME];
	__u32 length;
	__u32 reserved;
};

/* Along the rules about sockets (network.bpf.c). On Linux 5.10 they are copied into the record's place. */
struct socket_match {
	__u32 domain;
	__u32 type;
	__u32 protocol;
	__u32 at;
	__u32 verdict;
	__u32 reserved;
};

/* A mount that is made, changed or removed. What is not known may be anything. */
struct mounting {
	__u32 operations : 6; /* VARMOR_MOUNT_; more than one where it is not known which */
	__u32 nowhere : 1; /* is 1 for a new file system before it has a mount: rules about its type alone mean it */
	__u32 found : 25; /* flags that the mount has: deny rules mean them, too */
	__u32 flags; /* as mount(2) was given them */
	struct dentry *source;
	struct mount *source_mount;
	struct dentry *target;
	struct mount *target_mount;
	const char *device; /* of a new mount: what it is called by who mounts it */
	char fstype[TYPE_BYTES];
};

/* Which rules mean a path: the set with a number, beside those that mean any. */
struct meant {
	__u32 all; /* is 1 where all could */
	__u32 number;
};

/* Along the rules about mounting (mount.bpf.c). */
struct mount_match {
	struct mounting given;
	__u32 rules; /* index in varmor_mount_rules */
	__u32 reserved;
	struct meant source;
	struct meant target;
	__u32 at;
	__u32 verdict;
};

struct varmor_scratch {
	__u64 busy;
	__u32 number;
	__u32 reserved;
	struct walk walk;
	struct match match;
	struct fixed_name fixed;
	struct aliases aliases;
	struct socket_match sockets;
	struct mount_match mounts;
	/* Half of a path's room is there so that a name may begin at its end. */
	union {
		struct {
			__u8 path[2 * PATH_BYTES];
			__u8 exe[2 * PATH_BYTES];
		};
		__u8 texts[2][2 * PATH_BYTES];
	};
	__u8 record[RECORD_BYTES];
};
_Static_assert(RECORD_BYTES >= VARMOR_SOCKET_RULES * sizeof(struct varmor_socket_rule), "the room for rules about sockets");

static __always_inline __u8 *text_of(struct varmor_scratch *scratch, __u32 text)
{
	return scratch->texts[text & 1];
}

#endif
