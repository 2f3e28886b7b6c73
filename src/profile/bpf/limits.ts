/** Bounds of one profile in the kernel, and the maximum number of profiles. */

/** Slots of varmor_profiles: default and maximum. The first slot and one more slot are not used. */
export const PROFILES = 1026
export const MAX_PROFILES = 16_384
/**
 * Default limit for the kernel memory of all profiles together. The chart's memory limit for agents must cover it
 * (docs/sizing.md).
 */
export const PROFILE_MEMORY = 128 * 1024 * 1024
/** Numbers for containers: default and maximum. The first number is not used. */
export const CONTAINERS = 16_384
export const MAX_CONTAINERS = 65_536

/**
 * Maximum size of an automaton, because Linux 5.10 refuses larger values in a map (KMALLOC_MAX_SIZE,
 * kernel/bpf/arraymap.c).
 */
export const MAX_TABLE_BYTES = 4 * 1024 * 1024

/** Maximum number of mount rules: the kernel tests one bit for each rule. */
export const MAX_MOUNT_RULES = 1024

/** Maximum number of socket rules: the kernel compares all of them. */
export const MAX_SOCKET_RULES = 512

/** Maximum entries of each of varmor_v4, varmor_v6 and varmor_ports, which all profiles share (native/bpf/maps.h). */
export const EGRESS_ENTRIES = 1 << 20

/** Maximum prefixes of one address family, and maximum port ranges. */
export const MAX_PREFIXES = 65_536
export const MAX_PORT_RANGES = 16_384

/**
 * Maximum addresses of Services and Pods in an ArmorProfile: every agent reads all of them again when one address
 * changes.
 */
export const MAX_EGRESS_ADDRESSES = 4_096

/** Maximum targets of an ArmorProfile; a target is the Services or Pods of one selector. */
export const MAX_EGRESS_TARGETS = 64

/** Maximum length of a file system type that the kernel compares. */
export const MAX_FSTYPE_BYTES = 15

/** Bytes of a table before its cells: one class for each byte value. */
export const CLASSES_BYTES = 256
