import { generalise } from '../../src/model/generalise/generalise.ts'
import { matchesPath, type PathPattern, parsePathPattern } from '../../src/profile/path-pattern.ts'
import { fill, randomFrom, type Service } from './corpus/service.ts'
import { upstreamPattern } from './upstream-patterns.ts'

/** Number of a workload's runs from which a model is made. `LATER`: number of later runs that test the model. */
const RECORDED = 6
const LATER = 20

/** Names that no service of the corpus uses; a pattern that matches them is too wide. */
const strangers = [
  'backup.sql',
  'secret.key',
  'id_rsa',
  'config.json',
  'README.md',
  'core',
  'notes.txt',
  'a.out',
  'authorized_keys',
]

/** The literal paths and the patterns of a model. */
export type Model = { literal: ReadonlySet<string>; patterns: readonly PathPattern[] }
export type Maker = (paths: readonly string[]) => Model

export const makers: Readonly<Record<string, Maker>> = {
  'this generaliser': (paths) => {
    const files = paths.map((path) => ({
      path,
      permissions: /^\/(?:proc|sys)\//.test(path) ? ['read'] : ['read', 'write'],
    }))
    const made = generalise({ bpf: { files } }).result.bpf?.files ?? []
    return modelOf(made.map(({ path, oldPath }) => ({ path, isPattern: oldPath !== undefined })))
  },
  "upstream's regular expressions": (paths) =>
    modelOf(
      paths.map((path) => upstreamPattern(path, true)).map((path, i) => ({ path, isPattern: path !== paths[i] })),
    ),
  'no patterns': (paths) => modelOf(paths.map((path) => ({ path, isPattern: false }))),
}

function modelOf(files: readonly { path: string; isPattern: boolean }[]): Model {
  const patterns = files.flatMap(({ path, isPattern }) => {
    const parsed = isPattern ? parsePathPattern(path.replace(/\/$/, '')) : undefined
    return parsed?.ok === true ? [parsed.pattern] : []
  })
  return { literal: new Set(files.flatMap(({ path, isPattern }) => (isPattern ? [] : [path]))), patterns }
}

export function allows({ literal, patterns }: Model, path: string): boolean {
  return (
    literal.has(path) ||
    patterns.some((pattern) => startsAlike(pattern, path) && matchesPath(pattern, Buffer.from(path)))
  )
}

function startsAlike({ tokens: [token] }: PathPattern, path: string): boolean {
  return token?.kind !== 'bytes' || path.startsWith(token.bytes)
}

/** A model's result. */
export interface Score {
  /** Number of paths of later runs. */
  later: number
  /** Paths of later runs that the model allows. */
  allowed: number
  /** Strangers' paths. */
  strange: number
  /** Strangers' paths that the model allows. */
  tooWide: number
}

const none: Score = { later: 0, allowed: 0, strange: 0, tooWide: 0 }

export function add(a: Score, b: Score): Score {
  return {
    later: a.later + b.later,
    allowed: a.allowed + b.allowed,
    strange: a.strange + b.strange,
    tooWide: a.tooWide + b.tooWide,
  }
}

/** The share of intended paths among the paths that the model allows in addition to the recorded paths, from 0 to 1. */
export const precision = ({ allowed, tooWide }: Score): number => (allowed === 0 ? 1 : allowed / (allowed + tooWide))
/** The share of the paths of later runs that the model allows, from 0 to 1. */
export const recall = ({ allowed, later }: Score): number => (later === 0 ? 1 : allowed / later)

/** Records the service, makes a model, and tests it with later runs and with strangers in the same directories. */
export function measureService({ varies, stable }: Service, make: Maker): Score {
  const record = randomFrom(1)
  const run = randomFrom(2)
  const seen = varies.flatMap((template) => Array.from({ length: RECORDED }, () => fill(template, record)))
  const model = make([...new Set([...stable, ...seen])])
  const later = varies.flatMap((template) => Array.from({ length: LATER }, () => fill(template, run)))
  const strange = varies.flatMap((template) => strangers.map((name) => `${directoryOf(template)}/${name}`))
  const wrong = [...new Set(strange)]
  return {
    later: later.length,
    allowed: later.filter((path) => allows(model, path)).length,
    strange: wrong.length,
    tooWide: wrong.filter((path) => allows(model, path)).length,
  }
}

/** The directory that contains the first varying name. */
function directoryOf(template: string): string {
  return template.slice(0, template.slice(0, template.indexOf('{')).lastIndexOf('/'))
}

export function measureAll(services: readonly Service[], make: Maker): Score {
  return services.map((service) => measureService(service, make)).reduce(add, none)
}

/**
 * Records half of these fixed names: every second name.
 * @returns the number of unrecorded names that the model allows
 */
export function measureStable(paths: readonly string[], make: Maker): { unseen: number; tooWide: number } {
  const model = make(paths.filter((_, i) => i % 2 === 0))
  const unseen = paths.filter((_, i) => i % 2 === 1)
  const byStart = model.patterns
  return {
    unseen: unseen.length,
    tooWide: unseen.filter((path) => allows({ literal: model.literal, patterns: byStart }, path)).length,
  }
}
