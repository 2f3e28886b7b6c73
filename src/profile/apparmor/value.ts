import { literal, quoted } from './quoted.ts'
import { BadText, type Token } from './tokens.ts'

/**
 * Variables that tunables/global of every AppArmor 3 defines, and the one that the parser does. Others may be missing
 * on a node, and one that is missing makes the whole profile fail to load.
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
/** A minus that is no range comes first: at the end of a class the parser refuses it. */
const classOf = /^\^?-?(?:[A-Za-z0-9._+:=~%@/](?:-[A-Za-z0-9._+:=~%@/])?)+\]/
const MAX_DEPTH = 49 // MAX_ALT_DEPTH in parser_regex.c is one more

class Glob {
  private at = 0
  /** For each open brace, whether it has a comma yet. */
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

  /** Plain characters and ranges only: the parser reads `*` between brackets as a wildcard all the same. */
  private characterClass(): void {
    const match = classOf.exec(this.text.slice(this.at))
    if (match === null) this.fail('"[…]" may contain letters, digits, ._+:=~%@/ and ranges, after an optional "^"')
    for (const [, low, high] of match[0].matchAll(/([^^-])-([^\]])/g)) {
      if (low! > high!) this.fail(`the range ${low}-${high} is empty`)
    }
    this.at += match[0].length
    // A class of one is that character: AppArmor 4 takes it so when it looks for rules that contradict each other.
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
 * A path, a label or another value that may be a glob, printed again in quotes: wildcards, alternatives, classes and
 * known variables stay, escapes are undone, and every other character means itself.
 * @throws {BadText}
 */
export function valueText(token: Pick<Token, 'text' | 'line'>): string {
  const glob = new Glob(token).read()
  if (glob === '') throw new BadText(token.line, 'the value is empty')
  return quoted(glob)
}

/**
 * A value that is a path: it starts with a slash, or with a variable that does. `//` and `/./` are written as the
 * kernel has them.
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
 * Whether the value is more than alternatives: the parser treats paths without `*` and `?` as exact. AppArmor 4 counts
 * classes to them too.
 */
export function hasWildcard(value: string): boolean {
  return /[*?]/.test(value)
}
