import { type SocketFamily, socketFamilies, socketTypeNumbers } from '../api/linux-sockets.ts'
import type { MountOperationName } from '../profile/bpf/bpf-profile.ts'
import { operationOf } from '../profile/bpf/mount-flags.ts'
import { type Capability, capabilities } from '../rules/capabilities.ts'
import type { PtraceAccess, SocketType } from '../rules/meaning.ts'
import { flagBits } from './apparmor/read-profile.ts'
import { type FileAction, fileActions } from './operation.ts'

// Words of records and models, as AppArmor and the BPF programs write them.

/** Letters of AppArmor's masks (aa_file_perm_chrs in security/apparmor/lib.c). */
const byLetter: Readonly<Record<string, FileAction>> = {
  r: 'read',
  w: 'write',
  a: 'append',
  x: 'exec',
  m: 'map',
  c: 'create',
  d: 'delete',
  l: 'link',
  k: 'lock',
}

/**
 * The actions of a file permission; undefined if the word is unknown. In `rw`, `ix` and similar words, each letter is
 * an action.
 */
export function fileActionsOf(word: string): FileAction[] | undefined {
  const lower = word.toLowerCase()
  const known = fileActions.find((action) => action === lower)
  if (known !== undefined) return [known]
  const letters = [...lower.replace(/[pciu]+x/g, 'x')]
  const actions = letters.map((letter) => byLetter[letter])
  return letters.length > 0 && actions.every((action) => action !== undefined) ? [...new Set(actions)] : undefined
}

export const capabilityOf = (word: string): Capability | undefined => {
  const name = word.toLowerCase().replace(/^cap_/, '')
  return capabilities.find((one) => one === name)
}

export const familyOf = (word: string): SocketFamily | undefined => {
  const name = word.toLowerCase().replace(/^(?:af|pf)_/, '')
  return socketFamilies.find((one) => one === name)
}

export const socketTypeOf = (word: string): SocketType | undefined => {
  const name = word.toLowerCase().replace(/^sock_/, '')
  return (Object.keys(socketTypeNumbers) as SocketType[]).find((one) => one === name)
}

/** IPPROTO_ numbers by the names of <netinet/in.h> in lower case. */
// biome-ignore format: a table reads better
const protocols: Readonly<Record<string, number>> = {
  ip: 0, icmp: 1, igmp: 2, ipip: 4, tcp: 6, egp: 8, pup: 12, udp: 17, idp: 22, tp: 29, dccp: 33, ipv6: 41, rsvp: 46, gre: 47,
  esp: 50, ah: 51, icmpv6: 58, mtp: 92, beetph: 94, encap: 98, pim: 103, comp: 108, l2tp: 115, sctp: 132, udplite: 136,
  mpls: 137, ethernet: 143, raw: 255, smc: 256, mptcp: 262,
}

export function protocolOf(word: string): number | undefined {
  const name = word.toLowerCase().replace(/^ipproto_/, '')
  const number = /^(?:unknown\()?(\d{1,5})\)?$/.exec(name)?.[1]
  return number === undefined ? protocols[name] : Number(number)
}

export function ptraceAccessesOf(word: string): PtraceAccess[] | undefined {
  const words = word.toLowerCase().split(/[\s,]+/)
  const accesses = words.map((one) => (one === 'tracedby' ? 'traceby' : one))
  const known: readonly string[] = ['read', 'trace', 'readby', 'traceby']
  return accesses.every((one) => known.includes(one)) ? (accesses as PtraceAccess[]) : undefined
}

/**
 * The mount operation with these flags of mount(2). The word `umount` in a record is not a flag, but selects the
 * operation.
 */
export function mountingOf(words: readonly string[]): { operation: MountOperationName; flags: number } {
  const flags = words.reduce((all, word) => all | bitsOf(word), 0)
  if (words.includes('umount')) return { operation: 'umount', flags: 0 }
  return { operation: operationOf(flags), flags }
}

const bitsOf = (word: string): number => (/^0x[0-9a-f]{1,8}$/.test(word) ? Number(word) : flagBits(word))
