import { type FieldError, join } from '../../api/field-error.ts'
import { filePermissions } from '../../api/schema/bpf-rules.ts'
import type { ModelBpf } from '../../api/types.ts'
import { capabilities } from '../../rules/capabilities.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import { isOfProcesses, namesWithin } from '../protected-paths.ts'
import type { Allowed } from './allowed.ts'
import { allowedSockets } from './allowed-sockets.ts'
import { compileAutomaton } from './automaton.ts'
import {
  AUDIT_SHIFT,
  type BpfProfile,
  CARRY,
  type CapabilityRules,
  type EgressRules,
  type FileRules,
  fileFlags,
  type Mask64,
  type MountRules,
  mountOperations,
  type PtraceRules,
  ptraceAccess,
  type Verdict,
} from './bpf-profile.ts'
import { emptyDraft } from './draft.ts'
import { allBlocks, blocksOfAddress, compileEgress, type EgressRule } from './egress.ts'
import { automatonOf } from './file-table.ts'
import { bitMarks } from './marks.ts'
import { ALL_MOUNT_FLAGS, flagsOfMounts, kernelTypeOf } from './mount-flags.ts'
import { mountRules } from './mount-table.ts'
import { ALLOW, AUDIT, DENY, type Ports } from './port-set.ts'
import { own } from './restrictions.ts'
import { tooLargeErrors } from './too-large.ts'

/**
 * An allow list does not protect parent directories, so it does not need the flag `way`. Until the automaton is built,
 * the bit of `way` represents CARRY.
 */
const { read, write, append, exec, way: carry } = fileFlags
const every = read | write | append | exec | carry
const change = write | append

/** The flags that a path needs, by the names of accesses in recordings and in rules. */
const flagsOfAccess = new Map<string, number>([
  ['read', read],
  ['write', change],
  ['append', append],
  ['exec', exec],
  ...['create', 'delete', 'setattr', 'chmod', 'chown'].map((name): [string, number] => [name, change]),
  ...['rename', 'link'].map((name): [string, number] => [name, change | carry]),
  ['getattr', 0],
  ['all', every],
])
for (const [name, others] of Object.entries(filePermissions))
  for (const other of others) flagsOfAccess.set(other, flagsOfAccess.get(name)!)

/** Looks up names and patterns, and collects the errors. */
class Reader {
  readonly errors: FieldError[] = []

  pattern(text: string, path: string): PathPattern | undefined {
    const parsed = parsePathPattern(text)
    if (parsed.ok) return parsed.pattern
    this.errors.push({ code: 'BAD_PATTERN', path, given: text, problem: parsed.problem })
    return undefined
  }

  /** @returns the value of a name; undefined after an error, if the name has no value */
  word<T>(name: string, values: ReadonlyMap<string, T>, path: string): T | undefined {
    const value = values.get(name.toLowerCase())
    if (value === undefined) {
      const allowed = [...values.keys()].join(', ')
      this.errors.push({
        code: 'NOT_ALLOWED',
        path,
        given: name,
        problem: 'the name is not known',
        allowed,
      })
    }
    return value
  }
}

const flagsOf = ({ deny, audit }: Verdict, flags: number): number =>
  (deny ? flags : 0) | (audit ? flags << AUDIT_SHIFT : 0)

/**
 * The automaton has three groups of flags: of literal paths, of recorded patterns (shifted by BY_PATTERN), and of
 * accesses that a recorded pattern does not allow (shifted by EXCLUDED). `allowedOf` combines the groups.
 */
const BY_PATTERN = 5
const EXCLUDED = 10

interface AllowedPath {
  pattern: PathPattern
  /** May be shifted by `BY_PATTERN` or `EXCLUDED`. */
  flags: number
  from: string
}

/** A pattern that matches only this path: a star in the path is a literal character. */
const itself = (path: string): PathPattern => ({ text: path, tokens: [{ kind: 'bytes', bytes: path }] })

