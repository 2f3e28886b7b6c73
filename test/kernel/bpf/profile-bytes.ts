import { Buffer } from 'node:buffer'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import type { BpfProfile, EgressRules, SocketRule, Verdict } from '../../../src/profile/bpf/bpf-profile.ts'
import { parseBlock } from '../../../src/profile/bpf/ip-address.ts'
import { privileged } from '../../profile/bpf/compiled.ts'

export const profileId = 42
/** The number under which its network rules stand. */
const egress = 7

const bitsOf = ({ deny, audit }: Verdict = { deny: false, audit: false }): number => (deny ? 1 : 0) | (audit ? 2 : 0)

const words = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length)
  for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, 4 * i)
  return bytes
}

/** Behind its size. */
const part = (...pieces: Buffer[]): Buffer => {
  const bytes = Buffer.concat(pieces)
  return Buffer.concat([words(bytes.length), bytes])
}

/** Of a prefix such as `10.0.0.0/8`: how many of its bits count, and the bytes of its address. */
function prefixOf(text: string): { length: number; address: Buffer } {
  const { family, value, length } = parseBlock(text)!
  const bytes = family === 4 ? 4 : 16
  return { length, address: Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex') }
}

/** The entries of varmor_v4, varmor_v6 and varmor_ports. */
function egressParts(rules: EgressRules | undefined): Buffer {
  const { v4, v6, portSets } = rules?.table ?? { v4: [], v6: [], portSets: [] }
  const firsts = portSets.map((_, i) => portSets.slice(0, i).reduce((sum, set) => sum + set.length, 0))
  const entry = ([text, set]: [string, number]): Buffer => {
    const { length, address } = prefixOf(text)
    return Buffer.concat([words(32 + length, egress), address, words(firsts[set]!, portSets[set]!.length)])
  }
  const ranges = portSets.flat().map(([first, last, flags], i) => words(egress, i, first, last, flags, 0))
  return Buffer.concat([part(...v4.map(entry)), part(...v6.map(entry)), part(...ranges)])
}

const socketRule = ({ domainMask, protocolMask, typeMask, ...verdict }: SocketRule): Buffer =>
  words(...domainMask, ...protocolMask, typeMask, bitsOf(verdict))

const mostSocketRules = 512

/** A profile as native/bpf/varmor_profile.h has it, and behind it what else under-profile.c reads. */
function encode(profile: BpfProfile): Buffer {
  const { files, capabilities, ptrace, userns, bpf, blockDevices, sockets } = profile
  const { automaton } = files
  const command = (name: string): number => bitsOf(bpf.find((one) => one.command === name))
  const head = words(
    ...[profileId, 0, files.any, blockDevices],
    ...[0, automaton?.start ?? 0, automaton?.cells ?? 0, 0],
    ...(capabilities?.denyMask ?? [0, 0]),
    ...(capabilities?.auditMask ?? [0, 0]),
    ...[ptrace?.denyAll, ptrace?.denyOutside, ptrace?.auditAll, ptrace?.auditOutside].map((mask = 0) => mask),
    ...[bitsOf(userns), command('prog_load'), command('map_create')],
    ...[profile.egress === undefined ? 0 : egress, sockets.length, 0],
  )
  const rules = Buffer.alloc(24 * mostSocketRules)
  for (const [i, rule] of sockets.entries()) socketRule(rule).copy(rules, 24 * i)
  return Buffer.concat([head, rules, part(Buffer.from(automaton?.table ?? '', 'base64')), egressParts(profile.egress)])
}

/** The profile of a policy. */
export const profileBytes = (rules: EnhanceProtect): Buffer => encode(privileged(rules))
