/**
 * What cel-go's parser, which ANTLR made from its CEL.g4, says of an expression that is no CEL. Its words depend on how it
 * recovers: from the first token that does not fit it goes on if the next one would have. Only the first such token is
 * told of here, after which cel-go may find more.
 */
export interface SyntaxError {
  /** Characters before it. */
  offset: number
  text: string
}

interface Token {
  /** As sets of expected tokens name it. */
  type: string
  text: string
  offset: number
}

const END = '<EOF>'
const blank = /^(?:[\t \r\n\f]+|\/\/[^\n]*)/
const escaped = String.raw`\\(?:[abfnrtv"'\\?\x60]|[0-3][0-7][0-7]|[xX][\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})`
const quoted = [
  `"""(?:${escaped}|[^\\\\])*?"""`,
  `'''(?:${escaped}|[^\\\\])*?'''`,
  `"(?:${escaped}|[^\\\\"\\n\\r])*"`,
  `'(?:${escaped}|[^\\\\'\\n\\r])*'`,
]
const raw = [`[rR]"""[^]*?"""`, `[rR]'''[^]*?'''`, `[rR]"[^"\\n\\r]*"`, `[rR]'[^'\\n\\r]*'`]
const text = `(?:${[...quoted, ...raw].join('|')})`

const lexemes: [type: string, form: RegExp][] = [
  ['BYTES', new RegExp(`^[bB]${text}`)],
  ['STRING', new RegExp(`^${text}`)],
  ['NUM_FLOAT', /^(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/],
  ['NUM_UINT', /^(?:\d+|0x[\da-fA-F]+)[uU]/],
  ['NUM_INT', /^(?:0x[\da-fA-F]+|\d+)/],
  ['IDENTIFIER', /^[A-Za-z_]\w*/],
  ['ESC_IDENTIFIER', /^`[\w.\-/ ]+`/],
  ['', /^(?:==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%])/],
]
const words = new Set(['in', 'true', 'false', 'null'])

/** The order in which sets are written. */
const order = `== != in < <= >= > && || [ ] { } ( ) . , - ! ? : + * / % true false null
  NUM_FLOAT NUM_INT NUM_UINT STRING BYTES IDENTIFIER ESC_IDENTIFIER ${END}`.split(/\s+/)
const shown = (type: string): string => (/^[A-Z_<]{3,}/.test(type) ? type : `'${type}'`)

function setText(types: readonly string[]): string {
  const sorted = [...types].sort((a, b) => order.indexOf(a) - order.indexOf(b)).map(shown)
  return sorted.length === 1 ? sorted[0]! : `{${sorted.join(', ')}}`
}

const operators = new Set(['<', '<=', '>=', '>', '==', '!=', 'in', '*', '/', '%', '+', '-', '&&', '||'])
const literals = ['true', 'false', 'null', 'NUM_FLOAT', 'NUM_INT', 'NUM_UINT', 'STRING', 'BYTES']
const starts = ['[', '{', '(', '.', '-', '!', ...literals, 'IDENTIFIER']

/** The longest token; where two are as long, the first listed. */
function nextToken(rest: string, offset: number): Token | undefined {
  let best: Token | undefined
  for (const [type, form] of lexemes) {
    const found = form.exec(rest)?.[0]
    if (found === undefined || found.length <= (best?.text.length ?? 0)) continue
    best = { type: type === '' || words.has(found) ? found : type, text: found, offset }
  }
  return best
}

