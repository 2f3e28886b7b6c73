import { Buffer } from 'node:buffer'
import { newline } from '../../base/bytes.ts'
import { printable } from '../output.ts'
import { newlinesIn } from './backwards.ts'
import type { Chunk } from './read-log.ts'
import type { Rows } from './row.ts'
import { parseViolation, type Violation } from './violation.ts'

/** Maximum characters that are shown of a line that is not a violation. */
const maxShown = 200

export interface PrinterOptions {
  isWanted: (violation: Violation) => boolean
  /** Formats violations. If absent, lines are printed as they are in the file. */
  rows?: Rows
  out: (data: Uint8Array | string) => Promise<void>
  complain: (text: string) => Promise<void>
}

/** Prints the violations of chunks, and reports other lines. */
export class Printer {
  /** Number of lines that were not violations. */
  problems = 0
  readonly #options: PrinterOptions
  #linesBefore: () => Promise<number> = () => Promise.resolve(0)
  /** Number of lines of the current file that were read after the lines that `#linesBefore` counts. */
  #lines = 0

  constructor(options: PrinterOptions) {
    this.#options = options
  }

  async print({ name, bytes, linesBefore }: Chunk): Promise<void> {
    if (linesBefore !== undefined) {
      this.#linesBefore = linesBefore
      this.#lines = 0
    }
    const { isWanted, rows, out } = this.#options
    const violations: Violation[] = []
    const raw: Uint8Array[] = []
    let line = this.#lines
    for (const one of linesOf(bytes)) {
      line++
      const text = one.toString('utf8').trim()
      const parsed = parseViolation(text)
      if (!parsed.ok) await this.#complain(name, line, text === '' ? 'is empty' : parsed.problem, text)
      else if (isWanted(parsed.violation)) {
        if (rows === undefined) raw.push(one, lineEnd)
        else violations.push(parsed.violation)
      }
    }
    this.#lines += newlinesIn(bytes)
    if (violations.length > 0 && rows !== undefined) await out(rows.text(violations))
    if (raw.length > 0) await out(Buffer.concat(raw))
  }

  async #complain(name: string, line: number, problem: string, text: string): Promise<void> {
    this.problems++
    const before = await this.#linesBefore()
    this.#linesBefore = () => Promise.resolve(before)
    const shown = text.length <= maxShown ? text : `${text.slice(0, maxShown)}…`
    const what = `line ${before + line} ${problem}${shown === '' ? '' : `: ${shown}`}`
    await this.#options.complain(`${printable(name)}: ${printable(what)}\n`)
  }
}

const lineEnd = Buffer.from('\n')

function* linesOf(bytes: Uint8Array): Generator<Buffer> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let start = 0; start < all.length; ) {
    const at = all.indexOf(newline, start)
    const end = at === -1 ? all.length : at
    yield all.subarray(start, end)
    start = end + 1
  }
}
