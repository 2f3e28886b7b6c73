/** A mistake in AppArmor text, with its line. The reader of the text catches it and makes a FieldError. */
export class BadText extends Error {
  readonly line: number
  constructor(line: number, problem: string) {
    super(problem)
    this.line = line
  }
}

/**
 * `word` and `quoted` have the text as written, with escapes and without quotes; `angle` is `<…>`. Comments are tokens,
 * so that the output keeps them.
 */
export interface Token {
  kind: 'word' | 'quoted' | 'angle' | 'comment' | 'include' | ',' | '(' | ')' | '=' | '->' | '<=' | '{' | '}'
  text: string
  line: number
}

const space = /[ \t\r\n]/
// Ends a keyword or a name. A value may be a glob, so only white space and commas end it.
const endOfName = /[ \t\r\n",()={}<]/

class Scanner {
  private at = 0
  private line = 1
  private parentheses = 0
  private readonly text: string
  readonly tokens: Token[] = []

  constructor(text: string) {
    this.text = text
  }

  scan(): Token[] {
    while (this.at < this.text.length) this.next()
    return this.tokens
  }

  private next(): void {
    const char = this.text[this.at]!
    if (space.test(char)) this.skip()
    else if (char === '#') this.comment()
    else if (char === '"') this.quotation()
    else if (this.isValue(char)) this.value()
    else this.mark() || this.angle() || this.name()
  }

  private skip(): void {
    if (this.text[this.at] === '\n') this.line += 1
    this.at += 1
  }

  private push(kind: Token['kind'], text: string, length: number): void {
    this.tokens.push({ kind, text, line: this.line })
    this.at += length
  }

  /**
   * `#include` is a directive even if more letters follow, because apparmor_parser's scanner compares only these
   * letters.
   */
  private comment(): void {
    const end = this.text.indexOf('\n', this.at)
    const text = this.text.slice(this.at, end < 0 ? undefined : end).trimEnd()
    this.push(text.startsWith('#include') ? 'include' : 'comment', text.slice(1), text.length)
  }

  private quotation(): void {
    let end = this.at + 1
    while (end < this.text.length && this.text[end] !== '"' && this.text[end] !== '\n') {
      end += this.text[end] === '\\' ? 2 : 1
    }
    if (this.text[end] !== '"') throw new BadText(this.line, 'a quote is not closed on its line')
    const inside = this.text.slice(this.at + 1, end)
    if (inside.includes('\n')) throw new BadText(this.line, 'a quote is not closed on its line')
    this.push('quoted', inside, end + 1 - this.at)
  }

  private isValue(char: string): boolean {
    const last = this.tokens.at(-1)?.kind
    return char === '/' || char === '@' || ((last === '=' || last === '->') && !/[(),=]/.test(char))
  }

  /** A comma belongs to a value within braces or brackets, or if the value continues after it: `/{a,b}`, `/a,b`. */
  private value(): void {
    let depth = 0
    let end = this.at
    for (; end < this.text.length; end++) {
      const char = this.text[end]!
      if (space.test(char) || char === '"') break
      if (char === '\\') end += this.text[end + 1] === '\n' ? 0 : 1
      else if (char === '{' || char === '[') depth += 1
      else if (char === '}' || char === ']') depth -= 1
      else if (depth > 0) continue
      else if (char === ')' && this.parentheses > 0) break
      else if (char === ',' && (this.parentheses > 0 || /^[ \t\r\n",]?$/.test(this.text.charAt(end + 1)))) break
    }
    this.push('word', this.text.slice(this.at, end), end - this.at)
  }

  private mark(): boolean {
    for (const kind of ['->', '<=', ',', '(', ')', '=', '{', '}'] as const) {
      if (!this.text.startsWith(kind, this.at)) continue
      if (kind === '(') this.parentheses += 1
      if (kind === ')') this.parentheses = Math.max(0, this.parentheses - 1)
      this.push(kind, kind, kind.length)
      return true
    }
    return false
  }

  private angle(): boolean {
    if (this.text[this.at] !== '<') return false
    const match = /^<([^<>"\n\r\t]*)>/.exec(this.text.slice(this.at, this.at + 512))
    if (match === null) throw new BadText(this.line, 'the file name after "<" has no closing ">"')
    this.push('angle', match[1]!, match[0].length)
    return true
  }

  private name(): void {
    let end = this.at + 1
    while (end < this.text.length && !endOfName.test(this.text[end]!)) end += 1
    this.push('word', this.text.slice(this.at, end), end - this.at)
  }
}

/**
 * Splits AppArmor text into tokens like parser_lex.l, but without its modes. Differences are harmless, because rules
 * are printed again from their parts.
 * @throws {BadText}
 */
export function tokensOf(text: string): Token[] {
  const bad = /[^\P{Cc}\t\n\r]/u.exec(text)
  if (bad !== null) {
    const line = text.slice(0, bad.index).split('\n').length
    throw new BadText(line, `control character ${JSON.stringify(bad[0])}: write it as an octal escape, such as \\033`)
  }
  return new Scanner(text).scan()
}
