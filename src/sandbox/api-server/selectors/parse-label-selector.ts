import { badRequest } from '../status.ts'
import type { LabelOperator, LabelRequirement } from './label-requirement.ts'
import { labelKeyProblem, labelValueProblem } from './label-syntax.ts'

interface Token {
  type: 'end' | 'error' | 'identifier' | 'in' | 'notin' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '>' | '<'
  text: string
}

const symbols = ['==', '!=', '=', '!', '(', ')', ',', '>', '<'] as const
const operators: readonly string[] = ['=', '==', '!=', 'in', 'notin', '>', '<']
const keywords = 'in, notin, =, ==, !=, gt, lt'

/**
 * Parses `labelSelector`: `a=b,c!=d,e in (f,g),!h`. The grammar and the texts are those of apimachinery (pkg/labels).
 * @throws {ApiStatusError} 400
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  try {
    return new Parser(tokens(text)).requirements()
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    throw badRequest(error.message)
  }
}

class SelectorError extends Error {}

/** A mistake inside a requirement; one between two has no such prefix in the server's text. */
const inside = (message: string): SelectorError => new SelectorError(`unable to parse requirement: ${message}`)

function* tokens(text: string): Generator<Token> {
  const pattern = /[ \t\r\n]*(?:(==|!=|[=!(),><])|([^=!(),>< \t\r\n]+))/y
  while (true) {
    const found = pattern.exec(text)
    if (!found) break
    if (found[1] !== undefined) yield { type: found[1] as (typeof symbols)[number], text: found[1] }
    else if (found[2] === 'in' || found[2] === 'notin') yield { type: found[2], text: found[2] }
    else yield { type: 'identifier', text: found[2]! }
  }
  while (true) yield { type: 'end', text: '' }
}

class Parser {
  private readonly source: Generator<Token>
  private next: Token

  constructor(source: Generator<Token>) {
    this.source = source
    this.next = source.next().value as Token
  }

  requirements(): LabelRequirement[] {
    const found: LabelRequirement[] = []
    if (this.next.type === 'end') return found
    if (!this.atRequirement())
      throw new SelectorError(`found '${this.next.text}', expected: !, identifier, or 'end of string'`)
    while (true) {
      found.push(this.requirement())
      const separator = this.take()
      if (separator.type === 'end') return found
      if (separator.type !== ',') throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`)
      if (!this.atRequirement()) throw new SelectorError(`found '${this.next.text}', expected: identifier after ','`)
    }
  }

  private requirement(): LabelRequirement {
    const negated = this.next.type === '!'
    if (negated) this.take()
    const key = this.take()
    if (!isIdentifier(key)) throw inside(`found '${key.text}', expected: identifier`)
    refuse('<nil>', key.text, labelKeyProblem(key.text))
    if (negated) return { key: key.text, operator: '!', values: [] }
    if (this.next.type === 'end' || this.next.type === ',') return { key: key.text, operator: 'exists', values: [] }
    const operator = this.take()
    if (!operators.includes(operator.type)) throw inside(`found '${operator.text}', expected: ${keywords}`)
    const values = operator.type === 'in' || operator.type === 'notin' ? this.list() : [this.exactValue()]
    return checked({ key: key.text, operator: operator.type as LabelOperator, values })
  }

  private list(): string[] {
    const open = this.take()
    if (open.type !== '(') throw inside(`found '${open.text}' expected: '('`)
    const values = new Set<string>()
    let pending = ''
    while (true) {
      const token = this.take()
      if (isIdentifier(token)) {
        pending = token.text
        if (this.next.type !== ',' && this.next.type !== ')')
          throw inside(`found '${this.next.text}', expected: ',' or ')'`)
      } else if (token.type === ',' || token.type === ')') {
        values.add(pending)
        pending = ''
        if (token.type === ')') return [...values].sort()
      } else throw inside(`found '${token.text}', expected: ',', ')' or identifier`)
    }
  }

  private exactValue(): string {
    if (this.next.type === 'end' || this.next.type === ',') return ''
    const token = this.take()
    if (!isIdentifier(token)) throw inside(`found '${token.text}', expected: identifier`)
    return token.text
  }

  private atRequirement(): boolean {
    return isIdentifier(this.next) || this.next.type === '!'
  }

  private take(): Token {
    const token = this.next
    this.next = this.source.next().value as Token
    return token
  }
}

/** `in` and `notin` are words like others where no operator can stand. */
const isIdentifier = (token: Token): boolean =>
  token.type === 'identifier' || token.type === 'in' || token.type === 'notin'

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement
  if (operator === '>' || operator === '<') {
    if (!/^[+-]?\d+$/.test(values[0]!))
      throw inside(
        `values[0][${key}]: Invalid value: "${values[0]}": for 'Gt', 'Lt' operators, the value must be an integer`,
      )
    return requirement
  }
  values.forEach((value, index) => {
    refuse(`values[${index}][${key}]`, value, labelValueProblem(value))
  })
  return requirement
}

function refuse(path: string, value: string, problem: string | undefined): void {
  if (problem !== undefined) throw inside(`${path}: Invalid value: ${JSON.stringify(value)}: ${problem}`)
}