/** How much no token begins with: a text without its end goes to the end of its line, an operator's half takes one more. */
function unknownLength(rest: string): number {
  const quote = /^[bB]?[rR]?(["'])/.exec(rest)
  if (quote !== null) {
    const body = new RegExp(`^(?:${escaped}|[^\\\\${quote[1]}\\n\\r])*`).exec(rest.slice(quote[0].length))![0]
    const length = quote[0].length + body.length
    return rest[length] === '\\' ? Math.min(length + 2, rest.length) : length
  }
  return /^[=&|]/.test(rest) ? Math.min(2, rest.length) : 1
}

function tokenize(expression: string): { tokens: Token[]; errors: SyntaxError[] } {
  const tokens: Token[] = []
  const errors: SyntaxError[] = []
  let offset = 0
  while (offset < expression.length) {
    const rest = expression.slice(offset)
    const skipped = blank.exec(rest)?.[0].length
    const token = skipped === undefined ? nextToken(rest, offset) : undefined
    if (token !== undefined) tokens.push(token)
    else if (skipped === undefined) {
      const unknown = rest.slice(0, unknownLength(rest))
      errors.push({ offset, text: `Syntax error: token recognition error at: '${unknown}'` })
    }
    offset += skipped ?? token?.text.length ?? unknownLength(rest)
  }
  tokens.push({ type: END, text: END, offset })
  return { tokens, errors }
}

/** Thrown at the first token that does not fit. */
class Misfit {
  readonly errors: SyntaxError[]

  constructor(...errors: SyntaxError[]) {
    this.errors = errors
  }
}

class Parser {
  private at = 0
  private readonly tokens: readonly Token[]
  private readonly expression: string

  constructor(tokens: readonly Token[], expression: string) {
    this.tokens = tokens
    this.expression = expression
  }

  /** @throws {Misfit} */
  start(): void {
    this.expr([END])
    this.match(END, [])
  }

  private current(): string {
    return this.tokens[this.at]!.type
  }

  private peek(ahead: number): string {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!.type
  }

  private misfit(problem: string): Misfit {
    return new Misfit({ offset: this.tokens[this.at]!.offset, text: `Syntax error: ${problem}` })
  }

  private input(): string {
    return `input '${this.tokens[this.at]!.text}'`
  }

  /** One token too many is told from one that fits nowhere by the one behind it. */
  private expect(types: readonly string[]): void {
    if (types.includes(this.current())) return
    const word = types.includes(this.peek(1)) && this.current() !== END ? 'extraneous' : 'mismatched'
    throw this.misfit(`${word} ${this.input()} expecting ${setText(types)}`)
  }

  /** @param after what may follow it here */
  private match(type: string, after: readonly string[]): void {
    if (this.current() !== type) {
      if (this.peek(1) !== type && after.includes(this.current()))
        throw this.misfit(`missing ${shown(type)} at '${this.tokens[this.at]!.text}'`)
      this.expect([type])
    }
    this.at++
  }

  private expr(after: readonly string[]): void {
    this.operations(['?', ...after])
    if (this.current() !== '?') return
    this.at++
    this.operations([':'])
    this.match(':', starts)
    this.expr(after)
  }

  private operations(after: readonly string[]): void {
    this.unary(after)
    while (operators.has(this.current())) {
      this.at++
      this.unary(after)
    }
  }

  private unary(after: readonly string[]): void {
    this.expect(starts)
    const sign = this.current()
    if (sign === '!' || sign === '-') {
      const first = this.at
      while (this.current() === sign) this.at++
      if (!starts.includes(this.current())) throw this.badSign(sign, first)
    }
    this.primary(after)
    while (this.current() === '.' || this.current() === '[') this.part(after)
  }

  private badSign(sign: string, first: number): Misfit {
    const expected = setText(starts)
    if (sign === '!') return this.misfit(`extraneous ${this.input()} expecting ${expected}`)
    const mismatched = this.misfit(`mismatched ${this.input()} expecting ${expected}`)
    return new Misfit(...this.noAlternative(first).errors, ...mismatched.errors)
  }

  private noAlternative(first: number): Misfit {
    const [from, to] = [this.tokens[first]!, this.tokens[this.at]!]
    const seen = this.expression.slice(from.offset, to.offset + (to.type === END ? 0 : to.text.length))
    return this.misfit(`no viable alternative at input '${to.type === END ? seen.trimEnd() : seen}'`)
  }

  private primary(after: readonly string[]): void {
    const first = this.at
    if (this.current() === '.') {
      this.at++
      if (this.current() !== 'IDENTIFIER') throw this.noAlternative(first)
    }
    const type = this.current()
    this.at++
    const follow = ['.', '[', ...operators, ...after]
    if (type === '(') {
      this.expr([')'])
      this.match(')', follow)
    } else if (type === '[') this.list(follow)
    else if (type === '{') this.entries([...starts, '?'], follow)
    else if (type === 'IDENTIFIER' && this.current() === '(') this.call(follow)
    else if (type === 'IDENTIFIER' && this.current() === '{') {
      this.at++
      this.entries(['?', 'IDENTIFIER', 'ESC_IDENTIFIER'], follow)
    }
  }

  private part(after: readonly string[]): void {
    const first = this.at
    const follow = ['.', '[', ...operators, ...after]
    const type = this.current()
    this.at++
    if (type === '[') {
      if (this.current() === '?') {
        this.at++
        this.expect(starts)
      } else this.expect([...starts, '?'])
      this.expr([']'])
      this.match(']', follow)
      return
    }
    if (this.current() === '?') {
      this.at++
      this.expect(['IDENTIFIER', 'ESC_IDENTIFIER'])
    } else if (this.current() !== 'IDENTIFIER' && this.current() !== 'ESC_IDENTIFIER') throw this.noAlternative(first)
    const callable = this.current() === 'IDENTIFIER'
    this.at++
    if (callable && this.current() === '(') this.call(follow)
    // A message's name may have dots in it.
    else if (callable && this.current() === '{') {
      this.at++
      this.entries(['?', 'IDENTIFIER', 'ESC_IDENTIFIER'], follow)
    }
  }

  private call(follow: readonly string[]): void {
    this.at++
    this.expect([...starts, ')'])
    if (this.current() !== ')') {
      this.expr([',', ')'])
      while (this.current() === ',') {
        this.at++
        this.expr([',', ')'])
      }
    }
    this.match(')', follow)
  }

  private list(follow: readonly string[]): void {
    this.expect([...starts, '?', ',', ']'])
    while (this.current() !== ']' && this.current() !== ',') {
      if (this.current() === '?') this.at++
      this.expr([',', ']'])
      this.expect([']', ','])
      if (this.current() === ',' && this.peek(1) !== ']' && this.peek(1) !== ',') this.at++
    }
    if (this.current() === ',') this.at++
    this.match(']', follow)
  }

  /** Of a map or of a message, after the brace. */
  private entries(keys: readonly string[], follow: readonly string[]): void {
    this.expect([...keys, ',', '}'])
    while (this.current() !== '}' && this.current() !== ',') {
      if (this.current() === '?') this.at++
      this.expr([':'])
      this.match(':', starts)
      this.expr([',', '}'])
      this.expect(['}', ','])
      if (this.current() === ',' && this.peek(1) !== '}') this.at++
    }
    if (this.current() === ',') this.at++
    this.match('}', follow)
  }
}

/** cel-go's complaints about an expression, in the order of their places; none where it is well formed. */
export function syntaxErrors(expression: string): SyntaxError[] {
  const { tokens, errors } = tokenize(expression)
  try {
    new Parser(tokens, expression).start()
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    errors.push(...error.errors)
  }
  return errors.sort((a, b) => a.offset - b.offset)
}
