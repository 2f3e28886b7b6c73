import { socketFamilies, socketTypeNumbers } from '../../api/linux-sockets.ts'
import { AUDIT_SHIFT, type BpfProfile, CARRY, fileFlags, ptraceAccess } from '../../profile/bpf/bpf-profile.ts'
import { ALL_MOUNT_FLAGS } from '../../profile/bpf/mount-flags.ts'
import { capabilities } from '../../rules/capabilities.ts'
import { socketTypes } from '../../rules/meaning.ts'
import { bpfJudge } from '../bpf-judge.ts'
import { machineOf } from '../bpf-machine.ts'
import { searchBoth } from '../machine.ts'
import type { Judge, Operation } from '../operation.ts'
import { compareEgress } from './compare-egress.ts'
import { type Becomes, changesOf, type Differences } from './difference.ts'

/** Maximum number of state pairs that are visited. */
const MAX_PAIRS = 400_000

const enforcer = 'BPF' as const

export function compareBpf(before: BpfProfile, after: BpfProfile, found: Differences): void {
  if (before.mode !== after.mode)
    found.addRule({
      enforcer,
      becomes: 'rules',
      what: after.mode === 'complain' ? 'everything is allowed and reported' : 'the rules are enforced',
    })
  compareFiles(before, after, found)
  compareFlags('block devices', before.blockDevices, after.blockDevices, undefined, found)
  compareFlags('paths that are too long to check', before.files.any, after.files.any, undefined, found)
  const [old, made] = [before, after].map(bpfJudge) as [Judge, Judge]
  for (const [what, operation] of plainOperations()) compareOperation(what, operation, old, made, found)
  compareSockets(before, after, old, made, found)
  compareEgress(before.egress, after.egress, found)
  compareTexts('rules about mounting', mountTexts(before), mountTexts(after), found)
  compareTexts('rules about Services, Pods and pod-self', referenceTexts(before), referenceTexts(after), found)
}

const { way, ...accesses } = fileFlags

/** The differences between two sets of access flags: each kind of change, with the names of the accesses. */
function accessChanges(before: number, after: number): [Becomes, string][] {
  const byChange = new Map<Becomes, string[]>()
  for (const [name, bit] of [...Object.entries(accesses), ['renaming a directory', way] as const]) {
    const bits = (flags: number): number => (flags & bit ? 1 : 0) | ((flags >> AUDIT_SHIFT) & bit ? 2 : 0)
    for (const change of changesOf(bits(before), bits(after)))
      byChange.set(change, [...(byChange.get(change) ?? []), name])
  }
  const carried = (flags: number): number => (flags & CARRY ? 1 : 0) | ((flags >> AUDIT_SHIFT) & CARRY ? 2 : 0)
  // CARRY (rename or link a file) is independent of other accesses only in lists of allowed files. So compare this flag
  // only if no other flag differs.
  if (byChange.size === 0)
    for (const change of changesOf(carried(before), carried(after))) byChange.set(change, ['giving it another name'])
  return Array.from(byChange, ([change, names]) => [change, withoutAppend(names).join(', ')])
}

/** Removes `append` from names that include `write`, because writing includes appending. */
const withoutAppend = (names: readonly string[]): string[] =>
  names.filter((name) => name !== 'append' || !names.includes('write'))

function compareFlags(
  of: string,
  before: number,
  after: number,
  example: (() => string) | undefined,
  found: Differences,
): void {
  for (const [becomes, names] of accessChanges(before, after))
    if (example === undefined) found.addName({ enforcer, becomes, what: of }, names)
    else found.addExample({ enforcer, becomes, what: `${of}: ${names}` }, example)
}

function compareFiles({ files: before }: BpfProfile, { files: after }: BpfProfile, found: Differences): void {
  const same = before.automaton?.table === after.automaton?.table && before.automaton?.start === after.automaton?.start
  if (same) return
  const [old, made] = [machineOf(before.automaton), machineOf(after.automaton)]
  const { complete } = searchBoth(
    old,
    made,
    (a, b, path) => {
      const [one, other] = [old.marks(a), made.marks(b)]
      if (one !== other) compareFlags('files', one, other, () => path().toString(), found)
      return false
    },
    { max: MAX_PAIRS, directories: false },
  )
  if (!complete) found.incomplete.push({ enforcer, why: 'the rules about files have too many cases to compare' })
}

