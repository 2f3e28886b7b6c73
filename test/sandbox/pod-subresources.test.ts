import { expect } from 'chai'
import { at, type JsonObject, objectOf } from '../../src/sandbox/api-server/schema/json.ts'
import { type Harness, startInProcess } from './in-process.ts'

const pods = '/api/v1/namespaces/default/pods'
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'

async function withPod(): Promise<Harness> {
  const harness = await startInProcess()
  await harness.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } })
  const containers = [{ name: 'main', image: 'a', resources: { requests: { cpu: '1' } } }]
  const spec = { containers, nodeName: 'somewhere', automountServiceAccountToken: false }
  const made = await harness.call('POST', pods, { metadata: { name: 'web', labels: { app: 'web' } }, spec })
  expect(made['kind'], JSON.stringify(made)).to.equal('Pod')
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
  await harness.call('PATCH', `${pods}/web/status`, { status }, { 'content-type': 'application/merge-patch+json' })
  return harness
}

async function addBudget({ call }: Harness, disruptionsAllowed: number): Promise<void> {
  const spec = { minAvailable: 1, selector: { matchLabels: { app: 'web' } } }
  await call('POST', budgets, { metadata: { name: 'budget' }, spec })
  const status = { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, observedGeneration: 1 }
  await call('PATCH', `${budgets}/budget/status`, { status }, { 'content-type': 'application/merge-patch+json' })
}

const evict = ({ call }: Harness, more: JsonObject = {}): Promise<JsonObject> =>
  call('POST', `${pods}/web/eviction`, { metadata: { name: 'web' }, ...more })

describe('an eviction', () => {
  it('deletes a pod that no budget counts on', async () => {
    const harness = await withPod()
    expect(await evict(harness)).to.include({ status: 'Success', code: 201 })
    expect(at(await harness.call('GET', `${pods}/web`), 'metadata', 'deletionTimestamp')).to.be.a('string')
  })

  it('is refused where its budget has no room', async () => {
    const harness = await withPod()
    await addBudget(harness, 0)
    const refused = await evict(harness)
    expect(refused).to.include({ code: 429, reason: 'TooManyRequests' })
    expect(refused['message']).to.equal("Cannot evict pod as it would violate the pod's disruption budget.")
    expect(at(refused, 'details', 'causes', 0)).to.deep.equal({
      reason: 'DisruptionBudget',
      message: 'The disruption budget budget needs 1 healthy pods and has 1 currently',
    })
    expect(at(await harness.call('GET', `${pods}/web`), 'metadata', 'deletionTimestamp')).to.equal(undefined)
  })

  it('takes its place in a budget that has one, and none in a dry run', async () => {
    const harness = await withPod()
    await addBudget(harness, 1)
    const left = async (): Promise<JsonObject> => objectOf((await harness.call('GET', `${budgets}/budget`))['status'])
    expect(await evict(harness, { deleteOptions: { dryRun: ['All'] } })).to.include({ status: 'Success' })
    expect(await left()).to.include({ disruptionsAllowed: 1 })
    expect(await evict(harness)).to.include({ status: 'Success' })
    const status = await left()
    expect(status).to.include({ disruptionsAllowed: 0 })
    expect(objectOf(status['disruptedPods'])).to.have.all.keys('web')
  })
})

describe('the parts of a pod that can change while it runs', () => {
  it('are its ephemeral containers, through their endpoint alone', async () => {
    const { call } = await withPod()
    const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
    const patch = { spec: { ephemeralContainers: [{ name: 'debug', image: 'b' }], terminationGracePeriodSeconds: 7 } }
    const changed = await call('PATCH', `${pods}/web/ephemeralcontainers`, patch, strategic)
    expect(at(changed, 'spec', 'ephemeralContainers', 0)).to.include({ name: 'debug', imagePullPolicy: 'Always' })
    expect(at(changed, 'spec', 'terminationGracePeriodSeconds')).to.equal(30)
  })

  it('are the resources of its containers, through theirs', async () => {
    const { call } = await withPod()
    const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
    const container = { name: 'main', image: 'other', resources: { requests: { cpu: '2' } } }
    const changed = await call('PATCH', `${pods}/web/resize`, { spec: { containers: [container] } }, strategic)
    expect(at(changed, 'spec', 'containers', 0)).to.deep.include({ image: 'a', resources: { requests: { cpu: '2' } } })
    expect(at(changed, 'metadata', 'generation')).to.equal(2)
  })
})
