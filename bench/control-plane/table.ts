import { progress } from '../bench.ts'
import { load } from './process-cost.ts'
import { upstream } from './upstream.ts'

interface Row {
  what: string
  ours: string
  load: number
}

/** What was measured, beside upstream's figures. Each row is printed as it comes, and all of them at the end. */
export class Table {
  readonly #rows: Row[] = []

  add(what: string, ours: string): void {
    this.#rows.push({ what, ours, load: load() })
    progress(`${what}: ${ours}`)
  }

  print(): void {
    const width = Math.max(...this.#rows.map(({ what }) => what.length))
    const line = (...cells: [string, string, string, string, string]) =>
      console.log(
        `${cells[0].padEnd(width)}  ${cells[1].padEnd(34)}  ${cells[2].padEnd(24)}  ${cells[3].padEnd(10)}  ${cells[4]}`,
      )
    line('', 'ours', 'upstream', 'aim', 'load')
    for (const { what, ours, load } of this.#rows) {
      const { theirs = '', aim = '' } = upstream[what] ?? {}
      line(what, ours, theirs, aim, load.toFixed(1))
    }
  }
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`
export const mebibytes = (number: number): string => `${Math.round(number)} MiB`
