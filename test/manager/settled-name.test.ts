import { expect } from 'chai'
import { awaitProfileName } from '../../src/manager/admission/await-profile-name.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { Reviewer } from '../../src/manager/admission/reviewer.ts'
import { ManualClock, turn } from '../kube/harness.ts'
import { deployment, modern, policy } from './made-up.ts'

const plain = 'varmor-demo-web'
const hashed = 'varmor-demo-web-01234567'
const body = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    ...{ operation: 'CREATE', namespace: 'demo', userInfo: {}, object: deployment(), oldObject: null },
  },
})

describe('a workload whose policy has no name for its profile yet', () => {
  function setUp() {
    const clock = new ManualClock()
    const naming = { name: plain, isSettled: false, profileId: { namespace: 'demo', name: plain } }
    const names = { of: () => naming }
    const index = new PolicyIndex(() => naming.name)
    index.set(policy({ enforcer: 'AppArmor' }))
    const reviewer = new Reviewer({
      ...{ index, clock, mutate: modern, isSynced: () => true },
      settled: () => awaitProfileName(names, { kind: 'VarmorPolicy', namespace: 'demo', name: 'web' }, clock),
      validate: { behaviorModeling: false, judge: async () => ({ errors: [], count: 0, skipped: [] }) },
    })
    const decide = (name: string): void => {
      Object.assign(naming, { name, isSettled: true })
      index.set(policy({ enforcer: 'AppArmor' }))
    }
    let patch: string | undefined
    void reviewer.mutate(body).then((answer) => {
      const { response } = (answer as { review: { response: { patch: string } } }).review
      patch = Buffer.from(response.patch, 'base64').toString()
    })
    return { clock, decide, reviewer, patch: () => patch }
  }

  it('waits until the leader has decided, and is put into that profile', async () => {
    const { clock, decide, patch } = setUp()
    await clock.advance(100)
    expect(patch()).to.equal(undefined)
    decide(hashed)
    await clock.advance(100)
    expect(patch()).to.include(`localhost/${hashed}"`).and.not.include(`${plain}"`)
  })

  it('waits no longer where its request is given up for others', async () => {
    const { reviewer } = setUp()
    const controller = new AbortController()
    const answer = reviewer.mutate(body, { signal: controller.signal })
    await turn()
    controller.abort()
    expect(await answer).to.include({ status: 503 })
  })

  it('waits at most two seconds when no manager leads, and then gets the expected name', async () => {
    const { clock, patch } = setUp()
    await clock.advance(1_900)
    expect(patch()).to.equal(undefined)
    for (let i = 0; i < 20; i++) await clock.advance(20)
    await turn()
    expect(patch()).to.include(`localhost/${plain}"`)
  })
})
