import { Agent, request } from 'node:https'
import { expect } from 'chai'
import { REPORT_PATH } from '../../src/api/agent-report.ts'
import { mutatingName, mutatingWebhookConfigurations } from '../../src/manager/admission/webhook-configurations.ts'
import { Manager } from '../../src/manager/manager.ts'
import { ManualClock } from '../audit/manual-clock.ts'
import { eventually } from '../cluster/wait.ts'
import { pod, requestFor } from '../manager/made-up.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { apply, profileName, ready, refOf } from './hands.ts'
import { policy } from './samples.ts'
import { managerOptions, World } from './world.ts'

const delay = 10_000

interface Answer {
  status: number
  body: string
  last: boolean
  reused: boolean
}

describe('a manager that ends', () => {
  let target: EmbeddedTarget
  let world: World
  let next: Manager
  let clock: ManualClock
  const kept = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })

  beforeEach(async () => {
    target = await EmbeddedTarget.start()
    world = await World.start(target, 1)
    await world.leading()
    clock = new ManualClock()
    // Replaces the suite's manager, which has no shutdown delay.
    await world.stopManager()
    const { listen = {} } = managerOptions(world.connect('manager'))
    await world.startManager({ listen: { ...listen, shutdownDelay: delay, clock } })
    await world.leading()
    next = new Manager({ ...managerOptions(world.connect('manager')), identity: 'next' })
    await next.start()
  })
  afterEach(async () => {
    kept.destroy()
    let over = false
    const ended = Promise.all([next.stop(), world.stop()]).finally(() => {
      over = true
    })
    while (!over) await clock.advance(delay)
    await ended
    await target.stop()
  })

  const ask = (port: number, path: string, { body, agent }: { body?: object; agent?: Agent } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST'
      const headers = { 'content-type': 'application/json' }
      const options = { host: '127.0.0.1', port, path, method, headers, rejectUnauthorized: false }
      const asked = request({ ...options, agent: agent ?? false }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more) => {
          text += more
        })
        const { statusCode: status = 0, headers } = response
        response.on('end', () =>
          resolve({ status, body: text, last: headers.connection === 'close', reused: asked.reusedSocket }),
        )
      })
      asked.on('error', reject)
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })

  it('is not ready at once, has another one lead at once, and answers meanwhile by the policies that are there', async () => {
    const namespace = await world.namespace('leaving')
    const before = policy(namespace, 'before', { kind: 'Pod' })
    await apply(world, before)
    await ready(world, before)
    const { manager } = world.running
    const { webhook, status } = manager.ports
    const resource = { group: '', version: 'v1', resource: 'pods' }
    const request = { ...requestFor(pod(), { namespace }), uid: 'u', resource, userInfo: { username: 'a user' } }
    const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }
    const patchFor = async (agent?: Agent): Promise<Answer & { patch: string }> => {
      const answer = await ask(webhook, '/mutate', { body: review, ...(agent && { agent }) })
      const { patch = '' } = (JSON.parse(answer.body) as { response: { patch?: string } }).response
      return { ...answer, patch: Buffer.from(patch, 'base64').toString() }
    }
    expect(await patchFor(kept)).to.deep.include({ status: 200, last: false })
    expect((await ask(webhook, '/health/readiness')).status).to.equal(200)

    let over = false
    const stopped = manager.stop().then(() => {
      over = true
    })
    expect((await ask(webhook, '/health/readiness')).status).to.equal(503)
    expect((await ask(status, '/readyz')).status).to.equal(503)
    expect((await ask(webhook, '/health/liveness')).status).to.equal(200)
    for (const agent of [kept, kept, undefined]) {
      const answer = await patchFor(agent)
      expect(answer).to.deep.include({ status: 200, last: true })
      expect(answer.patch).to.include(profileName(before))
    }
    await eventually('the next one to lead', async () => next.isLeader())
    expect(await ask(status, REPORT_PATH, { body: {} })).to.deep.include({ status: 503, last: true })

    // The next leader creates profiles, and the ending manager confines pods with them.
    await world.client.delete(refOf(before), { name: 'before', namespace })
    const after = policy(namespace, 'after', { kind: 'Pod' })
    await apply(world, after)
    await eventually('the new policy to be heeded', async () => (await patchFor()).patch.includes(profileName(after)))

    expect(over).to.equal(false)
    await clock.advance(delay)
    await stopped
    const gone = await ask(webhook, '/health/readiness').catch((error: NodeJS.ErrnoException) => error.code)
    expect(gone).to.equal('ECONNREFUSED')
  })

  it('makes no webhook configuration again that an uninstall removes meanwhile', async () => {
    const { manager } = world.running
    await next.stop()
    const stopped = manager.stop()
    await eventually('it to lead no more', async () => !manager.isLeader())
    const target = { name: mutatingName }
    await world.client.delete(mutatingWebhookConfigurations, target)
    await clock.advance(delay)
    await stopped
    const { items } = await world.client.list(mutatingWebhookConfigurations)
    expect(items.map(({ metadata }) => metadata?.name)).to.deep.equal([])
  })
})
