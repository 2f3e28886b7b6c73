import { Value } from '@sinclair/typebox/value'
import type { Automaton, BpfProfile, MountRules, PatternSets } from './bpf-profile.ts'
import { CLASSES_BYTES } from './limits.ts'
import { bpfProfileSchema } from './profile-schema.ts'

const versions = 'use the same version for agent and manager, and apply the policy again'

/**
 * Parses the JSON of a BpfProfile that the agent loads. @returns the profile, or the reason why the JSON is not a
 * profile
 */
export function readBpfProfile(json: string): BpfProfile | string {
  const value = parsed(json)
  if (value === undefined) return `the BPF rules are not JSON: ${versions}`
  if (isOfOlderManager(value))
    return 'the manager is older than the agent, and its BPF rules lack fields that the agent needs; update the manager'
  if (Value.Check(bpfProfileSchema, value)) {
    const fault = faultOf(value)
    return fault === undefined ? value : `the BPF rules contradict themselves: ${fault}; ${versions}`
  }
  const error = Value.Errors(bpfProfileSchema, value).First()
  const where = error?.path === '' ? 'they are' : `${error?.path} is`
  return `this agent cannot read the BPF rules: ${where} not as expected (${error?.message}); ${versions}`
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // The caller reports the error: JSON has no undefined.
    return undefined
  }
}

/** A BpfContent of an older manager has lists of rules, but no mode (src/api/schema/armor-profile.ts). */
function isOfOlderManager(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'mode' in value) return false
  return !('files' in value) || Array.isArray(value.files)
}

/** Checks what the schema cannot express but the BPF programs rely on. */
function faultOf({ files, mounts, egress }: BpfProfile): string | undefined {
  const { v4 = [], v6 = [], portSets = [], own = 0 } = egress?.table ?? {}
  const ofOwn: [string, number][] = egress?.table.own === undefined ? [] : [['pod-self', own]]
  const noSet = [...v4, ...v6, ...ofOwn].find(([, set]) => set >= portSets.length)
  if (noSet !== undefined) return `the prefix ${noSet[0]} has no set of ports`
  return automatonFault(files.automaton, 'files') ?? (mounts === undefined ? undefined : mountFault(mounts))
}

function mountFault({ rules, sources, targets }: MountRules): string | undefined {
  const sides: [string, PatternSets][] = [
    ['sources of mounts', sources],
    ['targets of mounts', targets],
  ]
  for (const [side, { always, sets, automaton }] of sides) {
    if ([always, ...sets].some((numbers) => numbers.some((number) => number >= rules.length)))
      return `a set of ${side} refers to a missing rule`
    const fault = automatonFault(automaton, side, sets.length)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** @param sets the number of sets, if marks are indexes of sets */
function automatonFault(one: Automaton | undefined, of: string, sets?: number): string | undefined {
  if (one === undefined) return undefined
  const table = Buffer.from(one.table, 'base64')
  const accepts = CLASSES_BYTES + 4 * one.cells
  if (table.length !== one.bytes || table.length % 4 !== 0 || one.start >= one.cells || table.length <= accepts)
    return `the automaton of ${of} does not have the stated size`
  if (sets === undefined) return undefined
  for (let at = accepts; at < table.length; at += 4)
    if (table.readUInt32LE(at) >= sets) return `the automaton of ${of} refers to a missing set`
  return undefined
}
