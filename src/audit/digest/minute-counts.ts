import { createHash } from 'node:crypto'
import type { BatchResult, KindCounts } from '../batch/batch.ts'
import { fewKinds, maxKinds, partsOfKey } from '../batch/kind-table.ts'
import { type ContainerFields, noContainer } from '../sink/agent-events.ts'
import { bounded } from './cut-text.ts'
import { identityOf, kindOfKey, readLine, type ViolationKind } from './violation-kind.ts'

/** A kind of one container and minute, with its count. */
export interface CountedKind extends ViolationKind {
  events: number
}

/** Events of one container in one minute; each counts once, with its kind or in `other`. */
export interface ContainerCounts {
  /** The container's id. For an event without a container: its profile, up to the limit of profiles. */
  readonly key: string
  container: ContainerFields
  readonly kinds: Map<string, CountedKind>
  /** Kinds by the decoders' keys; undefined for kinds counted as other. */
  readonly byKey: Map<string, CountedKind | undefined>
  other: number
  /** Number of kinds whose first violation did not fit into the digest. */
  omitted: number
}

/** The first violation of its kind, container and minute. */
export interface FirstOfKind {
  counts: ContainerCounts
  kind: CountedKind
  /** Offset of its line in the output. */
  line: number
}

/** The counts of a part of a batch, with the kinds and containers of its rows. */
export interface MergedPart {
  counts: KindCounts
  /** By row: its kind; undefined if it is counted in `other`. */
  kinds: (CountedKind | undefined)[]
  /** By row: its container; then by container: the owner of its events without a row. */
  owners: ContainerCounts[]
  others: (ContainerCounts | undefined)[]
  /** By row: whether its first line is the first of its kind. */
  firsts: boolean[]
}

/** Maximum containers of a minute that have their own counts; a node has fewer. */
export const maxContainers = 1024
/** Maximum profiles that have their own counts, for events without a known container. */
export const maxProfiles = 64
/**
 * From this number of keys in a minute on, a container gets only a few: 1,000 containers that restart could make a
 * million, 500 MiB.
 */
const commonKeys = 16_384
/** Maximum keys that are kept for the next minute, about 20 MiB. Each further key would be parsed again. */
const maxKept = 16_384

/** Prefix of the keys of containers that are counted by profile. */
const profileKey = 'profile '

/**
 * Counts by container and kind for one minute. A container may have any number of kinds: all others still have room for
 * a few.
 */
export class MinuteCounts {
  readonly #containers = new Map<string, ContainerCounts>()
  /**
   * The previous minute's counts. The line of a kind that occurred in that minute is not parsed again, because parsing
   * takes ten times as long as all other work.
   */
  readonly #before: ReadonlyMap<string, ContainerCounts>
  #profiles = 0
  #keys = 0

  constructor(before?: MinuteCounts) {
    this.#before = before === undefined || before.#keys > maxKept ? new Map() : before.#containers
  }

  get containers(): Iterable<ContainerCounts> {
    return this.#containers.values()
  }

  /** Adds the counts of a batch, and calls `first` for each new kind. @returns the kinds and containers of its rows */
  add({ output, kinds = [] }: BatchResult, first: (one: FirstOfKind) => void): MergedPart[] {
    return kinds.map(({ start, counts }) => this.#merge(output, start, counts, first))
  }

  #merge(output: Uint8Array, start: number, counts: KindCounts, first: (one: FirstOfKind) => void): MergedPart {
    const part: MergedPart = { counts, kinds: [], owners: [], others: [], firsts: [] }
    for (const [row, given] of counts.keys.entries()) {
      const key = given.length <= maxKeyLength ? given : createHash('sha256').update(given).digest('hex')
      const id = counts.containers[counts.owners[row]!]!
      const owner = this.#of(id === '' ? `${profileKey}${bounded(partsOfKey(given).profile)}` : id)
      const line = start + counts.lines[row]!
      const before = owner.kinds.size
      const kind = owner.byKey.has(key) ? owner.byKey.get(key) : this.#newKind(owner, key, given, output, line)
      const isFirst = owner.kinds.size > before
      const events = counts.events[row]!
      if (kind === undefined) owner.other += events
      else kind.events += events
      part.kinds.push(kind)
      part.owners.push(owner)
      part.firsts.push(isFirst)
      if (isFirst && kind !== undefined) first({ counts: owner, kind, line })
    }
    for (const [index, id] of counts.containers.entries()) {
      const events = counts.others[index]!
      const owner = events === 0 ? undefined : this.#of(id)
      part.others.push(owner)
      if (owner === undefined) continue
      owner.other += events
      // The container may never have a row, whose line would give its names.
      if (wantsName(owner)) name(owner, readLine(output, start + counts.otherLines[index]!).container())
    }
    return part
  }

  /**
   * The kind of a new key; undefined if the container, or all containers together, have too many keys.
   * @param given the decoder's key; `key` is its hash if it is long
   */
  #newKind(
    owner: ContainerCounts,
    key: string,
    given: string,
    output: Uint8Array,
    lineAt: number,
  ): CountedKind | undefined {
    // Several keys may belong to one kind, so allow more keys than kinds.
    if (owner.byKey.size >= (this.#keys < commonKeys ? 4 * maxKinds : fewKinds)) return undefined
    let line: ReturnType<typeof readLine> | undefined
    const readOnce = () => (line ??= readLine(output, lineAt))
    // Do not reuse the previous minute's names: a recreated container may have the same id and another image.
    if (wantsName(owner)) name(owner, readOnce().container())
    const read = this.#before.get(owner.key)?.byKey.get(key) ?? kindOfKey(given) ?? readOnce().kind
    const identity = identityOf(read)
    let kind = owner.kinds.get(identity)
    if (kind === undefined && owner.kinds.size < maxKinds) {
      kind = { ...read, events: 0 }
      owner.kinds.set(identity, kind)
    }
    owner.byKey.set(key, kind)
    this.#keys++
    return kind
  }

  #of(key: string): ContainerCounts {
    const known = this.#containers.get(key)
    if (known !== undefined) return known
    const isProfile = key.startsWith(profileKey)
    if (
      key !== '' &&
      (isProfile ? this.#profiles >= maxProfiles : this.#containers.size - this.#profiles >= maxContainers)
    )
      return this.#of('')
    if (isProfile) this.#profiles++
    const counts: ContainerCounts = {
      key,
      container: noContainer,
      kinds: new Map(),
      byKey: new Map(),
      other: 0,
      omitted: 0,
    }
    this.#containers.set(key, counts)
    return counts
  }
}

const maxKeyLength = 256

/** Stores the container's names. Counts by profile, and counts beyond the limit, have no container. */
function name(owner: ContainerCounts, container: ContainerFields): void {
  if (container.containerID === owner.key) owner.container = container
}

/** Whether the counts belong to a container whose names no line has shown yet. */
const wantsName = ({ key, container }: ContainerCounts): boolean =>
  container === noContainer && key !== '' && !key.startsWith(profileKey)
