import { expect } from 'chai'
import { byOthers } from '../../../actors/model/recorded-for.ts'
import { PortError } from '../../../actors/ports.ts'
import { recordingOf } from '../../../src/api/recording.ts'
import type { ArmorProfileModel, DynamicResult } from '../../../src/api/types.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { KEY, ModelWorld } from './world.ts'

const file = (path: string, ...permissions: string[]): DynamicResult => ({
  appArmor: { files: [{ path, permissions }] },
})
const call = (name: string): DynamicResult => ({ seccomp: { syscalls: [name] } })
const conditions = (world: ModelWorld) =>
  Object.fromEntries((world.model?.status?.conditions ?? []).map((one) => [one.nodeName, one]))

function startModelling(nodes: readonly string[], seed = 1): ModelWorld {
  const world = new ModelWorld(nodes, seed)
  world.startManager()
  for (const node of nodes) world.startAgent(node)
  return world
}

describe('a modelling of behaviour', () => {
  it('gives a model of all nodes’ recordings, and profiles that allow it', async () => {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    world.found('n1', file('/etc/hosts', 'r'))
    world.found('n1', call('openat'))
    world.found('n2', file('/etc/hosts', 'w'))
    world.found('n2', call('read'))
    await world.runFor(60_000)
    expect(world.model).to.equal(undefined)
    world.end()
    // Records that have not arrived yet belong to the recording.
    world.found('n2', call('write'))
    await world.runUntil(() => world.model?.status?.completedNumber === 2)
    expect(world.model?.data.dynamicResult).to.deep.equal({
      appArmor: { files: [{ path: '/etc/hosts', permissions: ['r', 'w'] }] },
      seccomp: { syscalls: ['openat', 'read', 'write'] },
    })
    expect(world.model?.storageType).to.equal('CRDInternal')
    expect(world.model?.status).to.deep.include({ desiredNumber: 2, completedNumber: 2, ready: true })
    expect(world.model?.data.profile?.appArmor).to.contain('"/etc/hosts" rw,')
    expect(world.now() - Date.parse('2026-01-01T00:01:01Z')).to.be.below(30_000)
    await world.stop()
  })

  it('names a node that does not send, makes a model without it, and adds its recording later', async () => {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    world.found('n2', call('mount'))
    await world.runFor(10_000)
    world.killAgent('n2')
    world.end()
    await world.runUntil(() => world.model?.status !== undefined, 120_000)
    expect(world.model?.status).to.deep.include({ desiredNumber: 2, completedNumber: 1, ready: true })
    expect(conditions(world)['n2']).to.include({ status: 'False', reason: 'NotSent' })
    expect(world.model?.data.dynamicResult?.seccomp?.syscalls).to.deep.equal(['openat'])
    world.startAgent('n2')
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 120_000)
    expect(world.model?.data.dynamicResult?.seccomp?.syscalls).to.deep.equal(['mount', 'openat'])
    expect(conditions(world)['n2']).to.include({ status: 'True', reason: 'PartlyRecorded' })
    expect(conditions(world)['n2']?.message).to.contain('the agent was not running')
    await world.stop()
  })

  it('answers nodes while it builds profiles, and adds recordings that arrive later', async () => {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    world.found('n2', call('mount'))
    await world.runFor(10_000)
    world.killAgent('n2')
    world.end()
    let free = (): void => undefined
    world.compilers = new Promise((resolve) => {
      free = resolve
    })
    await world.runFor(120_000)
    world.startAgent('n2')
    await world.runFor(180_000)
    expect(world.unanswered).to.equal(0)
    expect(world.model).to.equal(undefined)
    free()
    await world.runUntil(() => world.model !== undefined, 1_000)
    expect(syscalls(world)).to.deep.equal(['openat'])
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 120_000)
    expect(syscalls(world)).to.deep.equal(['mount', 'openat'])
    await world.stop()
  })

  it('retries busy compilers, less often each time', async () => {
    const world = startModelling(['n1'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    await world.runFor(10_000)
    world.end()
    let asked = 0
    Object.defineProperty(world, 'compilers', {
      get: () => (++asked < 12 ? Promise.reject(new PortError('UNAVAILABLE', 'busy')) : Promise.resolve()),
    })
    const before = world.now()
    await world.runUntil(() => world.model?.status?.ready === true)
    expect(asked).to.equal(12)
    expect(world.now() - before).to.be.above(60_000)
    await world.stop()
  })

  it('is not ready when no node sends a recording, and says that there is nothing', async () => {
    const world = startModelling(['n1'])
    await world.runFor(1_000)
    world.killAgent('n1')
    world.end()
    await world.runUntil(() => world.model?.status !== undefined, 120_000)
    expect(world.model?.status).to.deep.include({ desiredNumber: 1, completedNumber: 0, ready: false })
    await world.stop()
  })

  it('says how many records were lost on a node, and which records exceeded the limits', async () => {
    const world = startModelling(['n1'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    world.lost('n1', 17)
    for (let i = 0; i < 70; i++) world.found('n1', { appArmor: { unhandled: [`record ${i}`] } })
    await world.runFor(10_000)
    world.end()
    await world.runUntil(() => world.model?.status !== undefined, 120_000)
    const { message } = conditions(world)['n1']!
    expect(message).to.contain('17 records were lost').and.to.contain('about 6 unhandled')
    await world.stop()
  })

  it('receives a large recording in pieces, and stores it in a file', async () => {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    const directories = Array.from({ length: 200 }, (_, i) => `/srv/${i}-${'d'.repeat(40)}`)
    for (const directory of directories)
      world.found('n1', {
        appArmor: {
          files: Array.from({ length: 150 }, (_, i) => ({
            path: `${directory}/${i}-${'f'.repeat(40)}`,
            permissions: ['r'],
          })),
        },
      })
    await world.runFor(10_000)
    world.end()
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 120_000)
    expect(world.reports.filter(({ piece }) => piece !== undefined).length).to.be.above(3)
    expect(world.model?.storageType).to.equal('LocalDisk')
    expect(world.model?.data.dynamicResult).to.equal(undefined)
    expect(world.files.get(KEY)?.appArmor?.files).to.have.length(30_000)
    expect(conditions(world)['']?.message).to.match(
      /makes a profile of \d+ bytes, and the limit is 900000: replace names/,
    )
    // A new leader does not have this file, and collects it from the nodes again.
    world.killManager()
    world.startManager()
    await world.runUntil(() => world.files.get(KEY) !== undefined, 900_000)
    await world.runFor(60_000)
    expect(world.files.get(KEY)?.appArmor?.files).to.have.length(30_000)
    await world.stop()
  })

  /** A model of n1 only: n2, which has recorded `mount`, reports later. */
  async function withoutTheSecond(): Promise<ModelWorld> {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    world.found('n1', call('ptrace'))
    world.found('n2', call('mount'))
    await world.runFor(10_000)
    world.killAgent('n2')
    world.end()
    await world.runUntil(() => world.model?.status !== undefined, 120_000)
    return world
  }
  const syscalls = ({ model }: ModelWorld) => model?.data.dynamicResult?.seccomp?.syscalls
  const without = (name: string) => (model: ArmorProfileModel) => {
    const { seccomp } = model.data.dynamicResult!
    seccomp!.syscalls = seccomp!.syscalls!.filter((one) => one !== name)
    return model
  }
  const importedModel: ArmorProfileModel = {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfileModel',
    metadata: { namespace: 'demo', name: 'varmor-demo-web', uid: 'm-2', resourceVersion: '0' },
    data: {},
  }
  const brought = (model: ArmorProfileModel): ArmorProfileModel => ({
    ...model,
    metadata: {
      namespace: 'demo',
      name: model.metadata.name,
      ...byOthers(recordingOf(startModelling([]).profile!)!.id),
    },
    data: { dynamicResult: call('openat') },
    status: { ready: false, conditions: [] },
  })

  for (const { what, edit } of [
    { what: 'changed', edit: without('ptrace') },
    { what: 'imported', edit: brought },
  ])
    for (const leader of ['the same manager', 'another manager'])
      it(`keeps a model that a user has ${what}, under ${leader}, and builds it again after its deletion`, async () => {
        const world = await withoutTheSecond()
        world.editModel(edit)
        const { data } = world.model!
        const { ready } = world.model!.status!
        if (leader === 'another manager') {
          world.killManager()
          world.startManager()
        }
        await world.runFor(30_000)
        world.startAgent('n2')
        await world.runUntil(() => conditions(world)['n2']?.reason === 'NotAdded', 900_000)
        expect(world.model?.data).to.deep.equal(data)
        expect(world.model?.status?.ready).to.equal(ready)
        expect(conditions(world)['']).to.include({ type: 'Changed', status: 'True' })
        const { applied } = world
        await world.runFor(1_800_000)
        expect(world.applied, 'it is written though nothing has changed').to.equal(applied)
        world.editModel(() => undefined)
        await world.runUntil(() => syscalls(world)?.length === 3, 900_000)
        expect(syscalls(world)).to.deep.equal(['mount', 'openat', 'ptrace'])
        await world.runUntil(() => world.model?.status?.completedNumber === 2, 900_000)
        expect(conditions(world)['']).to.equal(undefined)
        await world.stop()
      })

  it('says at once that a user has changed a complete model, and builds it again after its deletion', async () => {
    const world = await withoutTheSecond()
    world.startAgent('n2')
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 900_000)
    world.editModel(without('ptrace'))
    await world.runUntil(() => conditions(world)['']?.type === 'Changed', 60_000)
    world.editModel(() => undefined)
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 900_000)
    expect(syscalls(world)).to.deep.equal(['mount', 'openat', 'ptrace'])
    await world.stop()
  })

  it('leaves an unmarked model that a user put in its place, even after a change of leader', async () => {
    const world = await withoutTheSecond()
    world.editModel(({ status: _, ...model }) => ({
      ...model,
      metadata: { namespace: 'demo', name: model.metadata.name },
      data: { dynamicResult: call('openat'), profile: model.data.profile! },
    }))
    await world.runUntil(() => conditions(world)['']?.type === 'Changed', 60_000)
    expect(world.model?.status?.ready).to.equal(true)
    world.killManager()
    world.startManager()
    world.startAgent('n2')
    await world.runFor(900_000)
    expect(syscalls(world)).to.deep.equal(['openat'])
    await world.stop()
  })

  it('leaves a model that a user imported before the manager built one', async () => {
    const world = startModelling(['n1', 'n2'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    world.killAgent('n2')
    world.end()
    await world.runFor(20_000)
    world.model = brought({ ...importedModel, data: {} })
    await world.runFor(900_000)
    expect(syscalls(world)).to.deep.equal(['openat'])
    expect(conditions(world)['']?.type).to.equal('Changed')
    expect(world.applied).to.equal(0)
    await world.stop()
  })

  it('marks as its own a model that an earlier manager wrote without a mark', async () => {
    const world = await withoutTheSecond()
    world.editModel(({ metadata: { annotations: _, ...metadata }, ...model }) => ({ ...model, metadata }))
    world.killManager()
    world.startManager()
    await world.runFor(5_000)
    world.editModel(without('ptrace'))
    world.startAgent('n2')
    await world.runFor(900_000)
    expect(syscalls(world)).to.deep.equal(['openat'])
    await world.stop()
  })

  it('adds recordings to its own model, even after a change of leader', async () => {
    const world = await withoutTheSecond()
    world.killManager()
    world.startManager()
    world.startAgent('n2')
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 900_000)
    expect(syscalls(world)).to.deep.equal(['mount', 'openat', 'ptrace'])
    await world.stop()
  })

  it('keeps the profiles and says so when the file was lost with its manager and a recorded node is gone', async () => {
    const world = startModelling(['n1', 'n2'])
    world.settings.largest = 3_000
    await world.runFor(1_000)
    for (let i = 0; i < 20; i++) world.found('n1', file(`/srv/${'d'.repeat(60)}/${i}`, 'r'))
    world.found('n2', file('/srv/second', 'r'))
    await world.runFor(10_000)
    world.end()
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 120_000)
    expect(world.model?.storageType).to.equal('LocalDisk')
    const { profile } = world.model!.data
    expect(profile?.appArmor).to.contain('/srv/second')
    world.killManager()
    world.killAgent('n2')
    world.nodes = ['n1']
    world.startManager()
    await world.runUntil(() => conditions(world)['']?.type === 'Kept', 900_000)
    await world.runFor(900_000)
    expect(world.model?.data.profile).to.deep.equal(profile)
    expect(conditions(world)['']?.message).to.contain('n2')
    // The node returns, first without its disk.
    const disk = world.disks.get('n2')!
    const recorded = disk.get(KEY)!
    disk.clear()
    world.nodes = ['n1', 'n2']
    world.startAgent('n2')
    await world.runFor(900_000)
    expect(world.model?.data.profile).to.deep.equal(profile)
    world.killAgent('n2')
    disk.set(KEY, recorded)
    world.nodes = ['n1', 'n2']
    world.startAgent('n2')
    await world.runUntil(() => conditions(world)[''] === undefined, 900_000)
    expect(world.model?.data.profile).to.deep.equal(profile)
    expect(world.files.get(KEY)?.appArmor?.files).to.have.length(21)
    await world.stop()
  })

  it('that was built again without nodes that are gone adds nodes that come later', async () => {
    const world = startModelling(['n1', 'n2', 'n3'])
    world.settings.largest = 3_000
    await world.runFor(1_000)
    for (let i = 0; i < 20; i++) world.found('n1', file(`/srv/${'d'.repeat(60)}/${i}`, 'r'))
    world.found('n2', file('/srv/second', 'r'))
    world.found('n3', file('/srv/third', 'r'))
    await world.runFor(10_000)
    world.killAgent('n3')
    world.end()
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 120_000)
    world.killManager()
    world.killAgent('n2')
    world.nodes = ['n1', 'n3']
    world.startManager()
    await world.runUntil(() => conditions(world)['']?.type === 'Kept', 900_000)
    world.editModel(() => undefined)
    await world.runUntil(() => world.files.get(KEY)?.appArmor?.files?.length === 20, 900_000)
    world.startAgent('n3')
    await world.runUntil(() => world.files.get(KEY)?.appArmor?.files?.length === 21, 900_000)
    expect(conditions(world)['']).to.equal(undefined)
    await world.stop()
  })

  it('still says which records exceeded the limits after a change of leader', async () => {
    const world = await withoutTheSecond()
    const leftOut = {
      type: 'LeftOut',
      status: 'True',
      reason: 'TooMuch',
      message: 'about 7 files were dropped because of a limit',
    }
    world.model!.status!.conditions!.push({
      ...leftOut,
      nodeName: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    } as never)
    world.killManager()
    world.startManager()
    world.startAgent('n2')
    await world.runUntil(() => world.model?.status?.completedNumber === 2, 900_000)
    expect(conditions(world)['']).to.include(leftOut)
    await world.stop()
  })

  for (const when of ['during the recording', 'after the recording'])
    it(`says that a recording is missing if it becomes unreadable ${when}`, async () => {
      const world = startModelling(['n1'])
      await world.runFor(1_000)
      world.found('n1', call('openat'))
      await world.runFor(10_000)
      world.killAgent('n1')
      world.breakRecording('n1')
      if (when === 'after the recording') world.end()
      world.startAgent('n1')
      await world.runFor(1_000)
      if (when === 'during the recording') world.end()
      await world.runUntil(() => conditions(world)['n1']?.status === 'True', 120_000)
      expect(conditions(world)['n1']).to.include({ reason: 'PartlyRecorded' })
      expect(conditions(world)['n1']?.message)
        .to.contain('from 2026-01-01T00:00:00.000Z')
        .and.to.contain('cannot be read')
      await world.stop()
    })

  it('makes workers send all their facts again whenever a recorder starts', async () => {
    const world = startModelling(['n1'])
    await world.runFor(1_000)
    world.killAgent('n1')
    world.startAgent('n1')
    await world.runFor(1_000)
    expect(world.began).to.deep.equal(['n1', 'n1'])
    await world.stop()
  })

  for (const { of, files, least } of [
    { of: 'a small recording every few seconds', files: 20, least: 3_000 },
    { of: 'a large recording less often, because each write writes all of it', files: 4_000, least: 7_000 },
  ])
    it(`keeps a recording on the disk: ${of}`, async () => {
      const world = startModelling(['n1'])
      await world.runFor(1_000)
      for (let i = 0; i < files; i++) world.found('n1', file(`/srv/${i >>> 6}/${i}${'x'.repeat(200)}`, 'r'))
      for (let second = 0; second < 60; second++) {
        world.found('n1', call(`call-${second}`))
        // The agent requests its recordings again, because modellers may have failed.
        if (second % 10 === 0) world.tellAgent('n1')
        await world.runFor(1_000)
      }
      const times = world.writes.filter((time) => time > world.writes[0]! + 5_000)
      const between = times.slice(1).map((time, i) => time - times[i]!)
      expect(between.length).to.be.within(4, 60_000 / least)
      for (const one of between) expect(one).to.be.within(least, 2 * least)
      await world.stop()
    })

  it('starts again with another recording, and forgets the recording with the ArmorProfile', async () => {
    const world = startModelling(['n1'])
    await world.runFor(1_000)
    world.found('n1', call('openat'))
    await world.runFor(5_000)
    world.end()
    await world.runUntil(() => world.model?.status?.ready === true, 120_000)
    world.profile!.spec.behaviorModeling = { enable: true, duration: 10, since: '2026-01-01T01:00:00Z' }
    world.tellAll()
    await world.runFor(1_000)
    world.found('n1', call('mount'))
    await world.runFor(5_000)
    world.end()
    await world.runUntil(() => world.model?.data.dynamicResult?.seccomp?.syscalls?.[0] === 'mount', 120_000)
    expect(world.model?.data.dynamicResult?.seccomp?.syscalls).to.deep.equal(['mount'])
    world.profile = undefined
    world.tellAll()
    await world.runFor(1_000)
    expect(world.disks.get('n1')?.size).to.equal(0)
    await world.stop()
  })

  for (let seed = 1; seed <= 10; seed++)
    it(`has the same model after 50 kills, or says when no agent recorded: seed ${seed}`, async () => {
      const { world, done } = await killedNowAndThen(seed)
      const model = new Set(world.model?.data.dynamicResult?.appArmor?.files?.map(({ path }) => path))
      const said = conditions(world)
      const missing = done.filter(({ name }) => !model.has(name))
      expect(missing, 'no kill lost a record').not.to.have.length(0)
      for (const { node, name, time } of missing) {
        const { message = '' } = said[node]!
        const gaps = [...message.matchAll(/from (\S+) to (\S+) /g)].map(([, from, to]) => [from!, to!].map(Date.parse))
        const isSaid = gaps.some(([from, to]) => from! <= time && time <= to!)
        expect(isSaid, `${name} of ${node} at ${new Date(time).toISOString()} is missing, and: ${message}`).to.equal(
          true,
        )
      }
      expect(world.model?.status).to.deep.include({ completedNumber: 3, ready: true })
      await world.stop()
    })
})

