// `ms` is CPU time, which hardly depends on other programs. `dense` is the size of a table of states x classes x 4
// bytes. The project uses the packed rows of table.ts instead of such a table.
import { compileAutomaton } from '../../src/profile/bpf/automaton.ts'
import { bitMarks } from '../../src/profile/bpf/marks.ts'
import type { TriePattern } from '../../src/profile/bpf/pattern-trie.ts'
import { parsePathPattern } from '../../src/profile/path-pattern.ts'
import { countOption, progress, readOptions, stopwatch } from '../bench.ts'

let seed = 1
/** Returns a number below `n`; the sequence is the same in every run (Lehmer, modulus 2^31 - 1). */
function random(n: number): number {
  seed = (seed * 48271) % 0x7fffffff
  return seed % n
}

const syllables = [
  'ba',
  'con',
  'data',
  'ex',
  'fi',
  'lib',
  'log',
  'net',
  'run',
  'sys',
  'tmp',
  'usr',
  'var',
  '-',
  '.d',
  '0',
]
const name = () => Array.from({ length: 2 + random(3) }, () => syllables[random(syllables.length)]).join('')
const directory = (depth: number) => Array.from({ length: depth }, () => `/${name()}`).join('')
const top = ['/etc', '/usr/lib', '/var/lib', '/proc', '/sys', '/opt']
const under = (depth: number) => `${top[random(top.length)]}${directory(depth)}`

interface Shape {
  kind: string
  title: string
  make: () => string
  /** Tells whether most policies have this shape. */
  usual?: true
}

const shapes: Shape[] = [
  { kind: 'exact', title: 'exact, 4 components', make: () => under(3), usual: true },
  { kind: 'prefix', title: 'prefix /a/b/**', make: () => `${under(2)}/**`, usual: true },
  { kind: 'suffix', title: 'suffix /**/name', make: () => `/**/${name()}`, usual: true },
  { kind: 'extension', title: 'file names *.ext', make: () => `*.${name()}`, usual: true },
  { kind: 'name-start', title: 'file names name*', make: () => `${name()}*` },
  { kind: 'name-part', title: 'file names *name*', make: () => `*${name()}*` },
  { kind: 'anywhere', title: 'anywhere /**/name/**', make: () => `/**/${name()}/**` },
  { kind: 'both-ends', title: 'both ends /a/**/name', make: () => `${under(1)}/**/${name()}` },
  { kind: 'star', title: 'one * in a segment', make: () => `${under(1)}/*/${name()}`, usual: true },
  { kind: 'stars', title: 'several * in segments', make: () => `${under(1)}/${name()}*${name()}/*${name()}` },
  { kind: 'mix', title: 'mix: exact, prefix, suffix', make: () => oneOf(usual.slice(0, 3)) },
  { kind: 'usual-mix', title: 'mix of all but **…**', make: () => oneOf(usual) },
  { kind: 'two-gaps', title: 'two ** /a/**/b/**/c', make: () => `${under(1)}/**/${name()}/**/${name()}` },
  { kind: 'two-free-gaps', title: 'two free ** /**/a/**/b', make: () => `/**/${name()}/**/${name()}` },
]
const usual = shapes.filter((shape) => shape.usual)
const oneOf = (some: readonly Shape[]): string => some[random(some.length)]!.make()

function patterns(make: () => string, count: number, flags: number): TriePattern[] {
  return Array.from({ length: count }, () => {
    const parsed = parsePathPattern(make())
    if (!parsed.ok) throw new Error(parsed.problem)
    return { pattern: parsed.pattern, accept: 1 << random(flags), way: 16 }
  })
}

const { only, patterns: count } = readOptions<{ patterns: number }, string>({
  command: 'node --import tsx bench/profile/automaton.bench.ts',
  about: 'measure the time to compile patterns, and the size of the result',
  kinds: shapes.map(({ kind }) => kind),
  options: [countOption('--patterns <count>', 'patterns of each shape', 1000)],
})
progress(`${'shape'.padEnd(28)}patterns     ms   states  classes    bytes      dense`)
for (const { kind, title, make } of shapes) {
  if (!only.includes(kind)) continue
  seed = 1
  const given = patterns(make, count, 4)
  const cost = stopwatch()
  const compiled = compileAutomaton(given, bitMarks)
  const ms = cost().cpuSeconds * 1000
  const head = `${title.padEnd(28)}${String(count).padStart(8)}${ms.toFixed(0).padStart(7)}`
  if (!compiled.ok) progress(`${head}  refused: ${compiled.bound}`)
  else {
    const { states, classes, bytes } = compiled.table
    const figures = [states, classes, bytes.length, states * classes * 4]
    progress(head + figures.map((figure, i) => String(figure).padStart([9, 9, 9, 11][i]!)).join(''))
  }
}