/** Operations without a path, an address or a kind of socket. */
function plainOperations(): [what: string, operation: Operation][] {
  return [
    ...capabilities.map((name): [string, Operation] => ['capabilities', { kind: 'capability', name }]),
    ...(Object.keys(ptraceAccess) as (keyof typeof ptraceAccess)[]).flatMap((access): [string, Operation][] => [
      ['tracing in the container', { kind: 'ptrace', access, isOutside: false }],
      ['tracing outside the container', { kind: 'ptrace', access, isOutside: true }],
    ]),
    ['user namespaces', { kind: 'userns' }],
    ['userfaultfd objects', { kind: 'userfaultfd' }],
    ...['prog_load', 'map_create'].map((command): [string, Operation] => ['bpf(2)', { kind: 'bpf', command }]),
  ]
}

const bitsOf = { denied: 1, audited: 2, allowed: 0, unknown: 0 } as const

/** The word that distinguishes an operation from other operations of its kind. */
function wordOf(operation: Operation): string | undefined {
  switch (operation.kind) {
    case 'capability':
      return operation.name
    case 'ptrace':
      return operation.access
    case 'bpf':
      return operation.command
    default:
      return undefined
  }
}

function compareOperation(what: string, operation: Operation, old: Judge, made: Judge, found: Differences): void {
  const [before, after] = [old(operation).outcome, made(operation).outcome]
  for (const becomes of changesOf(bitsOf[before], bitsOf[after])) {
    const word = wordOf(operation)
    if (word === undefined) found.addRule({ enforcer, becomes, what })
    else found.addName({ enforcer, becomes, what }, word)
  }
}

/** The protocols that rules can name, and one protocol that represents all others. */
const protocols = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58, others: 132 }

function compareSockets(before: BpfProfile, after: BpfProfile, old: Judge, made: Judge, found: Differences): void {
  if (JSON.stringify(before.sockets) === JSON.stringify(after.sockets)) return
  for (const domain of socketFamilies) {
    const kinds = new Map<Becomes, string[]>()
    for (const type of socketTypes)
      for (const [name, protocol] of Object.entries(protocols)) {
        const operation: Operation = { kind: 'socket', domain, type, protocol }
        const changes = changesOf(bitsOf[old(operation).outcome], bitsOf[made(operation).outcome])
        for (const change of changes) kinds.set(change, [...(kinds.get(change) ?? []), `${type} ${name}`])
      }
    for (const [becomes, words] of kinds)
      found.addName({ enforcer, becomes, what: 'sockets' }, `${domain}${ofKinds(words)}`)
  }
}

const allKinds = Object.keys(socketTypeNumbers).length * Object.keys(protocols).length
const ofKinds = (words: readonly string[]): string => (words.length === allKinds ? '' : ` (${words.join(', ')})`)

const mountTexts = ({ mounts }: BpfProfile): string[] =>
  (mounts?.rules ?? []).map(({ allow, deny, audit, operations, set, clear, fstype, source, target }) => {
    const verdict = [...(allow === true ? ['allow'] : []), ...(deny ? ['deny'] : []), ...(audit ? ['audit'] : [])].join(
      ' ',
    )
    const flags = set === ALL_MOUNT_FLAGS ? '' : ` flags ${set.toString(16)} not ${clear.toString(16)}`
    const type = fstype === undefined ? '' : ` type ${fstype}`
    return `${verdict} ${operations.join(',')}${type}${flags} ${source ?? 'anything'} -> ${target ?? 'anywhere'}`
  })
const referenceTexts = ({ egress }: BpfProfile): string[] =>
  (egress?.references ?? []).map((rule) => JSON.stringify(rule))

/** Adds the rules that only one profile has. */
function compareTexts(what: string, before: readonly string[], after: readonly string[], found: Differences): void {
  const [old, made] = [new Set(before), new Set(after)]
  for (const text of before)
    if (!made.has(text)) found.addRule({ enforcer, becomes: 'rules', what: `${what}, removed` }, text)
  for (const text of after)
    if (!old.has(text)) found.addRule({ enforcer, becomes: 'rules', what: `${what}, added` }, text)
}
