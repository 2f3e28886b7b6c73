import type { DynamicResult } from '../../api/types.ts'
import { BoundedMap } from './bounded-map.ts'
import { type LeftOut, type LeftOutKind, LeftOuts } from './left-out.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { LostNames } from './lost-names.ts'
import type { Recorder } from './permissions.ts'
import { RecorderFacts } from './recorder-facts.ts'
import { type Quota, QuotaWithin, unlimited } from './room.ts'
import { addWords, dropWords, joinWords, newWords, type Words, wordsOf } from './words.ts'

export interface SocketFact {
  domain?: string
  type?: string
  protocol?: string
}

export interface PtraceFact {
  /** The AppArmor label of the other process. */
  peer?: string
  permissions: readonly string[]
  /** Whether the other process is outside the container. */
  external?: boolean
}

export interface SignalFact {
  peer: string
  permissions: readonly string[]
  signals: readonly string[]
}

export interface MountFact {
  path: string
  type?: string
  flags?: readonly string[]
}

export interface FileUse {
  path: string
  /** Letters of AppArmor (`['r', 'w']` or `['rw']`), or words of BPF violations. */
  permissions: readonly string[]
  /** Whether the file belongs to the user who used it. Absent for BPF, which does not report the owner. */
  owner?: boolean
}

/** The recorded behaviour in the form in which it is sent and stored. */
export interface Recorded {
  result: DynamicResult
  leftOut: LeftOut[]
}

interface Signal {
  permissions: Words
  signals: Words
}

function joinSignals(into: Signal, from: Signal): void {
  joinWords(into.permissions, from.permissions)
  joinWords(into.signals, from.signals)
}

function dropSignal({ permissions, signals }: Signal): void {
  dropWords(permissions)
  dropWords(signals)
}

/**
 * The behaviour of a workload: each fact once, in bounded memory (`Limits`). Facts beyond the limits are left out,
 * counted and named. The order of facts does not change the result, except beyond `limits.nodes` and the limits in
 * bytes: then directories keep fewer names, and earlier facts have priority.
 */
export class Behaviour {
  private readonly facts: Record<Recorder, RecorderFacts>
  private readonly profiles: Words
  private readonly unhandled: Words
  private readonly signals: BoundedMap<Signal>
  /** Flags by JSON of path and type. */
  private readonly mounts: BoundedMap<Words>
  private readonly syscalls: Words
  private readonly tooLong = new LostNames()
  private readonly earlier = new LeftOuts()
  private readonly limits: Limits
  private readonly room: QuotaWithin
  private readonly others: QuotaWithin

  /** @param outer a quota that several behaviours share */
  constructor(limits: Limits = defaultLimits, outer: Quota = unlimited) {
    this.limits = limits
    const room = new QuotaWithin(Number.POSITIVE_INFINITY, outer)
    const others = new QuotaWithin(limits.otherBytes, room)
    this.room = room
    this.others = others
    const factsOf = (recorder: Recorder) => new RecorderFacts(recorder, limits, room, others)
    this.facts = { appArmor: factsOf('appArmor'), bpf: factsOf('bpf') }
    this.profiles = newWords(limits.profiles, others)
    this.unhandled = newWords(limits.unhandled, others)
    this.signals = new BoundedMap(limits.peers, joinSignals, others, dropSignal)
    this.mounts = new BoundedMap(limits.mounts, joinWords, others, dropWords)
    this.syscalls = newWords(limits.syscalls, others)
  }

  /** The approximate size of this behaviour in bytes: see `Limits`. */
  get bytes(): number {
    return this.room.taken
  }

  private readonly newFlags = () => newWords(this.limits.words, this.others)
  private readonly newSignal = (): Signal => ({ permissions: this.newFlags(), signals: this.newFlags() })

  private fits(...texts: readonly (string | undefined)[]): boolean {
    const long = texts.find((text) => text !== undefined && text.length > this.limits.name)
    if (long !== undefined) this.tooLong.add(long)
    return long === undefined
  }

  /** Adds an AppArmor profile in which the workload ran. */
  addProfile(name: string): void {
    if (this.fits(name)) addWords(this.profiles, [name])
  }

  /** Adds the text of an AppArmor record that does not fit any kind of fact. */
  addUnhandled(record: string): void {
    if (this.fits(record)) addWords(this.unhandled, [record])
  }

  addExecution(recorder: Recorder, path: string): void {
    this.facts[recorder].addExecution(path)
  }

  addFile(recorder: Recorder, { path, permissions, owner = false }: FileUse): void {
    this.facts[recorder].addFile(path, permissions, owner)
  }

  /**
   * Adds a pattern (`src/profile/path-pattern.ts`) that replaces the files that it matches. `example` is one of these
   * files.
   */
  addPattern(recorder: Recorder, example: string, { path, permissions, owner = false }: FileUse): void {
    this.facts[recorder].addPattern(path, example, permissions, owner)
  }

  addCapability(recorder: Recorder, name: string): void {
    if (this.fits(name)) addWords(this.facts[recorder].capabilities, [name])
  }

  addSocket(recorder: Recorder, { domain = '', type = '', protocol = '' }: SocketFact): void {
    if (!this.fits(domain, type, protocol)) return
    addWords(this.facts[recorder].sockets, [JSON.stringify([domain, type, protocol])])
  }

