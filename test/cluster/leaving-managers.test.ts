import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { Agent, request } from 'undici'
import { describeCluster } from './describe-cluster.ts'
import type { ManagedProcess } from './managed-process.ts'
import { freePorts } from './ports.ts'
import { applyObjects, managerProcess, removeObjects } from './varmor/manager-installation.ts'
import { podPolicy } from './varmor/seccomp-policies.ts'
import { eventually } from './wait.ts'

const namespace = 'leaving'
const team = 'leaving-team'
const service = 'varmor-webhook-svc'
/** Number of managers, and number of rounds that replace all managers. */
const COUNT = 3
const ROUNDS = 10
/** Milliseconds between two pods (EVERY), and the delay until the API server learns that a manager is ending (LAG). */
const EVERY = 50
const LAG = 3_000

interface Running {
  name: string
  port: number
  process: ManagedProcess
}

describeCluster(
  'Managers that are replaced, by an API server that shows them its certificate',
  (cluster) => {
    let address: string
    let started = 0
    let running: Running[] = []
    const ending: Promise<void>[] = []
    const apply = (object: object) => cluster().kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) })

    const start = async (): Promise<Running> => {
      const ports = (await freePorts(3)) as [number, number, number]
      const name = `varmor-manager-${++started}`
      const flags = [
        ...['--identity', name, '--shutdown-delay', '10', '--webhookTimeout', '30'],
        ...['--webhook-client-ca', join(cluster().folder.path, 'pki', 'ca.crt')],
        ...['--webhook-client-names', 'front-proxy-client'],
      ]
      const reach = ['--webhook-service', service]
      const process = managerProcess({ cluster: cluster(), namespace, address, flags, reach }, ports, name)
      await process.start()
      await process.ready()
      const [port] = ports
      // The test publishes a ready pod's endpoint, as the EndpointSlice controller does.
      await apply({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports: [{ name: 'webhook', port }],
      })
      return { name, port, process }
    }
    const replace = async ({ name, process }: Running): Promise<void> => {
      const ended = process.kill('SIGTERM')
      await pause(LAG)
      await cluster().kubectl(['-n', namespace, 'delete', 'endpointslice', name])
      await ended
    }

    const url = `/api/v1/namespaces/${team}/pods`
    const create = async (name: string): Promise<'in its profile' | 'free' | string> => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'web', 'sandbox.varmor.org/enable': 'true' } },
        // No scheduler takes the pod, so its container never runs.
        spec: { schedulerName: 'none', containers: [{ name: 'main', image: 'none' }] },
      }
      const headers = { 'content-type': 'application/json' }
      const { status, text } = await cluster().client.call('POST', url, { body: JSON.stringify(pod), headers })
      if (status !== 201) return text
      return text.includes(`localhost/varmor-${team}-web`) || text.includes(`"varmor-${team}-web"`)
        ? 'in its profile'
        : 'free'
    }

    before(async function () {
      this.timeout(1_800_000)
      address = new URL(cluster().server).hostname
      await applyObjects(cluster(), namespace)
      await cluster().kubectl(['create', 'namespace', team])
      const spec = { ports: [{ name: 'webhook', port: 443 }] }
      await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: service, namespace }, spec })
      running = await Promise.all(Array.from({ length: COUNT }, start))
      const policy = podPolicy('web', { hardeningRules: ['disallow-create-user-ns'] })
      await cluster().kubectl(['-n', team, 'apply', '-f', '-'], { input: JSON.stringify(policy) })
      let tries = 0
      await eventually('a pod in its profile', async () => (await create(`first-${++tries}`)) === 'in its profile')
    })
    after(async () => {
      await Promise.all([...ending, ...running.map(({ process }) => process.kill())])
      await cluster().tryKubectl(['delete', 'namespace', team, '--wait=false'])
      await removeObjects(cluster(), namespace)
    })

    it('let no other client ask for reviews, and answer the kubelet', async () => {
      const [{ port }] = running as [Running]
      const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
      const status = async (path: string, body?: string): Promise<number> => {
        const headers = { 'content-type': 'application/json' }
        const method = body === undefined ? 'GET' : 'POST'
        const answer = await request(`https://${address}:${port}${path}`, {
          ...{ method, headers, dispatcher },
          ...(body !== undefined && { body }),
        })
        await answer.body.dump()
        return answer.statusCode
      }
      expect(await status('/mutate', '{}')).to.equal(401)
      expect(await status('/validate', '{}')).to.equal(401)
      expect(await status('/health/readiness')).to.equal(200)
      await dispatcher.destroy()
    })

    it(`miss none of ${1_000 / EVERY} new pods a second while all ${COUNT} are replaced ${ROUNDS} times`, async () => {
      const outcomes = new Map<string, number>()
      const creating = new Set<Promise<void>>()
      let made = 0
      const timer = setInterval(() => {
        // A slow machine creates fewer pods.
        if (creating.size > 100) return
        const one = create(`web-${++made}`)
          .catch(String)
          .then((outcome) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1))
          .finally(() => creating.delete(one))
        creating.add(one)
      }, EVERY)
      try {
        for (let round = 0; round < ROUNDS; round++) {
          const next = await Promise.all(Array.from({ length: COUNT }, start))
          ending.push(...running.map(replace))
          running = next
        }
        await Promise.all(ending.splice(0))
      } finally {
        clearInterval(timer)
      }
      await Promise.all(creating)
      console.log(`      ${made} pods`)
      expect([...outcomes]).to.deep.equal([['in its profile', made]])
      expect(made).to.be.above(ROUNDS)
    })
  },
  { nodes: true },
)
