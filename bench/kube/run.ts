/**
 * Lists objects in pages and watches them while they change, with this project's reflector and with client-node's
 * informer. Each row runs in a separate process. The server is another process, whose cost does not count. Shows the
 * median of the rounds.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { countOption, inOwnProcess, progress, readOptions } from '../bench.ts'
import type { Cost } from './measured.ts'

const rows = {
  ours: ['run-ours.ts'],
  whole: ['run-ours.ts', 'whole'],
  informer: ['run-client-node.ts'],
  floor: ['run-floor.ts'],
} satisfies Record<string, [string, ...string[]]>
type Kind = keyof typeof rows

const { only, ...given } = readOptions<Record<'objects' | 'rate' | 'seconds' | 'rounds', number>, Kind>({
  command: 'npm run bench:kube --',
  about:
    "measure listing and watching objects with our reflector (also with whole objects), with client-node's informer, and with code that only parses and stores",
  kinds: Object.keys(rows) as Kind[],
  options: [
    countOption('--objects <count>', 'number of listed objects', 10_000),
    countOption('--rate <count>', 'changes per second', 1000),
    countOption('--seconds <count>', 'seconds of changes', 20),
    countOption('--rounds <count>', 'rounds; the median is shown', 3),
  ],
})

async function startServer(): Promise<{ server: ChildProcess; url: string }> {
  const script = join(import.meta.dirname, 'server.ts')
  const server = spawn(process.execPath, ['--import', 'tsx', script, `${given.objects}`, `${given.rate}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = (await once(server.stdout!, 'data')) as [Buffer]
  return { server, url: chunk.toString().trim() }
}

function cost(script: string, url: string, ...more: string[]): Promise<Cost> {
  const changes = String(given.rate * given.seconds)
  return inOwnProcess(join(import.meta.dirname, script), [url, changes, ...more], { flags: ['--expose-gc'] })
}

function median(costs: Cost[], of: keyof Cost): number {
  const sorted = costs.map((each) => each[of]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const round = (number: number, digits = 2): number => Number(number.toFixed(digits))

function row(costs: Cost[]) {
  return {
    'list s': round(median(costs, 'listSeconds')),
    'list CPU s': round(median(costs, 'listCpuSeconds')),
    'RSS after list MiB': median(costs, 'listRss'),
    'changes/s': Math.round(median(costs, 'changes') / median(costs, 'watchSeconds')),
    'CPU %': round((median(costs, 'watchCpuSeconds') / median(costs, 'watchSeconds')) * 100, 1),
    'CPU us/change': Math.round((median(costs, 'watchCpuSeconds') / median(costs, 'changes')) * 1e6),
    'RSS MiB': median(costs, 'watchRss'),
    'heap MiB': median(costs, 'heap'),
  }
}

const { server, url } = await startServer()
try {
  const measured = new Map(only.map((kind): [Kind, Cost[]] => [kind, []]))
  for (let turn = 1; turn <= given.rounds; turn++)
    for (const [kind, costs] of measured) {
      const [file, ...more] = rows[kind] as [string, ...string[]]
      costs.push(await cost(file, url, ...more))
      progress(`${kind}, round ${turn} of ${given.rounds}`)
    }
  for (const [kind, costs] of measured)
    if (costs.some(({ objects }) => objects !== given.objects)) throw new Error(`${kind} did not see all objects`)
  const table = Object.fromEntries([...measured].map(([kind, costs]) => [kind, row(costs)]))
  console.table(table)
  const { ours, informer } = table
  if (ours !== undefined && informer !== undefined) {
    const columns = Object.entries(ours) as [keyof typeof ours, number][]
    const ratios = columns.map(([column, value]) => [column, round(informer[column] / value)])
    console.log("figures of client-node's informer divided by ours:", Object.fromEntries(ratios))
  }
} finally {
  server.kill()
}
