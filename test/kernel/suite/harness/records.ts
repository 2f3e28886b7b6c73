import { type Capability, capabilities } from '../../../../src/rules/capabilities.ts'
import type { EventFields } from './expected-violation.ts'
import { linuxFrom } from './kernel-release.ts'
import { profileOf } from './profiles.ts'

/**
 * The record of a violation that AppArmor refuses. If AppArmor only reports the violation, the record has no denied
 * mask.
 */
export interface AppArmorRecord {
  /** The class of the operation, which Linux 6.2 and later report. */
  class: 'file' | 'net' | 'cap' | 'mount' | 'ptrace'
  /** The fields of libapparmor's record with a value other than zero or empty. */
  event: EventFields
  /** Key-value pairs of the record for which libapparmor's record has no field. */
  extra?: Readonly<Record<string, string>>
}

/** A request for a file. `mask` has the letters of a profile, or `c` to create and `d` to delete the file. */
export const fileRecord = (comm: string, operation: string, name: string, mask: string): AppArmorRecord => ({
  class: 'file',
  // Root owns both the process and the file.
  event: { operation, comm, name, requestedMask: mask, deniedMask: mask, fsuid: 0, ouid: 0 },
})

/**
 * The records of the creation of a socket.
 * @param unmatched the part of the socket that no rule allows, which Linux 6.17 and later report: `af` is the family
 */
export const socketRecords = (family: string, type: string, protocol: string, unmatched: 'af' | 'type' = 'type') => {
  const event = {
    ...{ operation: 'create', comm: 'attempt', requestedMask: 'create', deniedMask: 'create' },
    ...{ netFamily: family, netSockType: type, netProtocol: protocol },
  }
  const why = linuxFrom(6, 17) ? { info: `failed ${unmatched} match`, errorCode: 13 } : {}
  return {
    records: [{ class: 'net' as const, event: { ...event, ...why } }],
    observed: [{ class: 'net' as const, event }],
  }
}

export const capabilityRecord = (comm: string, name: Capability): AppArmorRecord => ({
  class: 'cap',
  event: { operation: 'capable', comm, name },
  extra: { capability: String(capabilities.indexOf(name)) },
})

/**
 * The records of a program that reads a whole file: the open, and if that is allowed, the request for the file's size.
 */
export const readRecords = (comm: string, name: string) => ({
  records: [fileRecord(comm, 'open', name, 'r')],
  observed: [fileRecord(comm, 'open', name, 'r'), fileRecord(comm, 'getattr', name, 'r')],
})

/** The records of a shell that overwrites an existing file, which it truncates when it opens the file. */
export const overwriteRecords = (name: string) => ({
  records: [fileRecord('sh', 'open', name, 'wc')],
  observed: [fileRecord('sh', 'open', name, 'wc'), fileRecord('sh', 'truncate', name, 'w')],
})

/** The records of an exec. An allowed program stays in the profile. */
export const runRecords = (comm: string, name: string, rule: string) => {
  const { event, ...record } = fileRecord(comm, 'exec', name, 'x')
  const stays = { name2: profileOf(rule, 'observed'), info: 'ix fallback' }
  return { records: [{ ...record, event }], observed: [{ ...record, event: { ...event, ...stays } }] }
}

interface Mount {
  /** Name of the program; default: test/kernel/images/probes/attempt.c. */
  comm?: string
  /** Type of the file system; undefined for a bind mount. */
  fsType?: string
  srcName: string
  flags?: string
  extra?: Readonly<Record<string, string>>
}

/** The records of a mount on /mnt. */
export const mountRecords = ({ extra, ...fields }: Mount) => {
  const event = { operation: 'mount', comm: 'attempt', name: '/mnt/', ...fields }
  const record = { class: 'mount' as const, ...(extra !== undefined && { extra }) }
  return {
    records: [{ ...record, event: { ...event, info: 'failed perms check', errorCode: 13 } }],
    observed: [{ ...record, event }],
  }
}

/** The record of an unmount of /mnt with umount(8). */
export const umountRecord: AppArmorRecord = {
  class: 'mount',
  event: { operation: 'umount', comm: 'umount', name: '/mnt/' },
}
