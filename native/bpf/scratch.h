/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Data of a program's run that does not fit on the stack. This includes the variables of long loops: on Linux 5.10 a
 * loop continues in another function, and the verifier must not know these values.
 */
#ifndef VARMOR_SCRATCH_H
#define VARMOR_SCRATCH_H

#include "common.h"
#include "places.h"

#define PATH_BYTES 4096
#define RECORD_BYTES 16384
#define TYPE_BYTES 16

enum text { TEXT_PATH, TEXT_EXE };

/*
 * The members of struct mount and struct dentry in their usual order. If a kernel has another order, path.h reads each
 * member separately.
 */
struct place_of_mount {
	struct mount *parent;
	struct dentry *mountpoint;
	struct dentry *root;
};

struct name_in_folder {
	struct dentry *parent;
	struct qstr name;
};

/* State of a walk from a file to the root (path.h). */
struct walk {
	struct dentry *dentry;
	struct mount *mount;
	struct place_of_mount place;
	struct name_in_folder step;
	__u32 text; /* enum text: filled from PATH_BYTES backwards */
	__u32 start; /* start of the written text */
	__u32 end;
	__u32 reserved;
};

/* State of a walk along a path (match.h). */
struct match {
	struct varmor_automaton automaton;
	__u32 text; /* enum text */
	__u32 state;
	__u32 at;
	__u32 reserved;
};

#define KEPT_MOUNTS 16

/* The mounts of a file system in a mount namespace (kept-mounts.h). */
struct kept_mounts {
	__u64 files; /* the file system */
	__u64 mnt_ns; /* id of the namespace, never reused */
	__u64 event; /* counter of the namespace's changes */
	__u64 count;
	struct mount *at[KEPT_MOUNTS];
};

/* State of a walk along the mounts of a namespace (mounts.h). */
struct mounts_walk {
	struct mnt_namespace *ns;
	void *at; /* struct list_head or struct rb_node; NULL: at the end */
	void *before; /* the previous node */
	__u64 event; /* the namespace's counter when the walk started */
	__u32 seen; /* mounts */
	__u32 seen_before; /* mounts in the previous walk */
	__u32 is_whole; /* 1: the walk has seen every mount */
	__u32 restarts;
};

/* The other names of a file in a mount namespace: one for each mount of its file system (names.h). */
struct aliases {
	struct dentry *dentry;
	struct mount *known; /* the mount whose name was judged already */
	struct super_block *files;
	struct mounts_walk walk;
	struct mnt_namespace *first; /* namespace of the container's first process, if it must be checked, too */
	__u64 first_id;
	struct kept_mounts mounts; /* mounts in the current namespace */
	struct varmor_automaton automaton;
	__u32 any; /* marks for a file without a name */
	__u32 mode; /* S_IFMT of the file */
	__u32 asked; /* accesses, with their bits for reports */
	__u32 marks;
	__u32 start; /* start of the first path, or of the first path that matches a rule */
	__u32 is_kept; /* 1: `mounts` came from the cache */
	__u32 index; /* in `mounts` */
	__u32 lists; /* of the profile */
	__u32 found; /* number of the file system's mounts in the namespace */
	__u32 reserved;
};

#define FIXED_NAME 64

/* The usual path of a kernel file system (fixed-names.h). */
struct fixed_name {
	char text[FIXED_NAME];
	__u32 length;
	__u32 reserved;
};

/* State of a loop over socket rules (network.bpf.c). On Linux 5.10 the rules are copied into the record's memory. */
struct socket_match {
	__u32 domain;
	__u32 type;
	__u32 protocol;
	__u32 at;
	__u32 verdict;
	__u32 reserved;
};

/* A mount that is created, changed or removed. An unknown value may be any value. */
struct mounting {
	__u32 operations : 6; /* VARMOR_MOUNT_ bits; several if the operation is not certain */
	__u32 nowhere : 1; /* 1: a new file system that is not mounted yet; only rules with its type match */
	__u32 found : 25; /* flags that the mount has already; deny rules check them, too */
	__u32 flags; /* flags given to mount(2) */
	struct dentry *source;
	struct mount *source_mount;
	struct dentry *target;
	struct mount *target_mount;
	const char *device; /* name of the device that the task gave for a new mount */
	char fstype[TYPE_BYTES];
};

/* The rules that match a path: the rules for all paths, and the rules in the set with this number. */
struct meant {
	__u32 all; /* 1: any rule may match */
	__u32 number;
};

/* State of a loop over rules about mounting (mount.bpf.c). */
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
	/*
	 * A path fills only the first half of a text. The second half leaves room for a name that begins at the end of
	 * the first half.
	 */
	union {
		struct {
			__u8 path[2 * PATH_BYTES];
			__u8 exe[2 * PATH_BYTES];
		};
		__u8 texts[2][2 * PATH_BYTES];
	};
	__u8 record[RECORD_BYTES];
};
_Static_assert(RECORD_BYTES >= VARMOR_SOCKET_RULES * sizeof(struct varmor_socket_rule),
	       "the room for rules about sockets");

static __always_inline __u8 *text_of(struct varmor_scratch *scratch, __u32 text)
{
	return scratch->texts[text & 1];
}

#endif
