import { cpus } from 'node:os'
import { join } from 'node:path'
import { inOwnProcess, progress, readOptions } from '../bench.ts'

interface Row {
  readonly name: string
  readonly file: './local.ts' | './threads.ts' | './memory.ts'
  /** The function that measures the row. */
  readonly measure: string
  /** The target, as a minimum or a maximum. */
  readonly aim?: { readonly atLeast: number } | { readonly atMost: number }
}

const rows: readonly Row[] = [
  { name: 'EventEmitter, bare: events/s', file: './local.ts', measure: 'emitter' },
  { name: 'promise queue, bare: messages/s', file: './local.ts', measure: 'promiseQueue' },
  { name: 'tell, one actor: messages/s', file: './local.ts', measure: 'tellOne', aim: { atLeast: 3_000_000 } },
  {
    name: 'tell, 1,000 actors one after another: messages/s',
    file: './local.ts',
    measure: 'tellMany',
    aim: { atLeast: 3_000_000 },
  },
  { name: 'tell, 100,000 actors of a family, by key: messages/s', file: './local.ts', measure: 'tellFamily' },
  { name: 'tell, 1,000 actors that await: messages/s', file: './local.ts', measure: 'tellAwaiting' },
  { name: 'ask, one at a time: round trips/s', file: './local.ts', measure: 'askOne' },
  { name: 'ask, 200 at a time: round trips/s', file: './local.ts', measure: 'askMany' },
  {
    name: 'tell, across a thread, one actor: messages/s',
    file: './threads.ts',
    measure: 'tellOneAcross',
    aim: { atLeast: 1_000_000 },
  },
  {
    name: 'tell, across a thread, 1,000 actors: messages/s',
    file: './threads.ts',
    measure: 'tellManyAcross',
    aim: { atLeast: 1_000_000 },
  },
  { name: 'ask, across a thread, one at a time: round trips/s', file: './threads.ts', measure: 'askOneAcross' },
  { name: 'ask, across a thread, 1,000 at a time: round trips/s', file: './threads.ts', measure: 'askManyAcross' },
  { name: '1,000,000 idle actors: bytes per actor', file: './memory.ts', measure: 'idle' },
  {
    name: '1,000,000 passivated actors: bytes per actor',
    file: './memory.ts',
    measure: 'passivated',
    aim: { atMost: 200 },
  },
  { name: '1,000,000 actors passivated as objects: bytes per actor', file: './memory.ts', measure: 'passivatedObject' },
]

export type Result = number | { readonly rss: number; readonly heap: number; readonly total: number }

const text = (value: number): string => Math.round(value).toLocaleString('en')

function aimed(aim: Row['aim'], value: number): string {
  if (aim === undefined) return ''
  const [word, bound, reached] =
    'atLeast' in aim ? ['at least', aim.atLeast, value >= aim.atLeast] : ['at most', aim.atMost, value <= aim.atMost]
  return `${word} ${text(bound)}: ${reached ? 'reached' : 'MISSED'}`
}

async function print(row: Row): Promise<void> {
  const script = join(import.meta.dirname, 'run-row.ts')
  const result = await inOwnProcess<Result>(script, [row.file, row.measure], { flags: ['--expose-gc'] })
  const value = typeof result === 'number' ? result : result.rss
  const note =
    typeof result === 'number' ? '' : `  (of which heap: ${text(result.heap)}; all actors: ${text(result.total)} MiB)`
  progress(`${row.name.padEnd(56)} ${text(value).padStart(12)}  ${aimed(row.aim, value)}${note}`)
}

const { only } = readOptions({
  command: 'npm run bench:actors --',
  about: 'measure the speed of messages and requests between actors, and the memory of idle actors',
  kinds: rows.map(({ measure }) => measure),
})
const machine = `${cpus().length} × ${cpus()[0]?.model}`
console.log(
  `Node ${process.versions.node}, ${machine}; speeds are the best of several runs; memory is resident memory\n`,
)
for (const row of rows) if (only.includes(row.measure)) await print(row)
