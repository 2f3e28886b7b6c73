import { literal, quoted } from './quoted.ts'
import { BadText, type Token } from './tokens.ts'

/**
 * Variables of tunables/global in every AppArmor 3, and the parser's own variable. Others may be undefined on a node,
 * and then the whole profile fails to load.
 */
// biome-ignore format: a table reads better
const variables: ReadonlySet<string> = new Set([
  'PROC', 'HOME', 'HOMEDIRS', 'multiarch', 'pid', 'pids', 'tid', 'uid', 'uids', 'sys', 'run', 'etc_ro', 'etc_rw', 'profile_name',
])

const named: Record<string, number> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 }
const escapes: [RegExp, number][] = [
  [/^[0-7]{1,3}/, 8],
  [/^x([0-9A-Fa-f]{1,2})/, 16],
  [/^d([0-9]{1,3})/, 10],
]
/** A minus sign that is no range must come first: the parser refuses it at the end of a class. */
const classOf = /^\^?-?(?:[A-Za-z0-9._+:=~%@/](?:-[A-Za-z0-9._+:=~%@/])?)+\]/
const MAX_DEPTH = 49 // One less than MAX_ALT_DEPTH in parser_regex.c.

class Glob {
  private at = 0
  /** For each open brace, whether a comma was found. */
  private readonly open: boolean[] = []
  private readonly text: string
  private readonly line: number
  out = ''

  constructor({ text, line }: Pick<Token, 'text' | 'line'>) {
    this.text = text
    this.line = line
  }

  private fail(problem: string): never {
    throw new BadText(this.line, `${JSON.stringify(this.text)}: ${problem}`)
  }

  read(): string {
    while (this.at < this.text.length) this.next()
    if (this.open.length > 0) this.fail('"{" is not closed')
    return this.out
  }

  private next(): void {
    const char = String.fromCodePoint(this.text.codePointAt(this.at)!)
    this.at += char.length
    if (char === '\\') this.escape()
    else if (char === '*' || char === '?') this.out += char
    else if (char === '[') this.characterClass()
    else if (char === ']') this.fail('"]" does not close a "["')
    else if (char === '@' && this.text[this.at] === '{') this.variable()
    else if (!this.brace(char)) this.out += literal(char)
  }

  private escape(): void {
    const rest = this.text.slice(this.at)
    for (const [form, base] of escapes) {
      const match = form.exec(rest)
      if (match !== null) {
        this.byte(Number.parseInt(match[1] ?? match[0], base), match[0].length)
        return
      }
    }
    this.escapedCharacter(rest)
  }

  private escapedCharacter(rest: string): void {
    const char = String.fromCodePoint(rest.codePointAt(0) ?? 0)
    const control = named[char]
    if (control !== undefined) {
      this.byte(control, 1)
      return
    }
    if (rest === '' || /[A-Za-z0-9]/.test(char)) this.fail(`"\\${rest === '' ? '' : char}" is not an escape`)
    this.at += char.length
    this.out += literal(char)
  }

  private byte(byte: number, length: number): void {
    if (byte === 0 || byte > 255) this.fail('an escape must name a byte from 1 to 255')
    this.at += length
    this.out += byte < 128 ? literal(String.fromCharCode(byte)) : `\\${byte.toString(8)}`
  }

  /** Only plain characters and ranges: the parser reads `*` as a wildcard even in brackets. */
  private characterClass(): void {
    const match = classOf.exec(this.text.slice(this.at))
    if (match === null) this.fail('"[…]" may contain letters, digits, ._+:=~%@/ and ranges, after an optional "^"')
    for (const [, low, high] of match[0].matchAll(/([^^-])-([^\]])/g)) {
      if (low! > high!) this.fail(`the range ${low}-${high} is empty`)
    }
    this.at += match[0].length
    // A class of one character becomes that character, as in AppArmor 4's search for conflicting rules.
    this.out += match[0].length === 2 && match[0] !== '^]' ? literal(match[0][0]!) : `[${match[0]}`
  }

  private variable(): void {
    const match = /^\{([A-Za-z]\w*)\}/.exec(this.text.slice(this.at))
    if (match === null || !variables.has(match[1]!)) {
      this.fail(`only these variables are defined on every node: @{${[...variables].join('}, @{')}}`)
    }
    this.at += match[0].length
    this.out += `@${match[0]}`
  }

  private brace(char: string): boolean {
    if (char === '{') {
      if (this.open.push(false) > MAX_DEPTH) this.fail('braces are nested too deeply')
    } else if (char === '}') {
      if (this.open.pop() !== true) this.fail('"}" must close a "{" that contains a comma')
    } else if (char === ',' && this.open.length > 0) {
      this.open[this.open.length - 1] = true
    } else return false
    this.out += char
    return true
  }
}

/**
 * A value that may be a glob, printed again in quotes. Wildcards, alternatives, classes and known variables stay,
 * escapes are decoded, and every other character means itself.
 * @throws {BadText}
 */
export function valueText(token: Pick<Token, 'text' | 'line'>): string {
  const glob = new Glob(token).read()
  if (glob === '') throw new BadText(token.line, 'the value is empty')
  return quoted(glob)
}

/**
 * A path: it starts with a slash, or with a variable that does. `//` and `/./` are normalized, as the kernel's paths
 * are.
 */
export function pathOf(token: Token): string {
  if (token.kind !== 'word' && token.kind !== 'quoted')
    throw new BadText(token.line, `expected a path, found "${token.text}"`)
  const path = valueText(token)
    .replace(/\/{2,}/g, '/')
    .replace(/\/\.(?=[/"])/g, '')
  if (/^"(?:\/|@\{(?:PROC|HOME|HOMEDIRS|sys|run|etc_ro|etc_rw)\})/.test(path)) return path
  throw new BadText(token.line, `${JSON.stringify(token.text)} is not a path: a path starts with "/"`)
}

/**
 * Whether the parser treats the value as a pattern: paths without `*` and `?` count as exact. For AppArmor 4, classes
 * are exact too.
 */
export function hasWildcard(value: string): boolean {
  return /[*?]/.test(value)
}
