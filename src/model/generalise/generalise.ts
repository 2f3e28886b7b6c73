import type { DynamicResult } from '../../api/types.ts'
import { whyNoPattern } from '../../profile/protected-paths.ts'
import { accessesOf } from '../behaviour/permissions.ts'
import type { ModelFile } from '../behaviour/recorder-facts.ts'
import { DrawnNames } from './drawn-names.ts'
import { type Kind, type Shape, shapeOf } from './name-shape.ts'
import { Numbers } from './numbers.ts'
import { knownName, placeOf } from './places.ts'

/** A pattern, and information about the names that it replaces. */
export interface Explanation {
  pattern: string
  /** The kinds of parts that vary. */
  kinds: Kind[]
  /** The number of recorded paths. */
  count: number
  /** The alphabetically first recorded paths, at most five. */
  examples: string[]
}

/** A pattern that was not used. */
export interface Kept extends Explanation {
  /** The built-in rule that protects files that the pattern would match, or another reason. */
  rule: string
}

export interface Generalised {
  result: DynamicResult
  patterns: Explanation[]
  /** Paths that seem to vary, but stay as they are. */
  kept: Kept[]
}

const EXAMPLES = 5

/** A path with a star in place of each part that varies. */
interface PathShape {
  pattern: string
  kinds: Kind[]
}

/** Whether the name is a directory that groups hashes by their first digits: `0a` in `objects/0a/0a1b…`. */
const isFanOut = (name: string, next: Shape | undefined): boolean =>
  next?.kinds.length === 1 && next.kinds[0] === 'hash' && /^[0-9a-fA-F]{1,3}$/.test(name)

/**
 * The shapes of the names of a path. The last name comes first, because the shape of a directory may depend on its
 * content.
 */
function shapesOf(names: readonly string[]): (Shape | undefined)[] {
  const shapes: (Shape | undefined)[] = names.map(() => undefined)
  for (let i = names.length - 1; i > 0; i--) {
    const directory = names.slice(0, i).join('/')
    const name = names[i]!
    const placed = knownName(directory, name)
    if (placed !== undefined) shapes[i] = { pattern: placed.pattern, kinds: [placed.kind] }
    else if (isFanOut(name, shapes[i + 1])) shapes[i] = { pattern: '*', kinds: ['hash'] }
    else shapes[i] = shapeOf(name, placeOf(directory))
  }
  return shapes
}

/** A path, with the shapes of its names that are known so far. */
interface Walker {
  file: ModelFile
  names: readonly string[]
  shapes: (Shape | undefined)[]
}

const nameAt = ({ names, shapes }: Walker, i: number): string => shapes[i]?.pattern ?? names[i]!

/**
 * Whether the path is already a pattern, for a directory with too many names. Other names in this path may still vary.
 */
const isPattern = ({ oldPath = '' }: ModelFile): boolean => oldPath !== ''
const hasStar = (name: string): boolean => name.includes('*')

/**
 * Finds series of numbers and series of random names, from the root down. Directories that become one pattern are
 * searched together.
 * @param i index of the names to compare; all names above this index are equal for all walkers
 */
function findSeries(walkers: readonly Walker[], i: number): void {
  const here = walkers.filter(({ names }) => i < names.length)
  if (here.length === 0) return
  const numbers = new Numbers()
  const drawn = new DrawnNames()
  for (const walker of here.filter(({ names }) => !hasStar(names[i]!))) {
    drawn.see(walker.names[i]!)
    numbers.see(walker.names[i]!)
    if (walker.shapes[i] !== undefined) numbers.see(nameAt(walker, i))
  }
  const { image } = placeOf(here[0]!.names.slice(0, i).join('/'))
  const below = new Map<string, Walker[]>()
  for (const walker of here) {
    const kinds = walker.shapes[i]?.kinds ?? []
    const isFixed = image || hasStar(walker.names[i]!)
    const number = isFixed ? undefined : numbers.patternOf(nameAt(walker, i))
    const random = isFixed || walker.shapes[i] !== undefined ? undefined : drawn.patternOf(walker.names[i]!)
    if (number !== undefined) walker.shapes[i] = { pattern: number, kinds: [...kinds, 'number'] }
    else if (random !== undefined) walker.shapes[i] = { pattern: random, kinds: ['random name'] }
    const name = nameAt(walker, i)
    const group = below.get(name)
    if (group === undefined) below.set(name, [walker])
    else group.push(walker)
  }
  for (const group of below.values()) findSeries(group, i + 1)
}

/** The files, with the varying parts of their paths. A literal path that contains a star is left out. */
function walkersOf(files: readonly ModelFile[]): Walker[] {
  const varies = (file: ModelFile): boolean => isPattern(file) || !hasStar(file.path)
  const walkers = files.map((file): Walker => {
    const names = file.path.split('/')
    const shapes = varies(file) ? shapesOf(names) : []
    return { file, names, shapes: names.map((name, i) => (hasStar(name) ? undefined : shapes[i])) }
  })
  findSeries(
    walkers.filter(({ file }) => varies(file)),
    1,
  )
  return walkers
}

