import { execFile } from 'node:child_process'
import { Agent } from 'node:https'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { Reviewer } from '../../src/manager/admission/reviewer.ts'
import type { Routes } from '../../src/manager/http/routes.ts'
import { startServer } from '../../src/manager/http/server.ts'
import { webhookRoutes } from '../../src/manager/http/webhook-routes.ts'
import { ManagerMetrics } from '../../src/manager/metrics/manager-metrics.ts'
import { issueServing, newAuthority } from '../../src/manager/tls/issue.ts'
import { load } from './load.ts'
import { madeUpPolicy, madeUpReview } from './made-up.ts'

/**
 * What a review of a Deployment costs: CPU of the server, and the time until its answer, over HTTPS connections that stay. Each number
 * of policies is measured in a process of its own; who asks is a process of its own as well, so that its CPU is not counted.
 * All policies are in the workload's namespace, and all share a label with it.
 */
/** 0: no review at all. */
const counts = [0, 1, 100, 1_000, 10_000]
const cases = [
  { matches: true, connections: 1 },
  { matches: true, connections: 16 },
  { matches: false, connections: 1 },
  { matches: false, connections: 16 },
] as const
const requests = Number(process.env.REQUESTS ?? 4_000)
const warmUp = 2_000
/** Milliseconds of CPU that a request may cost. */
const aim = 0.25

interface Row {
  policies: number
  matches: boolean
  connections: number
  /** Milliseconds. */
  cpu: number
  median: number
  p99: number
}

interface Answers {
  median: number
  p99: number
  patched: number
}

const run = fileURLToPath(import.meta.url)
const execute = promisify(execFile)
const childOf = async (...args: string[]): Promise<string> =>
  (await execute(process.execPath, ['--import', 'tsx', run, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout

async function serve(policies: number): Promise<Row[]> {
  const index = new PolicyIndex()
  for (let i = 0; i < policies; i++) index.set(madeUpPolicy(i))
  const metrics = new ManagerMetrics({})
  const reviewer = new Reviewer({
    index,
    isSynced: () => true,
    mutate: {
      appArmorField: true,
      bpfExclusive: false,
      optIn: { key: 'sandbox.varmor.org/enable', value: 'true' },
      unnamedContainers: 'running',
      now: Date.now,
    },
    validate: { behaviorModeling: false },
    observe: (outcome, seconds) => metrics.webhook.reviewed(outcome, seconds),
  })
  const reviewing = webhookRoutes({ reviewer, isAlive: () => true, isReady: () => true })
  const constant = JSON.stringify({ answer: 'x'.repeat(1_600), patch: '' })
  // Takes the same bytes, and answers as many without looking at them: what HTTPS costs by itself.
  const bare: Routes = { exact: { '/mutate': { POST: { handle: () => ({ status: 200, body: constant }) } } } }
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
  const { certificate, key } = await issueServing(await newAuthority(validity), ['localhost'], validity)
  const server = await startServer({
    name: 'webhook',
    routes: policies === 0 ? bare : reviewing,
    host: '127.0.0.1',
    port: 0,
    tls: { cert: certificate, key },
    log: console,
  })
  const rows: Row[] = []
  for (const { matches, connections } of cases) {
    if (policies === 0 && !matches) continue
    const app = matches ? `app-${policies >> 1}` : 'nobody'
    const client = (count: number) => childOf('client', String(server.port), String(connections), String(count), app)
    await client(warmUp)
    const rounds: Row[] = []
    for (let i = 0; i < 3; i++) {
      const before = process.cpuUsage()
      const { median, p99, patched } = JSON.parse(await client(requests)) as Answers
      const { user, system } = process.cpuUsage(before)
      if (patched !== (matches ? requests : 0)) throw new Error(`${patched} of ${requests} answers have a patch`)
      rounds.push({ policies, matches, connections, cpu: (user + system) / 1000 / requests, median, p99 })
    }
    // The machine has other work: the round in the middle says most.
    rows.push(rounds.sort((a, b) => a.cpu - b.cpu)[1]!)
  }
  await server.drain(1000)
  return rows
}

async function ask(port: number, connections: number, count: number, app: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false })
  const { times, patched } = await load({ agent, port, connections, count, body: madeUpReview(app) })
  agent.destroy()
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]!
  console.log(JSON.stringify({ median: at(0.5), p99: at(0.99), patched }))
}

const number = (value: number, digits: number) => value.toFixed(digits).padStart(8)

async function table(): Promise<void> {
  console.log('policies  matches  connections  CPU ms/request   ratio  median ms    p99 ms   ratio')
  const first = new Map<string, Row>()
  for (const policies of counts)
    for (const row of JSON.parse(await childOf('server', String(policies))) as Row[]) {
      const key = `${row.matches} ${row.connections}`
      const one = policies === 0 ? row : (first.get(key) ?? row)
      if (policies !== 0) first.set(key, one)
      console.log(
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
  console.log(`aim: at most ${aim} ms CPU a request, and no more with more policies`)
}

const [role, ...args] = process.argv.slice(2)
if (role === 'server') console.log(JSON.stringify(await serve(Number(args[0]))))
else if (role === 'client') await ask(Number(args[0]), Number(args[1]), Number(args[2]), args[3]!)
else await table()
