import { styleText } from 'node:util'

const colours = process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'

export const paint = (style: 'bold' | 'green' | 'red' | 'yellow' | 'dim', text: string): string =>
  colours ? styleText(style, text) : text

export const say = (line: string): void => console.log(line)

/** Steps of a demonstration. Each step prints its action and its result, and records whether its promises were kept. */
export class Script {
  readonly #times: [title: string, milliseconds: number][] = []
  readonly #broken: string[] = []

  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    say(`\n${paint('bold', `${this.#times.length + 1}. ${title}`)}`)
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.#times.push([title, performance.now() - start])
    }
  }

  promise(what: string, holds: boolean): void {
    if (!holds) this.#broken.push(what)
    say(`${holds ? paint('green', 'ok  ') : paint('red', 'FAIL')} ${what}`)
  }

  show(text: string, max = 40): void {
    const lines = text.trimEnd().split('\n')
    for (const line of lines.slice(0, max)) say(`    ${line}`)
    if (lines.length > max) say(paint('dim', `    … ${lines.length - max} more lines`))
  }

  /**
   * Prints the duration of each step, and the broken promises.
   * @returns whether all promises were kept
   */
  finish(): boolean {
    const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1).padStart(6)} s`
    const all = this.#times.reduce((sum, [, milliseconds]) => sum + milliseconds, 0)
    say(`\n${paint('bold', 'Times')}`)
    for (const [title, milliseconds] of this.#times) say(`${seconds(milliseconds)}  ${title}`)
    say(`${seconds(all)}  total`)
    for (const what of this.#broken) say(paint('red', `failed: ${what}`))
    return this.#broken.length === 0
  }
}
