import type { Socket } from 'node:net'
import { expect } from 'chai'
import type { ArmorProfile, ArmorProfileModel, DynamicResult } from '../../../src/api/types.ts'
import type { Exchange, Reply } from '../../../src/http/routes.ts'
import { ApiError } from '../../../src/kube/api-error.ts'
import type { ApiClient } from '../../../src/kube/client.ts'
import { keyOf } from '../../../src/kube/objects.ts'
import { type ModelRoutesOptions, modelRoutes } from '../../../src/manager/http/model-routes.ts'
import { NoRoom } from '../../../src/manager/models/model-folder.ts'
import { type StoredModelsOptions, storedModels } from '../../../src/manager/models/stored-models.ts'
import { recordedProfile } from '../../actors/modelling/world.ts'
import { ManualClock } from '../../kube/harness.ts'

const path = '/apis/crd.varmor.org/v1beta1/namespaces/demo/armorprofilemodels/varmor-demo-web'
const result: DynamicResult = { seccomp: { syscalls: ['openat'] } }
const model = (more: Partial<ArmorProfileModel> = {}): ArmorProfileModel => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfileModel',
  metadata: { namespace: 'demo', name: 'varmor-demo-web' },
  data: { dynamicResult: result, profile: { name: 'varmor-demo-web', enforcer: 'Seccomp', mode: 'enforce' } },
  ...more,
})

/** A manager that may or may not lead, with the content of the API server and of its model folder. */
function setUp(
  stored: ArmorProfileModel | undefined,
  more: { leads?: boolean; rights?: readonly string[]; profile?: ArmorProfile; room?: number; refusal?: Error } = {},
) {
  const { leads = true, rights = ['get', 'create', 'update'], room = 1, refusal } = more
  const files = new Map<string, DynamicResult>()
  const world = { stored, files, asked: [] as string[], isDiskFull: false }
  const folder: StoredModelsOptions['files'] = {
    read: async (of) => files.get(keyOf(of)),
    write: async (of, data) => {
      if (world.isDiskFull) throw new Error('no space left on device')
      files.set(keyOf(of), data)
    },
    remove: async (of) => void files.delete(keyOf(of)),
    checkRoom: async () => {
      if (room === 0) throw new NoRoom('there is no room')
    },
  }
  const client = {
    get: async () => {
      if (world.stored === undefined) throw new ApiError(404, { reason: 'NotFound' }, { verb: 'get', path })
      return world.stored
    },
  } as unknown as ApiClient
  const clock = new ManualClock()
  const options: ModelRoutesOptions = {
    clock,
    verify: async (token) =>
      token === 'bad' ? { refused: 'the token is not valid' } : { user: { username: token, groups: ['team'] } },
    mayAccess: async ({ username }, verb, { namespace, name }) => {
      world.asked.push(`${username} ${verb} ${namespace}/${name}`)
      return rights.includes(verb)
    },
    ...storedModels({
      client,
      api: {
        applyModel: async (document) => {
          if (refusal !== undefined) throw refusal
          world.stored = model({ ...document } as Partial<ArmorProfileModel>)
          return world.stored
        },
        writeModelStatus: async (of, status) => {
          world.stored = { ...of, status }
          return world.stored
        },
      },
      files: folder,
      profile: () => more.profile,
      leadership: () => ({ leads, leader: 'varmor-manager-2' }),
      largest: 1_000,
    }),
  }
  return { world, clock, route: modelRoutes(options) }
}

type SetUp = ReturnType<typeof setUp>

async function ask(
  { route }: SetUp,
  method: 'GET' | 'PUT',
  body?: unknown,
  more: Partial<Exchange> = {},
): Promise<Reply> {
  const headers = { authorization: 'Bearer jane', 'content-type': 'application/json' }
  const exchange: Exchange = { path, headers, socket: { remoteAddress: '10.0.0.1' } as Socket, ...more }
  const handler = route[method]!
  const refused = await handler.admit!(exchange)
  if (refused !== undefined) return refused
  const reply = await handler.handle(Buffer.from(JSON.stringify(body ?? null)), exchange)
  handler.done?.(exchange)
  return reply
}

const modelOf = ({ body }: Reply): ArmorProfileModel => JSON.parse(String(body))

