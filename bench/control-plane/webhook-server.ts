/**
 * Measures a webhook with argv[2] policies, called argv[3] times. Prints its rows as JSON. All policies are in the
 * workload's namespace and share a label with it. The client is a separate process, whose CPU does not count.
 */

import { join } from 'node:path'
import { judgePolicy } from '../../actors/compiler/judge.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Routes } from '../../src/http/routes.ts'
import { startServer } from '../../src/http/server.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { Reviewer } from '../../src/manager/admission/reviewer.ts'
import { webhookRoutes } from '../../src/manager/http/webhook-routes.ts'
import { ManagerMetrics } from '../../src/manager/metrics/manager-metrics.ts'
import { issueServing, newAuthority } from '../../src/manager/tls/issue.ts'
import { inOwnProcess, stopwatch } from '../bench.ts'
import { madeUpPolicy } from './made-up.ts'
import type { Row } from './webhook.ts'
import type { Answers } from './webhook-client.ts'

type Server = Awaited<ReturnType<typeof startServer>>

const cases = [
  { matches: true, connections: 1 },
  { matches: true, connections: 16 },
  { matches: false, connections: 1 },
  { matches: false, connections: 16 },
] as const
const warmUp = 2_000
const client = join(import.meta.dirname, 'webhook-client.ts')

const [policies = 0, requests = 0] = process.argv.slice(2).map(Number)
const server = await serve()
const rows: Row[] = []
for (const one of cases) if (policies > 0 || one.matches) rows.push(await measure(one))
await server.drain(1000)
console.log(JSON.stringify(rows))

async function measure({ matches, connections }: (typeof cases)[number]): Promise<Row> {
  const app = matches ? `app-${policies >> 1}` : 'none'
  const ask = (count: number) =>
    inOwnProcess<Answers>(client, [String(server.port), String(connections), String(count), app])
  await ask(warmUp)
  const rounds: Row[] = []
  for (let i = 0; i < 3; i++) {
    const cost = stopwatch()
    const { median, p99, patched } = await ask(requests)
    const cpu = (cost().cpuSeconds * 1000) / requests
    if (patched !== (matches ? requests : 0)) throw new Error(`${patched} of ${requests} answers have a patch`)
    rounds.push({ policies, matches, connections, cpu, median, p99 })
  }
  // The machine also does other work, so the median round is the most reliable.
  return rounds.sort((a, b) => a.cpu - b.cpu)[1]!
}

/**
 * A server that only receives and sends the same number of bytes, and does not parse them. It shows the cost of HTTPS
 * alone.
 */
async function serve(): Promise<Server> {
  const index = new PolicyIndex()
  for (let i = 0; i < policies; i++) index.set(madeUpPolicy(i))
  const metrics = new ManagerMetrics({})
  const reviewer = new Reviewer({
    index,
    isSynced: () => true,
    mutate: {
      appArmorField: true,
      bpfExclusive: () => false,
      optIn: { key: 'sandbox.varmor.org/enable', value: 'true' },
      confineInitContainers: false,
      sandboxedRuntimes: [],
      now: systemClock.wall,
    },
    validate: {
      behaviorModeling: false,
      judge: async (object, before) =>
        judgePolicy(object, before, { installNamespace: 'varmor', egressControl: { pods: false, services: true } }),
    },
    observe: (outcome, seconds) => metrics.webhook.reviewed(outcome, seconds),
  })
  const reviewing = webhookRoutes({ reviewer, isAlive: () => true, isReady: () => true })
  const constant = JSON.stringify({ answer: 'x'.repeat(1_600), patch: '' })
  const bare: Routes = { exact: { '/mutate': { POST: { handle: () => ({ status: 200, body: constant }) } } } }
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
  const { certificate, key } = await issueServing(await newAuthority(validity), ['localhost'], validity)
  return startServer({
    name: 'webhook',
    routes: policies === 0 ? bare : reviewing,
    host: '127.0.0.1',
    port: 0,
    tls: { cert: certificate, key },
    log: console,
  })
}
