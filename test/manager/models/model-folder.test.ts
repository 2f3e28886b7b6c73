import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { dynamicResult } from '../../../src/api/schema/behaviour.ts'
import { nodeOf } from '../../../src/api/schema/node.ts'
import type { ArmorProfileModel, DynamicResult } from '../../../src/api/types.ts'
import { validateSchema } from '../../../src/api/validate-schema.ts'
import type { Logger } from '../../../src/base/logger.ts'
import type { Change } from '../../../src/kube/change.ts'
import { type Handler, HandlerQueue } from '../../../src/kube/handler-queue.ts'
import type { ClusterView } from '../../../src/manager/cluster-view.ts'
import { ModelFolder, NoRoom } from '../../../src/manager/models/model-folder.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'

const model = (uid: string, more: Partial<ArmorProfileModel> = {}): ArmorProfileModel => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfileModel',
  metadata: { namespace: uid.startsWith('o') ? 'other' : 'demo', name: 'varmor-demo-web', uid },
  storageType: 'LocalDisk',
  data: {},
  ...more,
})
/** A view of these objects, and its subscribers. */
function viewOf(...objects: ArmorProfileModel[]) {
  const handlers: Handler<ArmorProfileModel>[] = []
  const subscribe = (handler: Handler<ArmorProfileModel>) => handlers.push(handler)
  const models = { store: new Map(objects.entries()), subscribe } as unknown as ClusterView['models']
  return { models, handlers }
}
/** A value with this many bytes of JSON. */
const recorded = (bytes: number): DynamicResult => {
  const frame = JSON.stringify({ appArmor: { unhandled: [''] } })
  return { appArmor: { unhandled: ['x'.repeat(bytes - frame.length)] } }
}

