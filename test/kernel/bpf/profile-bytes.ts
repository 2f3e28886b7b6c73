import { Buffer } from 'node:buffer'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import type { BpfProfile, Verdict } from '../../../src/profile/bpf/bpf-profile.ts'
import { privileged } from '../../profile/bpf/compiled.ts'

export const profileId = 42

const bitsOf = ({ deny, audit }: Verdict = { deny: false, audit: false }): number => (deny ? 1 : 0) | (audit ? 2 : 0)

/** A profile as native/bpf/varmor_profile.h has it, and behind it the table of its automaton. */
function encode({ files, capabilities, ptrace, userns, bpf, blockDevices }: BpfProfile): Buffer {
  const { automaton } = files
  const command = (name: string): number => bitsOf(bpf.find((one) => one.command === name))
  const numbers = [
    ...[profileId, 0, files.any, blockDevices],
    ...[0, automaton?.start ?? 0, automaton?.cells ?? 0, 0],
    ...(capabilities?.denyMask ?? [0, 0]),
    ...(capabilities?.auditMask ?? [0, 0]),
    ...[ptrace?.denyAll, ptrace?.denyOutside, ptrace?.auditAll, ptrace?.auditOutside].map((mask = 0) => mask),
    ...[bitsOf(userns), command('prog_load'), command('map_create'), 0],
  ]
  const head = Buffer.alloc(4 * numbers.length)
  for (const [i, number] of numbers.entries()) head.writeUInt32LE(number, 4 * i)
  return Buffer.concat([head, Buffer.from(automaton?.table ?? '', 'base64')])
}

/** The profile of a policy. */
export const profileBytes = (rules: EnhanceProtect): Buffer => encode(privileged(rules))