const isPattern = ({ oldPath = '' }: { oldPath?: string }): boolean => oldPath !== ''

function allowedPaths(all: readonly Allowed[], reader: Reader): AllowedPath[] {
  const paths: AllowedPath[] = []
  const add = (text: string, flags: number, from: string, literal: boolean): void => {
    const isStarred = literal && text.includes('*')
    const pattern = isStarred ? itself(text) : reader.pattern(text, from)
    if (pattern !== undefined && flags !== 0) paths.push({ pattern, flags, from })
  }
  for (const { behaviour, path, recorded = false } of all) {
    for (const [i, text] of (behaviour.executions ?? []).entries())
      add(text, exec, join(join(path, 'executions'), i), recorded)
    for (const [i, file] of (behaviour.files ?? []).entries()) {
      const at = join(join(path, 'files'), i)
      const flags = file.permissions.map(
        (name, k) => reader.word(name, flagsOfAccess, join(join(at, 'permissions'), k)) ?? 0,
      )
      const union = flags.reduce((some, one) => some | one, 0)
      const shift = recorded && isPattern(file) && !isOfProcesses(file.path) ? BY_PATTERN : 0
      add(file.path, union << shift, join(at, 'path'), recorded && !isPattern(file))
    }
    // A mount covers the files below its mount point.
    for (const [i, { path: target }] of (behaviour.mounts ?? []).entries())
      add(target, change | carry, join(join(join(path, 'mounts'), i), 'path'), recorded)
  }
  return merged([...paths, ...paths.flatMap(excluded)])
}

/** Paths that a recorded pattern matches but does not allow: names that a built-in rule protects in any directory. */
function excluded({ pattern, flags, from }: AllowedPath): AllowedPath[] {
  const given = (flags >> BY_PATTERN) & every
  const access = accessNames.filter((name) => (given & fileFlags[name]) !== 0)
  if (access.length === 0) return []
  return namesWithin(pattern, new Set(access)).map((one) => {
    const denied = [...one.deny].reduce((some, name) => some | (name === 'write' ? change : fileFlags[name]), 0)
    return { pattern: one.pattern, flags: denied << EXCLUDED, from }
  })
}

const accessNames = ['read', 'write', 'append', 'exec'] as const

/** The accesses that the marks of a path allow. */
const allowedOf = (marks: number): number => (marks & every) | ((marks >> BY_PATTERN) & ~(marks >> EXCLUDED) & every)

