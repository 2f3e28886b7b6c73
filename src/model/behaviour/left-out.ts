import { LostNames, type LostNamesState } from './lost-names.ts'

/** Kinds of facts that can be left out. */
export const leftOutKinds = [
  'executions',
  'files',
  'patterns',
  'capabilities',
  'sockets',
  'addresses',
  'ports',
  'ptraces',
  'signals',
  'mounts',
  'words',
  'syscalls',
  'profiles',
  'unhandled',
  'texts',
] as const

export type LeftOutKind = (typeof leftOutKinds)[number]

/** Facts of one kind that do not fit into a model. The model does not allow them. */
export interface LeftOut {
  kind: LeftOutKind
  /** The directory, if all these facts are about one directory. */
  directory?: string
  /** Why the facts do not fit, as a text for users. */
  reason: string
  /** Number of different facts. From 64 on, the number is an estimate. */
  count: number
  /** At most three of the facts. */
  examples: string[]
  /** The state of the counter, with which parts of a model can be merged. */
  state: LostNamesState
}

/** Maximum number of directories that are listed; names in further directories are only counted. */
const NAMED_DIRECTORIES = 64

/** Collects facts that were left out. The order of calls does not matter. */
export class LeftOuts {
  private readonly byPlace = new Map<
    string,
    { kind: LeftOutKind; directory?: string; reason: string; lost: LostNames }
  >()

  add(kind: LeftOutKind, reason: string, lost: LostNames | undefined, directory?: string): void {
    if (lost === undefined || lost.count === 0) return
    const key = [kind, directory ?? '', reason].join('\0')
    const known = this.byPlace.get(key)
    const place = known ?? { kind, reason, lost: new LostNames(), ...(directory !== undefined && { directory }) }
    place.lost.merge(lost)
    if (known === undefined) this.byPlace.set(key, place)
  }

  addAll(leftOut: readonly LeftOut[]): void {
    for (const { kind, reason, directory, state } of leftOut) this.add(kind, reason, LostNames.of(state), directory)
  }

  merge(other: LeftOuts): void {
    for (const { kind, reason, lost, directory } of other.byPlace.values()) this.add(kind, reason, lost, directory)
  }

  list(): LeftOut[] {
    const all = [...this.byPlace].sort(([a], [b]) => (a < b ? -1 : 1))
    const named = new LeftOuts()
    let directories = 0
    for (const [, { kind, reason, lost, directory }] of all) {
      if (directory !== undefined) directories += 1
      if (directories <= NAMED_DIRECTORIES || directory === undefined) named.add(kind, reason, lost, directory)
      else named.add(kind, 'in other directories', lost)
    }
    return [...named.byPlace.values()].map(({ kind, reason, lost, directory }) => ({
      kind,
      ...(directory !== undefined && { directory }),
      reason,
      count: lost.count,
      examples: lost.names,
      state: lost.state(),
    }))
  }
}
