import { type FileContext, namesForAll } from './file-rules.ts'
import { merged } from './glob.ts'
import type { ParsedRule } from './rule-grammar.ts'

/** Maximum directories of a glob: real paths have fewer, and hostile text must not grow a thousand times. */
const MAX_DIRECTORIES = 64

/** The parts of a glob: a variable or a class is one part, and so is each brace, comma or slash. */
const pieces = /@\{\w+\}|\[\^?[^\]]+\]|[{},/]|[^@[{},/]+|@/g

/** Collects the beginnings of a glob that end with a slash, also within alternatives. */
class Beginnings {
  readonly found: string[] = []
  readonly #pieces: readonly string[]
  #at = 0

  constructor(glob: string) {
    this.#pieces = glob.match(pieces) ?? []
    this.#sequence('')
  }

  /** Reads up to the end of the glob or of the alternative. @param before the text before this part */
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

/** Whether the directory may have any name. Such a pattern is not protected: it would forbid creating any directory. */
function hasAnyName(directory: string): boolean {
  return /(?:^|\/)(?:[*?]+|[^/]*@\{\w+\}[^/]*)\/$/.test(directory)
}

const fromAnywhere = /^\/\*\*?(?:\/|$)/

/** The directories above the paths of an unquoted glob, shortest first, without `/`. */
export function directoriesOf(glob: string): string[] {
  const { found } = new Beginnings(glob)
  return [...new Set(found)].filter((text) => text !== '/' && text !== '/**/' && text !== glob)
}

/** Merged globs for these directories. */
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
 * Rules for the directories above paths that raw rules deny, like `wayRules` for built-in rules. They refuse even in a
 * policy that only observes, as the raw rules do, and report if a raw rule reports.
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