  addEgress(recorder: Recorder, ip: string, port: number): void {
    if (this.fits(ip)) this.facts[recorder].addEgress(ip, port)
  }

  addPtrace(recorder: Recorder, { peer, permissions, external = false }: PtraceFact): void {
    if (this.fits(peer, ...permissions)) this.facts[recorder].addPtrace(peer, permissions, external)
  }

  addSignal({ peer, permissions, signals }: SignalFact): void {
    if (!this.fits(peer, ...permissions, ...signals)) return
    const signal = this.signals.at(peer, this.newSignal)
    if (signal === undefined) return
    addWords(signal.permissions, permissions)
    addWords(signal.signals, signals)
  }

  addMount({ path, type = '', flags = [] }: MountFact): void {
    if (!this.fits(path, type, ...flags)) return
    const words = this.mounts.at(JSON.stringify([path, type]), this.newFlags)
    if (words !== undefined) addWords(words, flags)
  }

  addSyscall(name: string): void {
    if (this.fits(name)) addWords(this.syscalls, [name])
  }

  /** Adds facts that another part of the recording has left out. */
  addLeftOut(leftOut: readonly LeftOut[]): void {
    this.earlier.addAll(leftOut)
  }

  /** Adds the facts of another behaviour. The other behaviour does not change. */
  merge(other: Behaviour): void {
    this.facts.appArmor.merge(other.facts.appArmor)
    this.facts.bpf.merge(other.facts.bpf)
    joinWords(this.profiles, other.profiles)
    joinWords(this.unhandled, other.unhandled)
    joinWords(this.syscalls, other.syscalls)
    this.signals.merge(other.signals, this.newSignal)
    this.mounts.merge(other.mounts, this.newFlags)
    this.tooLong.merge(other.tooLong)
    this.earlier.merge(other.earlier)
  }

  /** The facts as sorted lists without duplicates. Equal facts give equal bytes. */
  toDynamicResult(): DynamicResult {
    return this.toRecorded().result
  }

  toRecorded(): Recorded {
    const leftOuts = new LeftOuts()
    leftOuts.merge(this.earlier)
    const result = this.result(leftOuts)
    for (const facts of Object.values(this.facts)) facts.leaveOut(leftOuts)
    this.leaveOut(leftOuts)
    return { result, leftOut: leftOuts.list() }
  }

  private leaveOut(leftOuts: LeftOuts): void {
    const more = 'beyond the limit'
    const kinds = ['profiles', 'unhandled', 'signals', 'mounts', 'syscalls'] as const satisfies LeftOutKind[]
    for (const kind of kinds) leftOuts.add(kind, more, this[kind].lost)
    for (const [, { permissions, signals }] of this.signals.sorted()) {
      for (const words of [permissions, signals]) leftOuts.add('words', more, words.lost)
    }
    for (const [, flags] of this.mounts.sorted()) leftOuts.add('words', more, flags.lost)
    leftOuts.add('texts', `longer than ${this.limits.name} characters`, this.tooLong)
  }

  private result(leftOuts: LeftOuts): DynamicResult {
    const { profiles, unhandled, facts, syscalls } = this
    const { network: networks, ...common } = commonOf(facts.appArmor, leftOuts)
    const appArmor = {
      ...filled('profiles', wordsOf(profiles)),
      ...common,
      ...(networks !== undefined && { networks }),
      ...filled('signals', this.signals.sorted().map(signalOf)),
      ...filled('unhandled', wordsOf(unhandled)),
    }
    const bpf = { ...commonOf(facts.bpf, leftOuts), ...filled('mounts', this.mounts.sorted().map(mountOf)) }
    return {
      ...section('appArmor', appArmor),
      ...section('bpf', bpf),
      ...section('seccomp', filled('syscalls', wordsOf(syscalls))),
    }
  }
}

function commonOf(facts: RecorderFacts, leftOuts: LeftOuts) {
  const network = facts.network()
  return {
    ...filled('executions', wordsOf(facts.executions)),
    ...filled('files', facts.fileList(leftOuts)),
    ...filled('capabilities', wordsOf(facts.capabilities)),
    ...(network !== undefined && { network }),
    ...filled('ptraces', facts.ptraceList()),
  }
}

function filled<K extends string, T>(key: K, list: T[]): { [key in K]?: T[] } {
  return (list.length === 0 ? {} : { [key]: list }) as { [key in K]?: T[] }
}

function section<K extends string, T extends object>(key: K, value: T): { [key in K]?: T } {
  return (Object.keys(value).length === 0 ? {} : { [key]: value }) as { [key in K]?: T }
}

const signalOf = ([peer, { permissions, signals }]: [string, Signal]) => ({
  peer,
  permissions: wordsOf(permissions),
  signals: wordsOf(signals),
})

function mountOf([key, words]: [string, Words]) {
  const [path, type] = JSON.parse(key) as [string, string]
  const flags = wordsOf(words)
  return { path, ...(type !== '' && { type }), ...(flags.length > 0 && { flags }) }
}

/** A new behaviour with the facts of both behaviours. */
export function merge(a: Behaviour, b: Behaviour, limits?: Limits): Behaviour {
  const both = new Behaviour(limits)
  both.merge(a)
  both.merge(b)
  return both
}