function merged(paths: readonly AllowedPath[]): AllowedPath[] {
  const byText = new Map<string, AllowedPath>()
  for (const one of paths) {
    const key = `${one.pattern.text}\0${one.pattern.tokens.length}`
    const known = byText.get(key)
    if (known === undefined) byText.set(key, { ...one })
    else known.flags |= one.flags
  }
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

const inKernel = (flags: number): number => (flags & carry ? (flags & ~carry) | CARRY : flags)

/** Builds the automaton for the kernel. The marks of a path are the flags of accesses that the list does not allow. */
function fileRules(paths: readonly AllowedPath[], verdict: Verdict, errors: FieldError[]): FileRules {
  const rules: FileRules = {
    rules: [],
    any: flagsOf(verdict, every | CARRY),
  }
  const anything = ['/', '/**'].map((text) => ({ pattern: own(text), accept: 1 << 16, way: 0 }))
  const patterns = [...anything, ...paths.map(({ pattern, flags }) => ({ pattern, accept: flags, way: 0 }))]
  const compiled = compileAutomaton(patterns, bitMarks, (marks) =>
    marks === 0 ? 0 : flagsOf(verdict, inKernel(every & ~allowedOf(marks))),
  )
  if (compiled.ok) return { ...rules, automaton: automatonOf(compiled.table) }
  const places = [
    ...anything.map(() => ({ from: '', given: '' })),
    ...paths.map(({ pattern, from }) => ({ from, given: pattern.text })),
  ]
  errors.push(...tooLargeErrors(compiled, places))
  return rules
}

const everyBit: Mask64 = [0xffff_ffff, 0xffff_ffff]
const none: Mask64 = [0, 0]

const capabilityNames = new Map(
  capabilities.flatMap((name): [string, number][] => {
    const number = capabilities.indexOf(name)
    return [
      [name, number],
      [`cap_${name}`, number],
    ]
  }),
)

function allowedCapabilities(all: readonly Allowed[], reader: Reader): Set<number> {
  const allowed = new Set<number>()
  for (const { behaviour, path } of all)
    for (const [i, name] of (behaviour.capabilities ?? []).entries()) {
      const number = reader.word(name, capabilityNames, join(join(path, 'capabilities'), i))
      if (number !== undefined) allowed.add(number)
    }
  return allowed
}

/** Also refuses capabilities that this program does not know. */
function capabilityRules(allowed: ReadonlySet<number>, { deny, audit }: Verdict): CapabilityRules {
  const mask: Mask64 = [...everyBit]
  for (const number of allowed) mask[number < 32 ? 0 : 1] &= ~(1 << (number % 32))
  const left: Mask64 = [mask[0] >>> 0, mask[1] >>> 0]
  const names = capabilities.filter((_, number) => !allowed.has(number))
  return {
    deny: deny ? names : [],
    audit: audit ? names : [],
    denyMask: deny ? left : none,
    auditMask: audit ? left : none,
  }
}

const tracing = new Map(Object.entries(ptraceAccess))

/**
 * A recording contains ps, or an access by a program of the node such as the agent, only by chance. So, as with
 * AppArmor, processes may always read each other within the container, and any process may read them.
 */
function ptraceRules(all: readonly Allowed[], { deny, audit }: Verdict, reader: Reader): PtraceRules {
  const { read, readby } = ptraceAccess
  let within: number = read | readby
  let outside: number = readby
  for (const { behaviour, path } of all)
    for (const [i, { permissions, external = false }] of (behaviour.ptraces ?? []).entries())
      for (const [k, name] of permissions.entries()) {
        const at = join(join(join(join(path, 'ptraces'), i), 'permissions'), k)
        const bit = reader.word(name, tracing, at) ?? 0
        within |= bit
        if (external) outside |= bit
      }
  const [closed, closedOutside] = [15 & ~within, 15 & ~outside]
  return {
    rules: [],
    denyAll: deny ? closed : 0,
    denyOutside: deny ? closedOutside : 0,
    auditAll: audit ? closed : 0,
    auditOutside: audit ? closedOutside : 0,
  }
}

function egressRules(all: readonly Allowed[], verdict: Verdict, errors: FieldError[]): EgressRules {
  const rules: EgressRule[] = [
    { blocks: allBlocks(), ports: [], flags: (verdict.deny ? DENY : 0) | (verdict.audit ? AUDIT : 0) },
  ]
  const from: { from: string; given: string }[] = [{ from: '', given: '' }]
  for (const { behaviour, path } of all)
    for (const [i, { ip, ports }] of (behaviour.network?.egresses ?? []).entries()) {
      const at = join(join(join(path, 'network'), 'egresses'), i)
      const blocks = blocksOfAddress(ip)
      if (blocks === undefined) {
        const problem = 'must be an IP address or a CIDR block'
        errors.push({ code: 'BAD_ADDRESS', path: join(at, 'ip'), given: ip, problem })
      } else {
        rules.push({ blocks, ports: ports.map((port): Ports => ({ port })), flags: ALLOW })
        from.push({ from: at, given: ip })
      }
    }
  const compiled = compileEgress(rules)
  if (!compiled.ok) errors.push(...tooLargeErrors(compiled, from))
  return {
    destinations: [],
    references: [],
    table: compiled.ok ? compiled.table : { v4: [], v6: [], portSets: [] },
  }
}

function mountsOf(all: readonly Allowed[], verdict: Verdict, reader: Reader): MountRules | undefined {
  const draft = emptyDraft()
  const operations = Object.keys(mountOperations) as (keyof typeof mountOperations)[]
  draft.mounts.push({ ...verdict, from: '', operations, set: ALL_MOUNT_FLAGS, clear: ALL_MOUNT_FLAGS })
  for (const { behaviour, path } of all)
    for (const [i, { path: target, type, flags = [] }] of (behaviour.mounts ?? []).entries()) {
      const from = join(join(path, 'mounts'), i)
      const pattern = reader.pattern(target, join(from, 'path'))
      const isNew = type !== undefined && type !== '' && type !== 'none'
      const given = flagsOfMounts(flags, isNew)
      if (typeof given === 'string') {
        const problem = 'this is not a flag of mount(2)'
        reader.errors.push({ code: 'NOT_ALLOWED', path: join(from, 'flags'), given, problem })
      } else if (pattern !== undefined) {
        const clear = (ALL_MOUNT_FLAGS & ~given.flags) >>> 0
        const rule = { deny: false, audit: false, allow: true, from, set: 0, clear, target: pattern } as const
        // Only a new mount has a type.
        for (const operation of given.operations)
          draft.mounts.push({
            ...rule,
            operations: [operation],
            ...(isNew && operation === 'new' && { fstype: kernelTypeOf(type) }),
          })
      }
    }
  return mountRules(draft, reader.errors)
}

/** The union of all lists, for readers. */
function together(all: readonly Allowed[]): ModelBpf {
  const lists = all.map(({ behaviour }) => behaviour)
  return {
    executions: lists.flatMap(({ executions = [] }) => executions),
    files: lists.flatMap(({ files = [] }) => files),
    capabilities: lists.flatMap((one) => one.capabilities ?? []),
    network: {
      sockets: lists.flatMap(({ network }) => network?.sockets ?? []),
      egresses: lists.flatMap(({ network }) => network?.egresses ?? []),
    },
    ptraces: lists.flatMap(({ ptraces = [] }) => ptraces),
    mounts: lists.flatMap(({ mounts = [] }) => mounts),
  }
}

const blockDevice = /^\/dev\/(?:[shvx]?v?d[a-z]|nvme|dm-|loop|md|mmcblk|sr|mapper|block|disk|\*)/

/**
 * The profile of a container that may do only what the lists allow. `verdict` applies to all other accesses.
 * @returns the profile; unusable if there are errors
 */
export function allowListProfile(all: readonly Allowed[], verdict: Verdict, errors: FieldError[]): BpfProfile {
  const reader = new Reader()
  const paths = allowedPaths(all, reader)
  const allowed = allowedCapabilities(all, reader)
  const mounts = mountsOf(all, verdict, reader)
  const usesDisks = paths.some(({ pattern }) => blockDevice.test(pattern.text))
  const profile: BpfProfile = {
    mode: 'enforce',
    unlisted: verdict,
    allowed: together(all),
    files: fileRules(paths, verdict, reader.errors),
    ...(mounts !== undefined && { mounts }),
    capabilities: capabilityRules(allowed, verdict),
    sockets: allowedSockets(all, verdict, reader.errors),
    egress: egressRules(all, verdict, reader.errors),
    ptrace: ptraceRules(all, verdict, reader),
    userns: verdict,
    userfaultfd: verdict,
    // Models do not record commands of bpf(2), but a workload that uses BPF needs this capability.
    bpf: allowed.has(capabilities.indexOf('bpf'))
      ? []
      : [
          { command: 'prog_load', ...verdict },
          { command: 'map_create', ...verdict },
        ],
    blockDevices: usesDisks ? 0 : flagsOf(verdict, read | write | append | exec),
  }
  errors.push(...reader.errors)
  return profile
}