function shapeOfPath(walker: Walker): PathShape | undefined {
  const pattern = walker.names.map((_, i) => nameAt(walker, i)).join('/')
  if (pattern === walker.file.path) return undefined
  return { pattern, kinds: [...new Set(walker.shapes.flatMap((shape) => shape?.kinds ?? []))].sort() }
}

/** Files that become one pattern. */
class Group {
  readonly files: ModelFile[] = []
  readonly kinds = new Set<Kind>()

  get permissions(): string[] {
    return [...new Set(this.files.flatMap(({ permissions }) => permissions))].sort()
  }

  file(path: string): ModelFile {
    const owner = this.files.every((file) => file.owner === true)
    const oldPath = this.paths[0]!
    return { path, ...(owner && { owner }), permissions: this.permissions, oldPath }
  }

  get paths(): string[] {
    return this.files.map((file) => (isPattern(file) ? file.oldPath! : file.path)).sort()
  }

  explain(pattern: string): Explanation {
    const { paths } = this
    return { pattern, kinds: [...this.kinds].sort(), count: paths.length, examples: paths.slice(0, EXAMPLES) }
  }
}

interface Lists {
  files: ModelFile[]
  patterns: Explanation[]
  kept: Kept[]
}

function generaliseFiles(files: readonly ModelFile[]): Lists {
  const groups = new Map<string, Group>()
  const lists: Lists = { files: [], patterns: [], kept: [] }
  for (const walker of walkersOf(files)) {
    const shape = shapeOfPath(walker)
    if (shape === undefined) lists.files.push(walker.file)
    else addTo(groups, shape, walker.file)
  }
  for (const [pattern, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) settle(pattern, group, lists)
  return lists
}

function addTo(groups: Map<string, Group>, { pattern, kinds }: PathShape, file: ModelFile): void {
  const group = groups.get(pattern) ?? new Group()
  group.files.push(file)
  for (const kind of kinds) group.kinds.add(kind)
  groups.set(pattern, group)
}

function settle(pattern: string, group: Group, { files, patterns, kept }: Lists): void {
  const rule = whyNoPattern(pattern, accessesOf(group.permissions))
  if (rule === undefined) {
    files.push(group.file(pattern))
    patterns.push(group.explain(pattern))
  } else {
    files.push(...group.files)
    kept.push({ ...group.explain(pattern), rule })
  }
}

/** Joins files with the same path. A new pattern may equal a pattern that the model already contained. */
function joined(files: readonly ModelFile[]): ModelFile[] {
  const byPath = new Map<string, ModelFile>()
  for (const file of files) {
    const key = `${file.path}\0${file.oldPath === undefined ? '' : '*'}`
    const before = byPath.get(key)
    byPath.set(key, before === undefined ? file : both(before, file))
  }
  return [...byPath].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file)
}

function both(a: ModelFile, b: ModelFile): ModelFile {
  const owner = a.owner === true && b.owner === true
  const permissions = [...new Set([...a.permissions, ...b.permissions])].sort()
  const oldPath = [a.oldPath, b.oldPath].filter((path) => path !== undefined).sort()[0]
  return { path: a.path, ...(owner && { owner }), permissions, ...(oldPath !== undefined && { oldPath }) }
}

/**
 * Replaces names that vary from run to run by patterns. The same files always give the same patterns. Executions stay
 * as they are, because a model must refuse programs with new names.
 */
export function generalise(result: DynamicResult): Generalised {
  const { appArmor, bpf } = result
  const lists = [appArmor, bpf].map((facts) => generaliseFiles(facts?.files ?? []))
  const filesOf = (i: number) => joined(lists[i]!.files)
  return {
    result: {
      ...result,
      ...(appArmor?.files !== undefined && { appArmor: { ...appArmor, files: filesOf(0) } }),
      ...(bpf?.files !== undefined && { bpf: { ...bpf, files: filesOf(1) } }),
    },
    patterns: together(lists.flatMap(({ patterns }) => patterns)),
    kept: together(lists.flatMap(({ kept }) => kept)),
  }
}

/** Joins the explanations from AppArmor and BPF, because both record the same files. */
function together<T extends Explanation>(all: readonly T[]): T[] {
  const byPattern = new Map<string, T>()
  for (const each of all) {
    const known = byPattern.get(each.pattern)
    const examples = [...new Set([...(known?.examples ?? []), ...each.examples])].sort().slice(0, EXAMPLES)
    const kinds = [...new Set([...(known?.kinds ?? []), ...each.kinds])].sort()
    byPattern.set(each.pattern, { ...each, kinds, examples, count: Math.max(each.count, known?.count ?? 0) })
  }
  return [...byPattern].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
}
