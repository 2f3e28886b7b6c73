import { type FileContext, namesForAll } from './file-rules.ts'
import { merged } from './glob.ts'
import type { ParsedRule } from './rule-grammar.ts'

/** More than a path of people has; hostile text must not become a thousand times as long. */
const MAX_DIRECTORIES = 64

/** A glob in pieces: variables and classes are opaque, braces, commas and slashes stand alone. */
const pieces = /@\{\w+\}|\[\^?[^\]]+\]|[{},/]|[^@[{},/]+|@/g

/** Reads a glob and keeps each beginning of it that ends with a slash, those within alternatives too. */
class Beginnings {
  readonly found: string[] = []
  readonly #pieces: readonly string[]
  #at = 0

  constructor(glob: string) {
    this.#pieces = glob.match(pieces) ?? []
    this.#sequence('')
  }

  /** To the end of the glob or of the alternative. @param before all that stands before it */
  #sequence(before: string): string {
    for (let text = ''; ; ) {
      const piece = this.#pieces[this.#at]
      if (piece === undefined || piece === ',' || piece === '}') return text
      this.#at += 1
      text += piece === '{' ? this.#alternatives(before + text) : piece
      if (piece === '/' && this.found.length < MAX_DIRECTORIES) this.found.push(before + text)
    }
  }

  #alternatives(before: string): string {
    const texts: string[] = []
    do texts.push(this.#sequence(before))
    while (this.#pieces[this.#at++] === ',')
    return `{${texts.join(',')}}`
  }
}

/** A directory of any name: if it were protected, no directory could be made there. */
function hasAnyName(directory: string): boolean {
  return /(?:^|\/)(?:[*?]+|[^/]*@\{\w+\}[^/]*)\/$/.test(directory)
}

const fromAnywhere = /^\/\*\*?(?:\/|$)/

/** The directories that a glob, without its quotes, lies in, nearest to `/` first; `/` is not among them. */
export function directoriesOf(glob: string): string[] {
  const { found } = new Beginnings(glob)
  return [...new Set(found)].filter((text) => text !== '/' && text !== '/**/' && text !== glob)
}

/** As few globs as may be for these directories. */
function joined(directories: readonly string[]): string[] {
  return merged(directories.map((text) => text.slice(0, -1))).map((glob) => `"${glob}/"`)
}

function mountRules(globs: readonly string[], directories: readonly string[]): string[] {
  const anchored = globs.some((glob) => !/^\/(?:\*\*|\{,\*\*)/.test(glob))
  const places = [...new Set([...globs.map((glob) => `"${glob}"`), ...joined(directories)])]
  return [
    ...places.map((glob) => `mount options in (bind,rbind,move) ${glob}`),
    ...places.map((glob) => `mount -> ${glob}`),
    ...(anchored ? namesForAll : []),
  ]
}

function rulesFor(globs: readonly string[], { mountsAllowed }: FileContext): string[] {
  if (globs.length === 0) return []
  const directories = [...new Set(globs.flatMap(directoriesOf))]
  const named = directories.filter((each) => !hasAnyName(each) && !fromAnywhere.test(each))
  return [...joined(named).map((glob) => `${glob} w`), ...(mountsAllowed ? mountRules(globs, directories) : [])]
}

/**
 * Rules for the way to what raw rules forbid, as `wayRules` has them for built-in rules. A raw rule that denies is
 * never only observed, and so is its way; it is reported if such a rule is.
 */
export function rawWayRules(rules: readonly ParsedRule[], context: FileContext): string[] {
  if (!context.protectAncestors) return []
  const denials = rules.filter(({ needs }) => needs === undefined)
  const of = (reported: boolean): string[] =>
    denials.flatMap(({ forbids }) => (forbids !== undefined && forbids.reported === reported ? [forbids.glob] : []))
  const loud = rulesFor(of(true), context)
  const silent = rulesFor(of(false), context).filter((rule) => !loud.includes(rule))
  return [...loud.map((rule) => `audit deny ${rule},`), ...silent.map((rule) => `deny ${rule},`)]
}