interface Done {
  node: string
  name: string
  time: number
}

/** Three nodes record an operation each second. An agent or the manager is killed and restarted 50 times. */
async function killedNowAndThen(seed: number): Promise<{ world: ModelWorld; done: Done[] }> {
  const nodes = ['n1', 'n2', 'n3']
  const world = startModelling(nodes, seed)
  const random = seededRandom(seed)
  const done: Done[] = []
  const steps = 600
  const kills = new Set<number>()
  while (kills.size < 50) kills.add(Math.floor(random() * (steps + 60)))
  await world.runFor(1_000)
  for (let step = 0; step < steps + 60; step++) {
    if (kills.has(step)) killOne(world, nodes, random)
    if (step === steps) world.end()
    for (const node of step < steps ? nodes : []) {
      const name = `/srv/${node}/${Math.floor(step / 100)}/${step}`
      done.push({ node, name, time: world.now() })
      world.found(node, file(name, 'r'))
    }
    await world.runFor(1_000)
    for (const node of nodes) if (!world.living.includes(node) && random() < 0.3) world.startAgent(node)
    if (!world.leads && random() < 0.3) world.startManager()
  }
  for (const node of nodes) if (!world.living.includes(node)) world.startAgent(node)
  if (!world.leads) world.startManager()
  world.tellAll()
  await world.runUntil(() => world.model?.status?.completedNumber === 3, 1_800_000)
  return { world, done }
}

function killOne(world: ModelWorld, nodes: readonly string[], random: () => number): void {
  const one = Math.floor(random() * (nodes.length + 1))
  if (one === nodes.length) world.killManager()
  else world.killAgent(nodes[one]!)
}
