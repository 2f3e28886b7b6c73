import { expect } from 'chai'
import type { ModellerMessage } from '../../../actors/modeller.ts'
import type { Family, Reference } from '../../../actors/runtime/index.ts'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { type BeganMessage, beganAddress } from '../../../src/agent/modeller/courier.ts'
import { Modellers } from '../../../src/agent/modeller/modellers.ts'
import type { ArmorProfile, BehaviorModeling } from '../../../src/api/types.ts'
import type { Recorded } from '../../../src/audit/model/recorded.ts'
import { noLogger } from '../../../src/base/logger.ts'

const since = '2026-01-01T00:00:00Z'
const recording = { enable: true, duration: 10, since }
const over = { enable: false, duration: 10, since }
const none = { enable: false, duration: 0 }
const id = `u-1.${Date.parse(since) / 1000}`
const wanted = { id, open: true, since: Date.parse(since) }

const profile = (behaviorModeling: BehaviorModeling): ArmorProfile => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfile',
  metadata: { namespace: 'demo', name: 'varmor-demo-web', uid: 'u-1' },
  spec: {
    profile: { name: 'varmor-demo-web', enforcer: 'AppArmor', mode: 'complain' },
    behaviorModeling,
    updateExistingWorkloads: false,
  },
})
const found = (profileName = 'varmor-demo-web'): Recorded => ({
  ...{ profileName, recording: id, records: 3, ofRuntime: 1, lost: 0 },
  found: { seccomp: { syscalls: ['openat'] } },
})

function run(clock: SimulatedClock, milliseconds: number): void {
  const end = clock.now() + milliseconds
  while (clock.step(end));
}

interface World {
  takes: boolean
  sent: ModellerMessage[]
  changes: string[]
  clock: SimulatedClock
  began: Reference<BeganMessage> | undefined
  unwritten: () => number
}

/** Modellers that accept or reject the messages that they receive. */
function setUp() {
  const sent: ModellerMessage[] = []
  const changes: string[] = []
  const world: World = {
    takes: true,
    sent,
    changes,
    clock: new SimulatedClock(0),
    began: undefined,
    unwritten: () => 0,
  }
  const family = {
    name: 'modeller',
    of: (key: string) => ({
      tell: (message: ModellerMessage) => {
        expect(key).to.equal('demo/varmor-demo-web')
        sent.push(message)
        return world.takes
      },
    }),
  } as unknown as Family<ModellerMessage>
  const modellers = new Modellers({
    ...{ node: 'n1', folder: '/nowhere', managers: [], clock: world.clock, logger: noLogger },
    send: async () => ({ kind: 'unreachable', message: 'no manager' }),
    onChange: (name, modelling) => changes.push(`${name}: ${modelling}`),
    unwritten: () => world.unwritten(),
    place: (system) => {
      world.began = system.lookup<BeganMessage>(beganAddress)
      return family
    },
  })
  return { ...world, world, modellers }
}

