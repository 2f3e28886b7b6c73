import { progress } from '../bench.ts'
import { load } from './process-cost.ts'
import { upstream } from './upstream.ts'

/** Collects measurements. */
export interface Column {
  add(what: string, measured: string): void
}

/** Width of a column, large enough for the CPU times of manager and API server. */
const oursWidth = 46

interface Row {
  ours?: string
  theirs?: string
  /** Load of the machine at each measurement. */
  loads: string[]
}

/** Measurements of both managers. Each row is printed when it is measured, and all rows at the end. */
export class Table {
  readonly #rows = new Map<string, Row>()
  readonly ours = this.#column('ours')
  readonly theirs = this.#column('theirs')

  print(): void {
    const line = (...[what, ours, theirs, aim, load]: [string, string, string, string, string]) =>
      console.log(`${what.padEnd(width)}  ${ours.padEnd(oursWidth)}  ${theirs.padEnd(27)}  ${aim.padEnd(10)}  ${load}`)
    const width = Math.max(...[...this.#rows.keys()].map(({ length }) => length))
    line('', 'ours', 'upstream', 'aim', 'load')
    for (const [what, { ours = '', theirs: measured, loads }] of this.#rows) {
      const { theirs: constant, aim = '' } = upstream[what] ?? {}
      const theirs = measured ?? (constant === undefined ? '' : `${constant} *`)
      // If the next column has a text, cut this text to its column; the full text was printed before.
      const fits = theirs === '' || ours.length <= oursWidth
      line(what, fits ? ours : `${ours.slice(0, oursWidth - 1)}…`, theirs, aim, loads.join(' | '))
    }
    console.log('* measured once on another machine; do not compare its times with the times of this machine')
  }

  #column(name: 'ours' | 'theirs'): Column {
    return {
      add: (what, measured) => {
        const { loads = [], ...row } = this.#rows.get(what) ?? {}
        this.#rows.set(what, { ...row, [name]: measured, loads: [...loads, load().toFixed(1)] })
        progress(`${name}, ${what}: ${measured}`)
      },
    }
  }
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`
export const mebibytes = (number: number): string => `${Math.round(number)} MiB`
