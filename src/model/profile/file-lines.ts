import { directoryGlobs, fileGlobs } from '../../profile/apparmor/glob.ts'
import { literal, quoted } from '../../profile/apparmor/quoted.ts'
import { matchesPath, parseModelPattern } from '../../profile/path-pattern.ts'
import { exclusionsOf, isOfProcesses } from '../../profile/protected-paths.ts'
import type { FileAccess } from '../../rules/meaning.ts'
import { accessesOf } from '../behaviour/permissions.ts'
import type { ModelFile } from '../behaviour/recorder-facts.ts'

/** A line of a profile, or the reason why a fact has no line. */
export type Line = { line: string } | { rule: string; reason: string }

const letters = 'rwalkm'

/** The letters of these permissions in AppArmor's order. `w` includes `a`. */
function lettersOf(permissions: readonly string[]): string {
  const all = new Set(permissions.flatMap((word) => [...word]))
  if (all.has('w')) all.delete('a')
  return [...letters].filter((letter) => all.has(letter)).join('')
}

/** Whether the text is a path from the kernel that AppArmor's parser does not change. */
export function isPath(path: string): boolean {
  return path.startsWith('/') && !path.includes('\0') && !path.includes('//') && !/\/\.\.?(?:\/|$)/.test(path)
}

interface Allowed {
  path: Buffer
  access: ReadonlySet<FileAccess>
}

/** Lines for the files of a model. Lines that refuse names within patterns come last. */
export function fileLines(files: readonly ModelFile[], executions: readonly string[]): Line[] {
  const isLiteral = ({ oldPath = '' }: ModelFile) => oldPath === ''
  const allowed: Allowed[] = [
    ...files
      .filter((file) => isLiteral(file) || isOfProcesses(file.path))
      .map(({ path, permissions }) => ({ path: Buffer.from(path), access: accessesOf(permissions) })),
    ...executions.map((path) => ({ path: Buffer.from(path), access: new Set<FileAccess>(['read', 'exec']) })),
  ]
  const lines = files.map((file) => (isLiteral(file) ? literalLine(file) : patternLine(file)))
  const refusals = files.filter((file) => !isLiteral(file)).flatMap((file) => refusalLines(file, allowed))
  return [...lines, ...new Set(refusals)].map((line) => (typeof line === 'string' ? { line } : line))
}

function literalLine({ path, owner, permissions }: ModelFile): Line {
  if (!isPath(path)) return { rule: path, reason: 'is not a path of the kernel' }
  return ruleLine(owner, quoted(literal(path)), permissions, path)
}

function ruleLine(owner: boolean | undefined, glob: string, permissions: readonly string[], rule: string): Line {
  const allowed = lettersOf(permissions)
  if (allowed === '')
    return { rule, reason: `lacks a permission that AppArmor knows: ${permissions.join(' ') || 'none'}` }
  return { line: `${owner === true ? 'owner ' : ''}${glob} ${allowed},` }
}

function patternLine({ path, owner, permissions }: ModelFile): Line {
  const read = parseModelPattern(path)
  if (!read.ok || !path.startsWith('/'))
    return { rule: path, reason: read.ok ? 'does not begin with "/"' : read.problem }
  const [glob] = read.directory ? directoryGlobs([read.pattern]) : fileGlobs([read.pattern])
  return ruleLine(owner, glob!, permissions, path)
}

const refused: readonly [FileAccess, string][] = [
  ['read', 'r'],
  ['write', 'wl'],
]

/** Lines that refuse the names that a pattern must not include, except names that were recorded literally. */
function refusalLines({ path, permissions }: ModelFile, allowed: readonly Allowed[]): string[] {
  const read = parseModelPattern(path)
  if (!read.ok || read.directory) return []
  const exclusions = exclusionsOf(read.pattern, accessesOf(permissions))
  return refused.flatMap(([access, word]) => {
    const denied = exclusions
      .filter(({ deny }) => deny.has(access) || (access === 'write' && deny.has('append')))
      .filter(({ pattern }) => !allowed.some((one) => one.access.has(access) && matchesPath(pattern, one.path)))
    return fileGlobs(denied.map(({ pattern }) => pattern)).map((glob) => `audit deny ${glob} ${word},`)
  })
}
