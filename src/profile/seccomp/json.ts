/** A JSON error: the problem and its place. Lines and columns count from 1. */
export interface JsonProblem {
  problem: string
  line: number
  column: number
}

/** Maximum depth, so that hostile text does not exhaust the stack. Real seccomp profiles are less deep. */
const MAX_DEPTH = 64

class Failure extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/**
 * Parses JSON (RFC 8259) like `JSON.parse`, but refuses duplicate keys, because programs differ in which value they
 * use. The error messages do not depend on the version of the engine.
 */
export function parseJson(text: string): { ok: true; value: unknown } | ({ ok: false } & JsonProblem) {
  try {
    return { ok: true, value: new Reader(text).read() }
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure
    const before = text.slice(0, failure.at).split('\n')
    return { ok: false, problem: failure.message, line: before.length, column: (before.at(-1) ?? '').length + 1 }
  }
}

const literals = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
])

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): unknown {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#fail('text follows the value')
    return value
  }

  #value(depth: number): unknown {
    this.#space()
    if (depth > MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} levels deep`)
    const character = this.#text[this.#at]
    if (character === '{') return this.#object(depth)
    if (character === '[') return this.#array(depth)
    if (character === '"') return this.#string()
    const literal = this.#take(/true|false|null/y)
    if (literal !== undefined) return literals.get(literal)
    const number = this.#take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y)
    if (number !== undefined) return Number(number)
    return this.#fail(character === undefined ? 'the text ends before a value' : 'a value is missing here')
  }

  #object(depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>()
    this.#at++
    if (this.#skip('}')) return {}
    do {
      this.#space()
      const at = this.#at
      if (this.#text[at] !== '"') this.#fail('a key in double quotes is missing here')
      const key = this.#string()
      if (entries.has(key)) throw new Failure(`the key ${JSON.stringify(key)} occurs twice`, at)
      if (!this.#skip(':')) this.#fail('a colon is missing here')
      entries.set(key, this.#value(depth + 1))
    } while (this.#skip(','))
    if (!this.#skip('}')) this.#fail('a comma or a closing brace is missing here')
    return Object.fromEntries(entries)
  }

  #array(depth: number): unknown[] {
    const values: unknown[] = []
    this.#at++
    if (this.#skip(']')) return values
    do values.push(this.#value(depth + 1))
    while (this.#skip(','))
    if (!this.#skip(']')) this.#fail('a comma or a closing bracket is missing here')
    return values
  }

  #string(): string {
    const start = this.#at
    let end = start + 1
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1
    if (end >= this.#text.length) this.#fail('the closing quote is missing')
    this.#at = end + 1
    try {
      return JSON.parse(this.#text.slice(start, end + 1))
    } catch {
      throw new Failure('the quoted text contains a control character or a bad escape', start)
    }
  }

  #space(): void {
    this.#take(/[ \t\n\r]*/y)
  }

  #skip(character: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const taken = pattern.exec(this.#text)?.[0]
    if (taken !== undefined) this.#at += taken.length
    return taken
  }

  #fail(message: string): never {
    throw new Failure(message, this.#at)
  }
}
