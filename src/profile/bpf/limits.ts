/** What one profile is given room for in the kernel, and how many there may be. */

/** Slots of varmor_profiles, by default and at most. The first slot and one more are not used. */
export const PROFILES = 1026
export const MAX_PROFILES = 16_384
/**
 * Bytes that all profiles may have of the kernel's memory: the default. The chart's limit for agents has to cover it
 * (docs/sizing.md).
 */
export const PROFILE_MEMORY = 128 * 1024 * 1024
/** Numbers of containers. The first number is not used. */
export const CONTAINERS = 16_384
export const MAX_CONTAINERS = 65_536

/**
 * What an automaton may take up: Linux 5.10 takes no larger value in a map (KMALLOC_MAX_SIZE, kernel/bpf/arraymap.c).
 */
export const MAX_TABLE_BYTES = 4 * 1024 * 1024

/** Most different mount rules: the kernel goes through the bits of those whose patterns match. */
export const MAX_MOUNT_RULES = 1024

/** Most different socket rules: the kernel goes through all of them. */
export const MAX_SOCKET_RULES = 512

/**
 * Entries of each of varmor_v4, varmor_v6 and varmor_ports, which the egress rules of all profiles share
 * (native/bpf/maps.h).
 */
export const EGRESS_ENTRIES = 1 << 20

/** Most prefixes of a family, and most port ranges. */
export const MAX_PREFIXES = 65_536
export const MAX_PORT_RANGES = 16_384

/**
 * Maximum addresses of Services and Pods in an ArmorProfile: every agent of the cluster reads all again when one
 * changes.
 */
export const MAX_EGRESS_ADDRESSES = 4_096

/** Most different targets of an ArmorProfile, each Services or Pods of one selector. */
export const MAX_EGRESS_TARGETS = 64

/** Bytes of the type of a filesystem that a mount rule compares. */
export const MAX_FSTYPE_BYTES = 15

/** Bytes of a table before its cells: the class of each byte. */
export const CLASSES_BYTES = 256
