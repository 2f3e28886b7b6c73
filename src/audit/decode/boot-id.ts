/** Hexadecimal digits of a short id. 48 bits are enough to distinguish all boots in a cluster. */
const digits = 12

/** The first digits of a boot's id (`/proc/sys/kernel/random/boot_id`). */
export const shortBootID = (bootID: string): string => bootID.trim().replaceAll('-', '').slice(0, digits)
