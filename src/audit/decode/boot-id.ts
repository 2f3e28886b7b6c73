/** 48 bits, enough for ids that are unique among a cluster's boots. */
const digits = 12

/** The short form of the id of a boot (`/proc/sys/kernel/random/boot_id`): its first digits. */
export const shortBootID = (bootID: string): string => bootID.trim().replaceAll('-', '').slice(0, digits)
