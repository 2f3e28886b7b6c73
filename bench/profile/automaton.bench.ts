// How long patterns take to compile, and what they take up. `ms` is time on a
// processor, which other programs on the machine do not change much; `dense` is the table of states x classes x 4 bytes that was
// rejected for the packed rows of table.ts: node --import tsx bench/profile/automaton.bench.ts [count…]
import { compileAutomaton } from '../../src/profile/bpf/automaton.ts'
import { bitMarks } from '../../src/profile/bpf/marks.ts'
import type { TriePattern } from '../../src/profile/bpf/pattern-trie.ts'
import { parsePathPattern } from '../../src/profile/path-pattern.ts'

let seed = 1
/** A number below `n`; the same row of numbers in every run (Lehmer, modulus 2^31 - 1). */
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

const shapes: Record<string, () => string> = {
  'exact, 4 components': () => under(3),
  'prefix /a/b/**': () => `${under(2)}/**`,
  'suffix /**/name': () => `/**/${name()}`,
  'file names *.ext': () => `*.${name()}`,
  'file names name*': () => `${name()}*`,
  'file names *name*': () => `*${name()}*`,
  'anywhere /**/name/**': () => `/**/${name()}/**`,
  'both ends /a/**/name': () => `${under(1)}/**/${name()}`,
  'one * in a segment': () => `${under(1)}/*/${name()}`,
  'several * in segments': () => `${under(1)}/${name()}*${name()}/*${name()}`,
  'mix: exact, prefix, suffix': () => [() => under(3), () => `${under(2)}/**`, () => `/**/${name()}`][random(3)]!(),
  'mix of all but **…**': () => usual[random(usual.length)]!(),
  'two ** /a/**/b/**/c': () => `${under(1)}/**/${name()}/**/${name()}`,
  'two free ** /**/a/**/b': () => `/**/${name()}/**/${name()}`,
}
const usual = Object.entries(shapes).flatMap(([shape, make]) =>
  /^(exact|prefix|suffix|file names \*\.|one)/.test(shape) ? [make] : [],
)

function patterns(make: () => string, count: number, flags: number): TriePattern[] {
  return Array.from({ length: count }, () => {
    const parsed = parsePathPattern(make())
    if (!parsed.ok) throw new Error(parsed.problem)
    return { pattern: parsed.pattern, accept: 1 << random(flags), way: 16 }
  })
}

const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000]
console.log(`${'shape'.padEnd(28)}patterns     ms   states  classes    bytes      dense`)
for (const count of counts) {
  for (const [shape, make] of Object.entries(shapes)) {
    seed = 1
    const given = patterns(make, count, 4)
    const before = process.cpuUsage()
    const compiled = compileAutomaton(given, bitMarks)
    const ms = process.cpuUsage(before).user / 1000
    const head = `${shape.padEnd(28)}${String(count).padStart(8)}${ms.toFixed(0).padStart(7)}`
    if (!compiled.ok) console.log(`${head}  refused: ${compiled.bound}`)
    else {
      const { states, classes, bytes } = compiled.table
      const figures = [states, classes, bytes.length, states * classes * 4]
      console.log(head + figures.map((figure, i) => String(figure).padStart([9, 9, 9, 11][i]!)).join(''))
    }
  }
}
