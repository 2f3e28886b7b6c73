import { join } from 'node:path'
import { countOption, inOwnProcess, progress, readOptions } from '../bench.ts'

/** Target: CPU milliseconds per request. */
const aim = 0.25

export interface Row {
  policies: number
  matches: boolean
  connections: number
  /** Milliseconds. */
  cpu: number
  median: number
  p99: number
}

const { only, requests } = readOptions<{ requests: number }, string>({
  command: 'npm run bench:webhook --',
  about:
    'measure the CPU time and the latency of the review of a Deployment, by the number of policies (0: HTTPS without a review)',
  kinds: ['0', '1', '100', '1000', '10000'],
  options: [countOption('--requests <count>', 'requests of each round', 4_000)],
})

const number = (value: number, digits: number) => value.toFixed(digits).padStart(8)

progress('policies  matches  connections  CPU ms/request   ratio  median ms    p99 ms   ratio')
const first = new Map<string, Row>()
for (const count of only)
  for (const row of await inOwnProcess<Row[]>(join(import.meta.dirname, 'webhook-server.ts'), [count, `${requests}`])) {
    const { policies } = row
    const key = `${row.matches} ${row.connections}`
    const one = policies === 0 ? row : (first.get(key) ?? row)
    if (policies !== 0) first.set(key, one)
    progress(
      [
        (policies === 0 ? 'HTTPS' : String(policies)).padStart(8),
        (policies === 0 ? '-' : row.matches ? 'yes' : 'no').padStart(8),
        String(row.connections).padStart(12),
        `${number(row.cpu, 3)} ${row.cpu <= aim ? '(within)' : '(above) '}`,
        number(row.cpu / one.cpu, 2),
        number(row.median, 3),
        number(row.p99, 3),
        number(row.p99 / one.p99, 2),
      ].join(' '),
    )
  }
console.log(`aim: at most ${aim} ms CPU/request, for any number of policies`)
