import { nearestName } from '../../api/field-error.ts'
import { BadText, type Token } from './tokens.ts'
import { valueText } from './value.ts'

/** Reads the tokens of one rule from left to right, without the comma at its end. */
export class Statement {
  readonly line: number
  private readonly tokens: readonly Token[]
  private at = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
    this.line = tokens[0]!.line
  }

  get next(): Token | undefined {
    return this.tokens[this.at]
  }

  /** The token after the next. */
  get following(): Token | undefined {
    return this.tokens[this.at + 1]
  }

  fail(problem: string): never {
    throw new BadText(this.next?.line ?? this.tokens.at(-1)!.line, problem)
  }

  take(): Token {
    const token = this.tokens[this.at]
    if (token === undefined) this.fail('the rule ends too early')
    this.at += 1
    return token
  }

  /** Takes the next token if it is of this kind. */
  takes(kind: Token['kind']): boolean {
    if (this.next?.kind !== kind) return false
    this.at += 1
    return true
  }

  /** Takes the next token if it is this word. */
  takesWord(word: string): boolean {
    if (this.next?.kind !== 'word' || this.next.text !== word) return false
    this.at += 1
    return true
  }

  expect(kind: Token['kind']): void {
    if (!this.takes(kind)) this.fail(`expected "${kind}", found ${this.found()}`)
  }

  value(): string {
    const token = this.next
    if (token?.kind !== 'word' && token?.kind !== 'quoted') this.fail(`expected a value, found ${this.found()}`)
    return valueText(this.take())
  }

  /** Reads one of these words. */
  oneOf(words: readonly string[], what: string): string {
    const token = this.next
    if (token?.kind !== 'word') this.fail(`expected ${what}, found ${this.found()}`)
    if (words.includes(token.text)) return this.take().text
    const nearest = nearestName(token.text, words)
    return this.fail(
      `${JSON.stringify(token.text)} is not a ${what}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    )
  }

  /** Whether the rule continues: with one of these words, or with a wrong word in the same line. */
  goesOn(words: readonly string[]): boolean {
    const { next } = this
    return next !== undefined && (words.includes(next.text) || next.line === this.tokens[this.at - 1]!.line)
  }

  /** Reads `x` or `(x, y)`; `read` reads each element. */
  listOf<T>(read: () => T): T[] {
    if (!this.takes('(')) return [read()]
    const items: T[] = []
    while (!this.takes(')')) if (!this.takes(',')) items.push(read())
    if (items.length === 0) this.fail('the list is empty')
    return items
  }

  /** Fails if a token follows. A token in a later line probably begins another rule. */
  end(): void {
    const token = this.next
    if (token === undefined) return
    const before = this.tokens[this.at - 1]!
    if (token.line > before.line)
      throw new BadText(before.line, `a comma is missing after the rule, before line ${token.line}`)
    this.fail(`${this.found()} is not part of the rule, or a comma is missing before it`)
  }

  found(): string {
    if (this.next === undefined) return 'the end of the rule'
    return JSON.stringify(this.next.text)
  }
}
