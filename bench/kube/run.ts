/**
 * Objects listed in pages and watched while they change, by our reflector and by client-node's informer:
 *   node --import tsx bench/kube/run.ts [--objects 10000] [--rate 1000] [--seconds 20] [--rounds 3]
 * Every row is a process of its own, and so is the server, whose cost does not count. The median of the rounds is shown.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { Cost } from './measured.ts'

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
  },
})

const script = (name: string, ...args: string[]): string[] => [
  '--expose-gc',
  '--import',
  'tsx',
  join(import.meta.dirname, name),
  ...args,
]

async function startServer(): Promise<{ server: ChildProcess; url: string }> {
  const server = spawn(process.execPath, script('server.ts', values.objects, values.rate), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = (await once(server.stdout!, 'data')) as [Buffer]
  return { server, url: chunk.toString().trim() }
}

async function cost(name: string, url: string, ...more: string[]): Promise<Cost> {
  const changes = String(Number(values.rate) * Number(values.seconds))
  const { stdout } = await promisify(execFile)(process.execPath, script(name, url, changes, ...more))
  return JSON.parse(stdout) as Cost
}

const rows: Record<string, [string, ...string[]]> = {
  ours: ['run-ours.ts'],
  'ours, whole objects': ['run-ours.ts', 'whole'],
  'client-node informer': ['run-client-node.ts'],
  'parse and keep (floor)': ['run-floor.ts'],
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
  const measured: Record<string, Cost[]> = Object.fromEntries(Object.keys(rows).map((name) => [name, []]))
  for (let i = 0; i < Number(values.rounds); i++)
    for (const [name, [file, ...more]] of Object.entries(rows)) measured[name]?.push(await cost(file, url, ...more))
  for (const [name, costs] of Object.entries(measured))
    if (costs.some(({ objects }) => objects !== Number(values.objects)))
      throw new Error(`${name} did not see all objects`)
  const table = Object.fromEntries(Object.entries(measured).map(([name, costs]) => [name, row(costs)]))
  console.table(table)
  const [ours, theirs] = [table['ours']!, table['client-node informer']!]
  const ratios = Object.entries(ours).map(([column, value]) => [
    column,
    round(theirs[column as keyof typeof theirs] / value),
  ])
  console.log('client-node informer, times ours:', Object.fromEntries(ratios))
} finally {
  server.kill()
}