describe('models at the status port', () => {
  it('are readable for users with permission', async () => {
    const set = setUp(model())
    const reply = await ask(set, 'GET')
    expect(reply.status).to.equal(200)
    expect(modelOf(reply)).to.deep.equal(model())
    expect(set.world.asked).to.deep.equal(['jane get demo/varmor-demo-web'])
  })

  const refused: [string, Parameters<typeof ask>[3], Parameters<typeof setUp>[1], number][] = [
    ['without a token', { headers: {} }, {}, 401],
    ['with a token that is not valid', { headers: { authorization: 'Bearer bad' } }, {}, 401],
    ['without the right to', {}, { rights: ['list'] }, 403],
    ['of another kind', { path: path.replace('armorprofilemodels', 'armorprofiles') }, {}, 404],
    ['with more behind the name', { path: `${path}/status` }, {}, 404],
  ]
  for (const [title, exchange, options, status] of refused)
    it(`are not read ${title}`, async () => {
      expect((await ask(setUp(model(), options), 'GET', undefined, exchange)).status).to.equal(status)
    })

  it('that are not there are not found', async () => {
    expect((await ask(setUp(undefined), 'GET')).status).to.equal(404)
  })

  it('have what was recorded although that is in a file, or name the manager that has it', async () => {
    const set = setUp(model({ storageType: 'LocalDisk', data: {} }))
    expect(await ask(set, 'GET')).to.deep.include({ status: 503, body: '{"leader":"varmor-manager-2"}' })
    set.world.files.set('demo/varmor-demo-web', result)
    expect(modelOf(await ask(set, 'GET')).data.dynamicResult).to.deep.equal(result)
  })

  for (const method of ['GET', 'PUT'] as const)
    it(`cost the API server no more than a user's rate: ${method}`, async () => {
      const set = setUp(model())
      const asked = async (count: number, authorization: string) => {
        const counts: Record<string, number> = {}
        for (let i = 0; i < count; i++) {
          const exchange = { headers: { authorization, 'content-type': 'application/json' } }
          const { status, headers } = await ask(set, method, model(), exchange)
          const answer = status === 429 ? `429 after ${headers?.['retry-after']}` : status
          counts[answer] = (counts[answer] ?? 0) + 1
        }
        return counts
      }
      expect(await asked(50, 'Bearer jane')).to.deep.equal({ 200: 20, '429 after 1': 30 })
      expect(await asked(1, 'Bearer john')).to.deep.equal({ 200: 1 })
      await set.clock.advance(1_000)
      expect(await asked(50, 'Bearer jane')).to.deep.equal({ 200: 2, '429 after 1': 48 })
    })

  it('cost no more than the rate of each of the 20,000 users who asked last', async () => {
    const set = setUp(model())
    const status = async (user: string): Promise<number> =>
      (await ask(set, 'GET', undefined, { headers: { authorization: `Bearer ${user}` } })).status
    const othersAsk = async (from: number, count: number): Promise<void> => {
      for (let i = from; i < from + count; i++) expect(await status(`user-${i}`)).to.equal(200)
    }
    for (let i = 0; i < 20; i++) await status('jane')
    await othersAsk(0, 19_999)
    expect(await status('jane')).to.equal(429)
    await othersAsk(20_000, 20_000)
    expect(await status('jane')).to.equal(200)
  }).timeout(300_000)

  it('are taken in four at a time, one of each user, and none of those who may not bring it: they would keep reports of agents out', async () => {
    const set = setUp(undefined)
    const admitted = (username: string, { route } = set): { exchange: Exchange; reply: Promise<Reply | undefined> } => {
      const headers = { authorization: `Bearer ${username}`, 'content-type': 'application/json' }
      const exchange: Exchange = { path, headers, socket: { remoteAddress: '10.0.0.1' } as Socket }
      return { exchange, reply: Promise.resolve(route.PUT!.admit!(exchange)) }
    }
    expect((await admitted('mallory', setUp(undefined, { rights: ['get'] })).reply)?.status).to.equal(403)
    const first = admitted('jane')
    expect(await first.reply).to.equal(undefined)
    expect((await admitted('jane').reply)?.status).to.equal(429)
    for (const name of ['jack', 'joan', 'jill']) expect(await admitted(name).reply).to.equal(undefined)
    const other = admitted('john')
    expect(await Promise.race([other.reply, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).to.equal(
      'waits',
    )
    set.route.PUT!.done!(first.exchange)
    expect(await other.reply).to.equal(undefined)
  })

  it('can be imported by users with permission, and are ready if they have profiles', async () => {
    const set = setUp(undefined)
    expect((await ask(set, 'PUT', model())).status).to.equal(200)
    expect(set.world.asked).to.deep.equal(['jane update demo/varmor-demo-web', 'jane create demo/varmor-demo-web'])
    expect(set.world.stored).to.deep.include({ storageType: 'CRDInternal', status: { ready: true, conditions: [] } })
    expect(set.world.stored?.data.dynamicResult).to.deep.equal(result)
  })

  for (const { title, enable, labels } of [
    {
      title: 'say when it is over that they are in place of what was recorded',
      enable: false,
      labels: ['varmor.org/recording'],
    },
    { title: 'say nothing of what is still recorded, and give way to it', enable: true, labels: [] },
  ])
    it(title, async () => {
      const profile = recordedProfile('Seccomp', enable)
      const set = setUp(undefined, { profile })
      expect((await ask(set, 'PUT', model())).status).to.equal(200)
      const own = Object.keys(set.world.stored?.metadata.labels ?? {}).filter((key) => key !== 'varmor.org/made-by')
      expect(own).to.deep.equal(labels)
    })

  it('that are large are kept in a file by the manager that leads', async () => {
    const large = { seccomp: { syscalls: Array.from({ length: 500 }, (_, i) => `call_${i}`) } }
    const { profile } = model().data
    const body = model({ data: { dynamicResult: large, ...(profile !== undefined && { profile }) } })
    const set = setUp(undefined)
    expect((await ask(set, 'PUT', body)).status).to.equal(200)
    expect(set.world.stored).to.deep.include({ storageType: 'LocalDisk' })
    expect(set.world.stored?.data.dynamicResult).to.equal(undefined)
    expect(set.world.files.get('demo/varmor-demo-web')).to.deep.equal(large)
    expect((await ask(setUp(undefined, { leads: false }), 'PUT', body)).status).to.equal(503)
    // A small model replaces the large one, and the file is removed.
    expect((await ask(set, 'PUT', model())).status).to.equal(200)
    expect(set.world.files.size).to.equal(0)
  })

  const conflict = new ApiError(409, { reason: 'Conflict' }, { verb: 'patch', path })
  for (const { title, more, answer } of [
    { title: 'there is no room for', more: { room: 0 }, answer: 507 },
    { title: 'the API server refuses', more: { refusal: conflict }, answer: conflict },
  ])
    it(`that are large leave nothing behind where ${title} them`, async () => {
      const large = { seccomp: { syscalls: Array.from({ length: 500 }, (_, i) => `call_${i}`) } }
      const set = setUp(undefined, more)
      const asked = ask(set, 'PUT', model({ data: { dynamicResult: large } })).then(({ status }) => status)
      expect(await asked.catch((error: unknown) => error)).to.equal(answer)
      expect({ stored: set.world.stored, files: set.world.files.size }).to.deep.equal({ stored: undefined, files: 0 })
    })

  it('that are large and whose file cannot be written have no file of the model that they replace', async () => {
    const large = (call: string) => ({ seccomp: { syscalls: Array.from({ length: 500 }, (_, i) => `${call}_${i}`) } })
    const set = setUp(undefined)
    expect((await ask(set, 'PUT', model({ data: { dynamicResult: large('one') } }))).status).to.equal(200)
    set.world.isDiskFull = true
    const failure = await ask(set, 'PUT', model({ data: { dynamicResult: large('two') } })).catch(String)
    expect(failure).to.equal('Error: no space left on device')
    expect((await ask(set, 'GET')).status).to.equal(503)
  })

  it('that are large have in the object what enforcers need', async () => {
    const bpf = { capabilities: ['net_raw'] }
    const large = { bpf, seccomp: { syscalls: Array.from({ length: 500 }, (_, i) => `call_${i}`) } }
    const { profile } = model().data
    const set = setUp(undefined)
    const body = model({ data: { dynamicResult: large, ...(profile !== undefined && { profile }) } })
    expect((await ask(set, 'PUT', body)).status).to.equal(200)
    expect(set.world.stored?.data).to.deep.equal({ profile, dynamicResult: { bpf } })
    expect(set.world.files.get('demo/varmor-demo-web')).to.deep.equal(large)
  })

  const bad: [string, unknown, RegExp][] = [
    ['of another name', model({ metadata: { namespace: 'demo', name: 'other' } }), /the path names/],
    ['with an unknown field', { ...model(), nonsense: 1 }, /nonsense/],
    ['that are none', 7, /has errors/],
  ]
  for (const [title, body, message] of bad)
    it(`${title} are not taken`, async () => {
      const set = setUp(undefined)
      const reply = await ask(set, 'PUT', body)
      expect(reply.status).to.equal(400)
      expect(String(reply.body)).to.match(message)
      expect(set.world.stored).to.equal(undefined)
    })

  it('are not brought without the right to', async () => {
    const set = setUp(undefined, { rights: ['update'] })
    expect((await ask(set, 'PUT', model())).status).to.equal(403)
    expect(set.world.stored).to.equal(undefined)
  })
})
