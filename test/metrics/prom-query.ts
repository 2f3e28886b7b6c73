/** The series and labels that a PromQL expression uses. */
export interface Asked {
  /** Names of metrics, each with the labels that select it. */
  metrics: { name: string; labels: string[] }[]
  /** Labels that group or match series: after `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`. */
  groupings: string[]
}

const tokens =
  /\s+|#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\$\w+|\$\{\w+\}|\d[\w.]*|\.\d+|[a-zA-Z_:][\w:]*|=~|!~|!=|==|<=|>=|[-+*/%^<>=(){}[\],:@]/y

const listed = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
/** Words that may follow the name of a function or of an aggregation. */
const calls = new Set(['(', 'by', 'without'])
const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'start', 'end', 'inf', 'nan'])

/**
 * Reads the metrics and labels of a PromQL expression with Grafana variables.
 * @throws an Error with the position of a syntax error
 */
export function readQuery(expression: string): Asked {
  const reader = new Reader(tokensOf(expression), expression)
  return reader.read()
}

function tokensOf(expression: string): string[] {
  const found: string[] = []
  tokens.lastIndex = 0
  while (tokens.lastIndex < expression.length) {
    const at = tokens.lastIndex
    const [token] = tokens.exec(expression) ?? []
    if (token === undefined) throw new Error(`at ${at} of ${expression}: ${expression.slice(at, at + 10)}`)
    if (!/^[\s#]/.test(token)) found.push(token)
  }
  return found
}

const isName = (token: string | undefined): boolean => token !== undefined && /^[a-zA-Z_:]/.test(token)

class Reader {
  readonly #tokens: readonly string[]
  readonly #expression: string
  readonly #asked: Asked = { metrics: [], groupings: [] }
  readonly #open: string[] = []
  #at = 0

  constructor(found: readonly string[], expression: string) {
    this.#tokens = found
    this.#expression = expression
  }

  read(): Asked {
    for (let token = this.#next(); token !== undefined; token = this.#next()) this.#take(token)
    if (this.#open.length > 0) this.#fail(`${this.#open.at(-1)} is never closed`)
    return this.#asked
  }

  #take(token: string): void {
    if (token === '(') this.#open.push(token)
    else if (token === ')') {
      if (this.#open.pop() === undefined) this.#fail('nothing is open to be closed')
    } else if (token === '[') this.#skipRange()
    else if ('{}]'.includes(token)) this.#fail(`${token} belongs to no metric`)
    else if (isName(token)) this.#name(token)
  }

  #name(token: string): void {
    const word = token.toLowerCase()
    if (listed.has(word)) this.#asked.groupings.push(...(this.#peek() === '(' ? this.#list() : []))
    else if (words.has(word) || calls.has(this.#peek()?.toLowerCase() ?? '')) return
    else this.#asked.metrics.push({ name: token, labels: this.#peek() === '{' ? this.#matchers() : [] })
  }

  /** `(a, b)` */
  #list(): string[] {
    this.#expect('(')
    const labels: string[] = []
    while (this.#peek() !== ')') {
      labels.push(this.#label())
      if (this.#peek() !== ')') this.#expect(',')
    }
    this.#expect(')')
    return labels
  }

  /** `{a="x", b=~"y"}` */
  #matchers(): string[] {
    this.#expect('{')
    const labels: string[] = []
    while (this.#peek() !== '}') {
      labels.push(this.#label())
      if (!['=', '!=', '=~', '!~'].includes(this.#next() ?? '')) this.#fail('a label is not compared')
      if (!/^["'`]/.test(this.#next() ?? '')) this.#fail('a label is compared with no text')
      if (this.#peek() !== '}') this.#expect(',')
    }
    this.#expect('}')
    return labels
  }

  #skipRange(): void {
    for (let token = this.#next(); token !== ']'; token = this.#next())
      if (token === undefined || !/^[\w$.:]/.test(token)) this.#fail('a range is never closed')
  }

  #label(): string {
    const token = this.#next()
    if (token === undefined || !/^[a-zA-Z_]\w*$/.test(token)) this.#fail(`${token} is no label`)
    return token!
  }

  #expect(wanted: string): void {
    const token = this.#next()
    if (token !== wanted) this.#fail(`${wanted} is missing before ${token}`)
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #next(): string | undefined {
    return this.#tokens[this.#at++]
  }

  #fail(problem: string): never {
    throw new Error(`${problem}: ${this.#expression}`)
  }
}
