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

/** Events of one container in one minute. Each event counts once, in its kind or in `other`. */
export interface ContainerCounts {
  /**
   * The container's id. Events without a container are counted by profile, up to a limit of profiles; '' counts all
   * further events.
   */
  readonly key: string
  container: ContainerFields
  readonly kinds: Map<string, CountedKind>
  /** Kinds by the decoders' keys; undefined for a kind that is counted in `other`. */
  readonly byKey: Map<string, CountedKind | undefined>
  other: number
  /** Number of kinds whose first violation did not fit into the digest. */
  omitted: number
}

/** The first violation of its kind, container and minute. */
export interface FirstOfKind {
  counts: ContainerCounts
  kind: CountedKind
  /** Offset of the violation's line in the output. */
  line: number
}

/** The counts of a part of a batch, and the kind and container of each row. */
export interface MergedPart {
  counts: KindCounts
  /** For each row, its kind; undefined if the row is counted in `other`. */
  kinds: (CountedKind | undefined)[]
  /** `owners`: for each row, its container. `others`: for each container id, the owner of the events without a row. */
  owners: ContainerCounts[]
  others: (ContainerCounts | undefined)[]
  /** For each row, whether its first line is the first line of its kind in this minute. */
  firsts: boolean[]
}

/** Maximum containers with separate counts in a minute. A node has fewer containers. */
export const maxContainers = 1024
/** Maximum profiles with separate counts, for events without a known container. */
export const maxProfiles = 64
/**
 * From this number of keys in a minute on, each container gets only a few keys. Without this limit, 1,000 containers
 * that restart could create a million keys, which take 500 MiB.
 */
const commonKeys = 16_384
/** Maximum keys that are kept for the next minute: about 20 MiB. The lines of all further keys are parsed again. */
const maxKept = 16_384

/** Prefix of the keys of containers that are counted by profile. */
const profileKey = 'profile '

/**
 * Counts events of one minute by container and kind. A container with very many kinds leaves room for a few kinds of
 * each other container.
 */
export class MinuteCounts {
  readonly #containers = new Map<string, ContainerCounts>()
  /**
   * The counts of the previous minute. A line whose kind is in these counts is not parsed, because parsing takes ten
   * times as long as all other work.
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
      // The names of a container come from the line of a row, but this container may not get a row.
      if (wantsName(owner)) name(owner, readLine(output, start + counts.otherLines[index]!).container())
    }
    return part
  }

  /**
   * The kind of a new key; undefined if the container, or all containers together, have too many keys.
   * @param key the decoder's key, or the hash of a long key
   * @param given the decoder's key
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
    // The previous minute's names may be out of date: a recreated container may have the same id and another image.
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

/** Stores the container's names, unless these are counts of a profile, or counts beyond the limit. */
function name(owner: ContainerCounts, container: ContainerFields): void {
  if (container.containerID === owner.key) owner.container = container
}

/** Whether the counts belong to a container whose names are not known yet. */
const wantsName = ({ key, container }: ContainerCounts): boolean =>
  container === noContainer && key !== '' && !key.startsWith(profileKey)
