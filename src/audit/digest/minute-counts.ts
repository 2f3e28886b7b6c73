import { createHash } from 'node:crypto'
import type { BatchResult, KindCounts } from '../batch/batch.ts'
import { mostKinds, partsOfKey } from '../batch/kind-table.ts'
import { type ContainerFields, noContainer } from '../sink/own-lines.ts'
import { bounded } from './cut-text.ts'
import { identityOf, kindOfKey, readLine, type ViolationKind } from './violation-kind.ts'

/** A kind of one container and minute. */
export interface CountedKind extends ViolationKind {
  events: number
}

/** Events of one container in one minute, each counted once: with its kind or in `other`. */
export interface ContainerCounts {
  /** The container's id; where none is known the profile, as far as there is room. */
  readonly key: string
  container: ContainerFields
  readonly kinds: Map<string, CountedKind>
  /** Kinds by the keys that decoders gave them; undefined for those that are counted as other. */
  readonly byKey: Map<string, CountedKind | undefined>
  other: number
  /** Kinds whose first violation had no room in the digest. */
  omitted: number
}

/** A kind that is the first of its container and minute. */
export interface FirstOfKind {
  counts: ContainerCounts
  kind: CountedKind
  /** Where its line begins in the output. */
  line: number
}

/** For each part of a batch, what its rows and containers are here. */
export interface MergedPart {
  counts: KindCounts
  /** By row: its kind; undefined for what is counted as other. */
  kinds: (CountedKind | undefined)[]
  /** By row, and by container for those without a row. */
  owners: ContainerCounts[]
  others: (ContainerCounts | undefined)[]
  /** By row: whether its first line is the first of its kind. */
  firsts: boolean[]
}

/** Containers of a minute that have counts of their own; those of one node are fewer. */
export const mostContainers = 1024
/** Profiles that have counts of their own for events whose container is not known. */
export const mostProfiles = 64
/** Keys of a minute that are kept through the next one, some 20 MiB; of more, each would be read anew. */
const mostKept = 16_384

/** What the keys of those begin with that are counted by their profile. */
const profileKey = 'profile '

/** Counts by container and kind for one minute. A container that has many kinds takes no room of another one. */
export class MinuteCounts {
  readonly #containers = new Map<string, ContainerCounts>()
  /** Of the minute before: what goes on need not be read out of its line again, which takes ten times as long as all else. */
  readonly #before: ReadonlyMap<string, ContainerCounts>
  #profiles = 0
  #keys = 0

  constructor(before?: MinuteCounts) {
    this.#before = before === undefined || before.#keys > mostKept ? new Map() : before.#containers
  }

  get containers(): Iterable<ContainerCounts> {
    return this.#containers.values()
  }

  /** Adds the counts of a batch. @returns where they went, and calls `first` for kinds that are new */
  add({ output, kinds = [] }: BatchResult, first: (one: FirstOfKind) => void): MergedPart[] {
    return kinds.map(({ start, counts }) => this.#merge(output, start, counts, first))
  }

  #merge(output: Uint8Array, start: number, counts: KindCounts, first: (one: FirstOfKind) => void): MergedPart {
    const part: MergedPart = { counts, kinds: [], owners: [], others: [], firsts: [] }
    for (const [row, given] of counts.keys.entries()) {
      const key = given.length <= mostKeyLength ? given : createHash('sha256').update(given).digest('hex')
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
      // It may never have a kind whose line says its names.
      if (wantsName(owner)) name(owner, readLine(output, start + counts.otherLines[index]!).container())
    }
    return part
  }

  /**
   * The kind of a key that is new; undefined when the container has too many.
   * @param given by the decoder; the key itself is a hash of it where it is long
   */
  #newKind(
    owner: ContainerCounts,
    key: string,
    given: string,
    output: Uint8Array,
    lineAt: number,
  ): CountedKind | undefined {
    // Keys are finer than kinds here and there, so there may be more of them.
    if (owner.byKey.size >= 4 * mostKinds) return undefined
    let line: ReturnType<typeof readLine> | undefined
    const readOnce = () => (line ??= readLine(output, lineAt))
    // Not those of the minute before: a container that is made anew may have its id and another image.
    if (wantsName(owner)) name(owner, readOnce().container())
    const read = this.#before.get(owner.key)?.byKey.get(key) ?? kindOfKey(given) ?? readOnce().kind
    const identity = identityOf(read)
    let kind = owner.kinds.get(identity)
    if (kind === undefined && owner.kinds.size < mostKinds) {
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
      (isProfile ? this.#profiles >= mostProfiles : this.#containers.size - this.#profiles >= mostContainers)
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

const mostKeyLength = 256

/** What is counted by a profile, or has no room of its own, is of no container. */
function name(owner: ContainerCounts, container: ContainerFields): void {
  if (container.containerID === owner.key) owner.container = container
}

/** Whether it is of a container whose names were in no line so far. */
const wantsName = ({ key, container }: ContainerCounts): boolean =>
  container === noContainer && key !== '' && !key.startsWith(profileKey)
