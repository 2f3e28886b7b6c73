import { matchesPath, type PathPattern, parsePathPattern } from '../../profile/path-pattern.ts'
import { exclusionsOf } from '../../profile/protected-paths.ts'
import { accessesOf } from '../behaviour/permissions.ts'
import type { ModelFile } from '../behaviour/recorder-facts.ts'

interface Pattern {
  file: ModelFile
  pattern: PathPattern
  directory: boolean
  /** The text before the first star. Most paths already differ in this text, which avoids a full match. */
  start: string
}

/** The uses of files that a model allows. */
export class AllowedFiles {
  private readonly literal = new Map<string, ModelFile>()
  private readonly byText = new Map<string, ModelFile>()
  private readonly patterns: Pattern[] = []

  constructor(files: readonly ModelFile[]) {
    for (const file of files) {
      if (file.oldPath === undefined || file.oldPath === '') this.literal.set(file.path, file)
      else this.addPattern(file)
    }
  }

  private addPattern(file: ModelFile): void {
    this.byText.set(file.path, file)
    const directory = file.path.length > 1 && file.path.endsWith('/')
    const parsed = parsePathPattern(directory ? file.path.slice(0, -1) : file.path)
    if (!parsed.ok) return
    const start = file.path.slice(0, file.path.indexOf('*'))
    this.patterns.push({ file, pattern: parsed.pattern, directory, start })
  }

  /** The permissions of the file that the model does not allow. */
  missing(file: ModelFile): string[] {
    const isPattern = file.oldPath !== undefined && file.oldPath !== ''
    const entries = isPattern ? this.sameText(file.path) : [...this.sameName(file.path), ...this.matching(file)]
    const usable = entries.filter(({ owner }) => owner !== true || file.owner === true)
    const allowed = new Set(usable.flatMap(({ permissions }) => permissions))
    return file.permissions.filter((word) => !allowed.has(word) && !(word === 'a' && allowed.has('w')))
  }

  private sameText(path: string): ModelFile[] {
    const found = this.byText.get(path)
    return found === undefined ? [] : [found]
  }

  private sameName(path: string): ModelFile[] {
    const found = this.literal.get(path)
    return found === undefined ? [] : [found]
  }

  private matching({ path }: ModelFile): ModelFile[] {
    const directory = path.length > 1 && path.endsWith('/')
    const bytes = Buffer.from(directory ? path.slice(0, -1) : path)
    return this.patterns
      .filter((one) => one.directory === directory && path.startsWith(one.start) && matchesPath(one.pattern, bytes))
      .filter((one) => !isExcluded(one, bytes))
      .map(({ file }) => file)
  }
}

function isExcluded({ pattern, file }: Pattern, path: Uint8Array): boolean {
  return exclusionsOf(pattern, accessesOf(file.permissions)).some((one) => matchesPath(one.pattern, path))
}
