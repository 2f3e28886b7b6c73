import { compileAutomaton } from '../profile/bpf/automaton.ts'
import type { Automaton } from '../profile/bpf/bpf-profile.ts'
import { CLASSES_BYTES } from '../profile/bpf/limits.ts'
import { bitMarks } from '../profile/bpf/marks.ts'
import { ACCEPT_CLASS, OTHER_CLASS, type Table } from '../profile/bpf/table.ts'
import type { PathPattern } from '../profile/path-pattern.ts'
import type { Machine } from './machine.ts'

/** The table of an automaton, walked state by state as the BPF programs walk it (native/bpf/match.h). */
export class TableMachine implements Machine<number> {
  readonly start: number | undefined
  readonly classOf: Uint8Array
  readonly #view: DataView
  readonly #cells: number

  constructor({ start, cells, bytes }: { start: number; cells: number; bytes: Uint8Array }) {
    this.start = start === 0 ? undefined : start
    this.classOf = bytes.subarray(0, CLASSES_BYTES)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + CLASSES_BYTES)
    this.#cells = cells
  }

  step(state: number, byte: number): number | undefined {
    const next = this.#poll(state, this.classOf[byte]!) ?? this.#poll(state, OTHER_CLASS)
    return next === undefined || next === 0 ? undefined : next
  }

  /** The marks of paths that end in this state. */
  marks(state: number | undefined): number {
    const accept = state === undefined ? undefined : this.#poll(state, ACCEPT_CLASS)
    return accept === undefined ? 0 : this.#view.getUint32(4 * (this.#cells + accept), true)
  }

  #poll(state: number, group: number): number | undefined {
    const cell = this.#view.getUint32(4 * (state + group), true)
    return (cell & 0xff) === group ? cell >>> 8 : undefined
  }
}

/** The automaton of a profile. If the profile has no automaton, the result marks no path. */
export function machineOf(automaton: Automaton | undefined): TableMachine {
  if (automaton === undefined) return nothing()
  return new TableMachine({ ...automaton, bytes: Buffer.from(automaton.table, 'base64') })
}

const machineOfTable = ({ start, cellCount, bytes }: Table): TableMachine =>
  new TableMachine({ start, cells: cellCount, bytes })

const patterns = new Map<string, TableMachine | undefined>()
const MAX_PATTERNS = 1024
const NOT_MEANT = 2

/**
 * @param but exceptions: paths that the pattern does not include, although it matches them
 * @returns an automaton that marks the included paths with 1; undefined if it would have too many states
 */
export function patternMachine(pattern: PathPattern, but: readonly PathPattern[] = []): TableMachine | undefined {
  const key = [pattern, ...but].map(({ text }) => text).join('\0')
  if (patterns.has(key)) return patterns.get(key)
  const rules = [{ pattern, accept: 1, way: 0 }, ...but.map((one) => ({ pattern: one, accept: NOT_MEANT, way: 0 }))]
  const compiled = compileAutomaton(rules, bitMarks)
  const machine = compiled.ok ? machineOfTable(compiled.table) : undefined
  if (patterns.size >= MAX_PATTERNS) patterns.clear()
  patterns.set(key, machine)
  return machine
}

function nothing(): TableMachine {
  const compiled = compileAutomaton([], bitMarks)
  if (!compiled.ok) throw new Error('the automaton without patterns is too large')
  return machineOfTable(compiled.table)
}