describe('the folder of models', () => {
  let path = ''
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'varmor-models-'))
  })
  afterEach(() => rm(path, { recursive: true }))
  const names = async () => (await readdir(path)).sort()

  it('has what was written, until it is removed', async () => {
    const folder = new ModelFolder(join(path, 'made'))
    expect(await folder.read(model('u-1'))).to.equal(undefined)
    await folder.write(model('u-1'), recorded(100))
    expect(await folder.read(model('u-1'))).to.deep.equal(recorded(100))
    expect(await folder.read(model('u-2'))).to.equal(undefined)
    await writeFile(join(path, 'made', 'demo_u-1.json.new'), 'as far as the disk took it')
    await folder.remove(model('u-1'))
    expect(await readdir(join(path, 'made'))).to.deep.equal([])
  })

  it('says of a file that it is none, whatever is in it, and goes on with what nodes send', async () => {
    const said: { file: string; reason: string }[] = []
    const warn = (fields: object): void => void said.push(fields as { file: string; reason: string })
    const folder = new ModelFolder(path, 100_000, { now: () => 0 }, { warn } as unknown as Pick<Logger, 'warn'>)
    const file = join(path, 'demo_u-1.json')
    const valid = { appArmor: { files: [{ path: '/etc/hosts', permissions: ['r'] }], unhandled: ['x'] } }
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), async (text) => {
        said.length = 0
        await writeFile(file, text)
        const found = await folder.read(model('u-1'))
        expect(said.map((one) => one.file)).to.deep.equal(found === undefined ? [file] : [])
        if (found !== undefined) expect(validateSchema(nodeOf(dynamicResult), found)).to.deep.equal([])
        else expect(said[0]?.reason).to.not.equal('')
      }),
      { numRuns: 100 },
    )
    await writeFile(file, '{}')
    await truncate(file, 100_001)
    expect(await folder.read(model('u-1'))).to.equal(undefined)
    expect(said.at(-1)?.reason).to.equal('it has 100001 bytes')
    await folder.write(model('u-1'), recorded(100))
    expect(await folder.read(model('u-1'))).to.deep.equal(recorded(100))
  })

  it('has no file without its object, at start and later', async () => {
    const folder = new ModelFolder(path)
    for (const uid of ['u-1', 'u-2', 'u-3', 'u-4']) await folder.write(model(uid), recorded(100))
    for (const name of ['demo_u-1.json.new', 'demo_varmor-demo-web.json', 'of-others'])
      await writeFile(join(path, name), 'x')
    const { models, handlers } = viewOf(model('u-1'), model('u-2', { storageType: 'CRDInternal' }), model('u-3'))
    await folder.follow(models)
    expect(await names()).to.deep.equal(['demo_u-1.json', 'demo_u-3.json', 'of-others'])

    const changes: Change<ArmorProfileModel>[] = [
      { type: 'added', key: '', object: model('u-1') },
      { type: 'updated', key: '', object: model('u-1'), old: model('u-1') },
      // The model was deleted and created again. The new file exists before the change arrives.
      { type: 'updated', key: '', object: model('u-5'), old: model('u-3') },
      { type: 'deleted', key: '', object: model('u-1'), missed: false },
    ]
    await folder.write(model('u-5'), recorded(100))
    for (const change of changes) await handlers[0]!.handle(change)
    expect(await names()).to.deep.equal(['demo_u-5.json', 'of-others'])
  })

  it('has no file of an object that came and went while others were written', async () => {
    const folder = new ModelFolder(path)
    const { models, handlers } = viewOf()
    await folder.follow(models)
    const queue = new HandlerQueue(handlers[0]!, {})
    await folder.write(model('u-1'), recorded(100))
    await folder.write(model('u-2'), recorded(100))
    const written = folder.write(model('u-3'), recorded(100))
    queue.push({ type: 'deleted', key: 'demo/a', object: model('u-1'), missed: false })
    queue.push({ type: 'added', key: 'demo/b', object: model('u-2') })
    queue.push({ type: 'deleted', key: 'demo/b', object: model('u-2'), missed: false })
    queue.push({ type: 'deleted', key: 'demo/c', object: model('u-3'), missed: false })
    await written
    while (queue.depth > 0) await new Promise((resolve) => setImmediate(resolve))
    await folder.remove(model('u-4'))
    expect(await names()).to.deep.equal([])
  })

  it('finds room where files have lost their objects unheard of, but for those whose objects may not have been shown yet', async () => {
    let now = 0
    const folder = new ModelFolder(path, 1_000, { now: () => now })
    await folder.follow(viewOf(model('u-1')).models)
    for (const uid of ['u-1', 'u-2']) await folder.write(model(uid), recorded(80))
    now += 3_600_000
    await folder.write(model('u-3'), recorded(80))
    // The disk's times come from the time of day, which can be set.
    await utimes(join(path, 'demo_u-3.json'), new Date(0), new Date(0))
    await folder.write(model('u-4'), recorded(80))
    expect(await names()).to.deep.equal(['demo_u-1.json', 'demo_u-3.json', 'demo_u-4.json'])
    const refusal = await folder.checkRoom(model('u-5'), recorded(80)).catch((error: unknown) => error)
    expect(refusal).to.be.instanceOf(NoRoom)
  })

  it('remembers no time of a file that it has removed', async () => {
    const folder = new ModelFolder(path, 1_000, { now: () => 0 })
    await folder.follow(viewOf().models)
    const uids = Array.from({ length: 100 }, (_, i) => `u-${i}`)
    for (const uid of uids) {
      await folder.write(model(uid), recorded(80))
      await folder.remove(model(uid))
    }
    // A file whose time this manager remembers may still get its object, and stays.
    for (const uid of uids) await writeFile(join(path, `demo_${uid}.json`), 'x'.repeat(240))
    await folder.checkRoom(model('u-new'), recorded(80))
    expect(await names()).to.deep.equal([])
  })

  const rows: { title: string; writes: [string, number][]; kept: string[] }[] = [
    { title: 'more than a quarter in one namespace', writes: [['u-1', 251]], kept: [] },
    {
      title: 'more together in one namespace',
      writes: [
        ['u-1', 150],
        ['u-2', 101],
      ],
      kept: ['demo_u-1.json'],
    },
    {
      title: 'another namespace',
      writes: [
        ['u-1', 250],
        ['o-1', 250],
      ],
      kept: ['demo_u-1.json', 'other_o-1.json'],
    },
    {
      title: 'the same once more',
      writes: [
        ['u-1', 200],
        ['u-1', 250],
      ],
      kept: ['demo_u-1.json'],
    },
  ]
  for (const { title, writes, kept } of rows)
    it(`has so much room, and no more: ${title}`, async () => {
      const folder = new ModelFolder(path, 1_000)
      // All writes run concurrently.
      const done = await Promise.allSettled(writes.map(([uid, bytes]) => folder.write(model(uid), recorded(bytes))))
      expect(await names()).to.deep.equal(kept)
      for (const one of done) if (one.status === 'rejected') expect(one.reason).to.be.instanceOf(NoRoom)
    })

  it('has so much room for all namespaces together', async () => {
    const folder = new ModelFolder(path, 1_000)
    await writeFile(join(path, 'third_u-9.json'), 'x'.repeat(900))
    await folder.write(model('u-1'), recorded(100))
    const refusal = await folder.checkRoom(model('o-1'), recorded(50)).catch((error: unknown) => error)
    expect(refusal).to.be.instanceOf(NoRoom)
    expect(String(refusal)).to.match(/cannot take 50 bytes more: .* stores at most 1000 bytes, and a quarter/)
  })
})
