import { AssertionError } from 'node:assert'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { type AnyPolicy, PortError, type PortErrorCode, type Workload } from '../../actors/ports.ts'
import { ApiError, ConnectionError } from '../../src/kube/api-error.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { FencedError } from '../../src/kube/fence.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { varmorPolicies } from '../../src/kube/own-kinds.ts'
import { ClusterWrites } from '../../src/manager/cluster-writes.ts'
import { startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { install } from '../../src/sandbox/install.ts'
import { policySpec } from '../actors/control-plane/world.ts'

const context = { verb: 'patch', path: '/x' }
const refusal = (code: number, reason = ''): ApiError => new ApiError(code, { reason }, context)

const policy: AnyPolicy = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web', namespace: 'demo', uid: 'u', resourceVersion: '1' },
  spec: policySpec(),
}

/** The error of a write when the client throws `error`. */
async function thrownFor(error: Error): Promise<unknown> {
  const client = { patch: () => Promise.reject(error) } as unknown as ApiClient
  const writes = new ClusterWrites(client, { profile: () => undefined })
  return writes.setPolicyFinalizers(policy, []).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
}

describe('a write of the control plane', () => {
  const rows: [title: string, error: Error, code: PortErrorCode][] = [
    ['another writer was first', refusal(409, 'Conflict'), 'CONFLICT'],
    ['the name is taken', refusal(409, 'AlreadyExists'), 'CONFLICT'],
    ['the object is gone', refusal(404), 'NOT_FOUND'],
    ['the server finds it invalid', refusal(422), 'REFUSED'],
    ['the server forbids it', refusal(403), 'REFUSED'],
    ['the credentials are renewed just then', refusal(401), 'UNAVAILABLE'],
    ['the server has too much to do', refusal(429), 'UNAVAILABLE'],
    ['the server has an error', refusal(500), 'UNAVAILABLE'],
    ['the connection breaks', new ConnectionError('BROKEN', context, 'reset'), 'UNAVAILABLE'],
    ['the answer is too large, as it will be', new ConnectionError('TOO_LARGE', context, 'more'), 'REFUSED'],
    ['the term is over', new FencedError('not the leader'), 'UNAVAILABLE'],
  ]
  for (const [title, error, code] of rows)
    it(`is ${code} where ${title}`, async () => {
      const thrown = await thrownFor(error)
      expect(thrown).to.be.instanceOf(PortError)
      expect(thrown).to.include({ code, cause: error, message: error.message })
    })

  const bugs = [new TypeError('a'), new RangeError('b'), new ReferenceError('c'), new AssertionError({ message: 'd' })]
  for (const bug of bugs)
    it(`throws a ${bug.name} as it is: it is a bug, and not a server that is away`, async () => {
      expect(await thrownFor(bug)).to.equal(bug)
    })
})