describe('the modellers of a node', () => {
  it('begin where an ArmorProfile says so, and get what the workers find of it', () => {
    const { modellers, sent } = setUp()
    expect(modellers.profile(profile(none), false)).to.equal(undefined)
    modellers.found([found()])
    expect(sent).to.deep.equal([])
    expect(modellers.profile(profile(recording), false)).to.equal(`${id} 0`)
    modellers.found([found(), found('varmor-demo-other')])
    expect(sent).to.deep.equal([
      { type: 'wanted', wanted },
      { type: 'found', found: found().found, records: 3, ofRuntime: 1 },
    ])
    expect(modellers.counts).to.deep.equal({ open: 1, records: 9, lost: 0 })
  })

  it('take what is on its way when it ends, and nothing from then on', async () => {
    const { modellers, sent, changes, clock } = setUp()
    modellers.profile(profile(recording), false)
    expect(modellers.profile(profile(over), false)).to.equal(`${id} 0`)
    expect(sent.at(-1)).to.deep.equal({ type: 'wanted', wanted })
    run(clock, 4_000)
    expect(sent.at(-1)).to.deep.equal({ type: 'wanted', wanted: { ...wanted, open: false } })
    expect(changes).to.deep.equal(['varmor-demo-web: '])
    expect(modellers.profile(profile(over), false)).to.equal('')
  })

  it('wait for what was read before the end and is not decoded yet, but not for ever', () => {
    for (const written of [20_000, Number.POSITIVE_INFINITY]) {
      const { modellers, world, sent, clock } = setUp()
      modellers.profile(profile(recording), false)
      const began = clock.now()
      world.unwritten = () => (clock.now() < began + written ? 1_000 : 0)
      modellers.profile(profile(over), false)
      const closed = (): boolean => sent.some((message) => message.type === 'wanted' && message.wanted?.open === false)
      const end = written === 20_000 ? 20_000 : 40_000
      run(clock, began + end - 1 - clock.now())
      expect(closed(), `before ${end} ms`).to.equal(false)
      run(clock, began + end - clock.now())
      expect(closed(), `after ${end} ms`).to.equal(true)
      const said = sent.filter(({ type }) => type === 'behind')
      expect(said).to.deep.equal(written === 20_000 ? [] : [{ type: 'behind', milliseconds: 1_000_000 }])
    }
  })

  it('count what was lost while something is recorded', () => {
    const { modellers, sent } = setUp()
    modellers.lost({ where: 'kernel', why: 'backlog', events: 5 })
    modellers.profile(profile(recording), false)
    modellers.lost({ where: 'kernel', why: 'backlog', events: 7 })
    modellers.lost({ where: 'sink', why: 'full', events: 9 })
    expect(sent.slice(1)).to.deep.equal([{ type: 'lost', records: 7 }])
    expect(modellers.counts).to.deep.include({ lost: 7 })
  })

  it('count records without a known container as lost records of their profile', () => {
    const { modellers, sent } = setUp()
    modellers.profile(profile(recording), false)
    modellers.found([{ ...found(), lost: 4 }])
    expect(sent.slice(1)).to.deep.equal([
      { type: 'lost', records: 4 },
      { type: 'found', found: found().found, records: 3, ofRuntime: 1 },
    ])
    expect(modellers.counts).to.deep.include({ lost: 4 })
  })

  it('have the workers send again what one could not take', () => {
    const { modellers, world, changes } = setUp()
    modellers.profile(profile(recording), false)
    world.takes = false
    modellers.found([found()])
    expect(changes).to.deep.equal([`varmor-demo-web: ${id} 1`])
  })

  it('have the workers send again what they know when one begins, as it may have failed before that was on the disk', async () => {
    const { modellers, world, changes, clock } = setUp()
    modellers.profile(profile(recording), false)
    world.began!.tell({ type: 'began', key: 'demo/varmor-demo-web' })
    for (let turn = 0; turn < 10 && changes.length === 0; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(changes).to.deep.equal([`varmor-demo-web: ${id} 1`])
    modellers.profile(profile(over), false)
    run(clock, 4_000)
    world.began!.tell({ type: 'began', key: 'demo/varmor-demo-web' })
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(changes.slice(1), 'of what is over nothing is wanted').to.deep.equal(['varmor-demo-web: '])
  })

  it('are sent again and again what is wanted of them, as one that failed knows nothing', () => {
    const { modellers, sent, clock } = setUp()
    modellers.profile(profile(recording), false)
    run(clock, 20_000)
    expect(sent).to.deep.equal(Array.from({ length: 3 }, () => ({ type: 'wanted', wanted })))
  })

  it('pass over what containers of the recording go on to report, under a profile that lets nothing pass with a report', () => {
    const { modellers } = setUp()
    modellers.profile(profile(recording), false)
    expect(modellers.profile(profile(none), false)).to.equal('')
    const logging = profile(none)
    logging.spec.profile.seccomp = '{"defaultAction":"SCMP_ACT_LOG"}'
    expect(modellers.profile(logging, false)).to.equal(undefined)
    expect(modellers.profile(profile(none), true)).to.equal(undefined)
  })

  it('keep what they recorded under another mode, and forget it with the ArmorProfile', () => {
    const { modellers, sent } = setUp()
    modellers.profile(profile(recording), false)
    modellers.profile(profile(none), false)
    expect(sent).to.have.length(1)
    modellers.profile(profile(none), true)
    expect(sent.at(-1)).to.deep.equal({ type: 'wanted', wanted: undefined })
  })
})
