import { Buffer } from 'node:buffer'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import {
  type Automaton,
  type BpfProfile,
  type EgressRules,
  type MountRule,
  type MountRules,
  mountOperations,
  type PatternSets,
  type SocketRule,
  type Verdict,
} from '../../../src/profile/bpf/bpf-profile.ts'
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
const mostMountRules = 1024

/** A set of mount rules as bits. */
function ruleSet(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(mostMountRules / 8)
  for (const number of numbers) bytes[number >> 3]! |= 1 << (number & 7)
  return bytes
}

const tableOf = (automaton: Automaton | undefined): Buffer => Buffer.from(automaton?.table ?? '', 'base64')

const automatonWords = (automaton: Automaton | undefined): Buffer =>
  words(0, automaton?.start ?? 0, automaton?.cells ?? 0, 0)

const pathSets = ({ always, automaton }: PatternSets): Buffer =>
  Buffer.concat([ruleSet(always), automatonWords(automaton), words(0, 0)])

function mountRule({ operations, set, clear, fstype = '', ...verdict }: MountRule): Buffer {
  const bits = operations.reduce((mask, name) => mask | mountOperations[name], 0)
  const type = Buffer.alloc(16)
  type.write(fstype)
  return Buffer.concat([words(bits, set, clear, bitsOf(verdict)), type])
}

/** A struct varmor_mounts, and the tables that it refers to. */
function mountParts(mounts: MountRules | undefined): Buffer {
  const none: PatternSets = { always: [], sets: [[]] }
  const { rules, sources, targets } = mounts ?? { rules: [], sources: none, targets: none }
  const room = Buffer.alloc(32 * (mostMountRules - rules.length))
  const sides = [sources, targets]
  return Buffer.concat([
    part(words(rules.length, 0), ...sides.map(pathSets), ...rules.map(mountRule), room),
    ...sides.flatMap(({ automaton, sets }) => [part(tableOf(automaton)), part(...sets.map(ruleSet))]),
  ])
}

/** A profile as native/bpf/varmor_profile.h has it, and behind it what else under-profile.c reads. */
function encode(profile: BpfProfile): Buffer {
  const { files, capabilities, ptrace, userns, bpf, blockDevices, sockets } = profile
  const command = (name: string): number => bitsOf(bpf.find((one) => one.command === name))
  const numbers = words(
    ...(capabilities?.denyMask ?? [0, 0]),
    ...(capabilities?.auditMask ?? [0, 0]),
    ...[ptrace?.denyAll, ptrace?.denyOutside, ptrace?.auditAll, ptrace?.auditOutside].map((mask = 0) => mask),
    ...[bitsOf(userns), command('prog_load'), command('map_create')],
    ...[profile.egress === undefined ? 0 : egress, sockets.length, profile.mounts === undefined ? 0 : 1],
  )
  const rules = Buffer.alloc(24 * mostSocketRules)
  for (const [i, rule] of sockets.entries()) socketRule(rule).copy(rules, 24 * i)
  const head = [words(profileId, 0, files.any, blockDevices), automatonWords(files.automaton), numbers, rules]
  return Buffer.concat([
    ...head,
    part(tableOf(files.automaton)),
    egressParts(profile.egress),
    mountParts(profile.mounts),
  ])
}

/** The profile of a policy. */
export const profileBytes = (rules: EnhanceProtect): Buffer => encode(privileged(rules))