describe('a status that is written', () => {
  let api: Awaited<ReturnType<typeof startApiServer>>
  let client: ApiClient
  let writes: ClusterWrites
  before(async () => {
    api = await startApiServer()
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    client = new ApiClient({ connection: new KubeConnection(config), limiter: unlimited })
    await install(client, 'demo')
    writes = new ClusterWrites(client, { profile: () => undefined })
  })
  after(async () => {
    await client.close()
    await api.close()
  })

  it('is sent without the spec, and the object that was known gets what the answer says of it', async () => {
    const answer = { metadata: { ...policy.metadata, resourceVersion: '2', labels: { by: 'another' } } }
    const status = { profileName: 'varmor-demo-web', ready: true }
    const asked: unknown[] = []
    const updateStatus = async (_: unknown, ...more: unknown[]) => {
      asked.push(...more)
      return answer
    }
    const writes = new ClusterWrites({ updateStatus } as unknown as ApiClient, { profile: () => undefined })
    const known = { ...policy, metadata: { ...policy.metadata, managedFields: [{}] } }
    expect(await writes.writePolicyStatus(known, status)).to.deep.equal({ ...known, ...answer, status })
    const { spec: _, ...rest } = policy
    expect(asked[0]).to.deep.equal({ ...rest, status })
    expect(asked[1]).to.include({ answer: 'metadata', fieldManager: 'varmor-manager' })
  })

  it('leaves the spec of a policy as it is', async () => {
    const made = await client.create(varmorPolicies, {
      ...policy,
      metadata: { name: 'web', namespace: 'demo' },
    } as never)
    const written = await writes.writePolicyStatus(made as AnyPolicy, { profileName: 'varmor-demo-web', ready: true })
    const stored = await client.get(varmorPolicies, { namespace: 'demo', name: 'web' })
    expect(stored).to.deep.include({ spec: made.spec, status: written.status })
    expect(stored.metadata.resourceVersion).to.equal(written.metadata.resourceVersion)
  })

  it('leaves to the manager what it applied of a model, so that it can take it away', async () => {
    const metadata = { namespace: 'demo', name: 'model', labels: {}, annotations: { a: '1' } }
    const dynamicResult = { appArmor: { profiles: ['varmor-x'], executions: ['/bin/a'] } }
    const profile = { name: 'varmor-x', enforcer: 'AppArmor', mode: 'enforce', appArmor: 'profile' } as const
    const model = await writes.applyModel({ metadata, storageType: 'CRDInternal', data: { dynamicResult, profile } })
    await writes.writeModelStatus(model, { desiredNumber: 1, completedNumber: 1, ready: true })
    const { annotations: _, ...unmarked } = metadata
    await writes.applyModel({ metadata: unmarked, storageType: 'LocalDisk', data: { profile } } as never)
    const stored = await writes.readModel('demo', 'model')
    expect(stored).to.deep.include({ storageType: 'LocalDisk', data: { profile } })
    expect(stored?.metadata.annotations).to.equal(undefined)
    expect(stored?.status).to.include({ ready: true })
  })
})

describe('the pods of a workload', () => {
  const pod = (name: string, owner: { kind: string; uid: string }, more: object = {}) => ({
    metadata: { name, ownerReferences: [{ ...owner, controller: true }], ...more },
  })
  const ended = (phase: string) => ({ ...pod(phase, { kind: 'ReplicaSet', uid: 'r' }), status: { phase } })
  const all = [
    pod('of-deployment', { kind: 'ReplicaSet', uid: 'r' }),
    pod('of-set', { kind: 'StatefulSet', uid: 'u' }),
    pod('of-another', { kind: 'StatefulSet', uid: 'other' }),
    pod('goes', { kind: 'ReplicaSet', uid: 'r' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ended('Failed'),
    ended('Succeeded'),
  ]
  for (const [kind, expected] of [
    ['Deployment', 'of-deployment'],
    ['StatefulSet', 'of-set'],
  ] as const)
    it(`are those of a ${kind} that live, one page at a time, however many there are`, async () => {
      const asked: object[] = []
      let ahead = 0
      const client = {
        async *listPages(_: unknown, options: object) {
          asked.push(options)
          for (let page = 0; page < 1_000; page++) {
            ahead++
            yield { metadata: {}, items: all }
          }
        },
      } as unknown as ApiClient
      const workload: Workload = {
        kind,
        metadata: { name: 'web', namespace: 'demo', uid: 'u', resourceVersion: '1' },
        spec: { selector: { matchLabels: { app: 'web' } }, template: {} },
      }
      const taken: string[] = []
      await new ClusterWrites(client, { profile: () => undefined }).eachPod(workload, ({ metadata }) => {
        taken.push(metadata.name)
        // A page is fetched only after the previous page was handed over.
        expect(ahead).to.equal(taken.length)
      })
      expect(new Set(taken)).to.deep.equal(new Set([expected]))
      expect(taken).to.have.length(1_000)
      expect(asked).to.deep.equal([
        { namespace: 'demo', labelSelector: 'app=web', limit: 50, class: 'restart', deadline: 30_000 },
      ])
    })
})
