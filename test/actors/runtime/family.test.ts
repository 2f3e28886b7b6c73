import { expect } from 'chai'
import type { ActorContext } from '../../../actors/runtime/behaviour.ts'
import type { Family, FamilyOptions } from '../../../actors/runtime/family.ts'
import type { Request } from '../../../actors/runtime/request.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'

type Message =
  | { type: 'wanted'; generation: number }
  | { type: 'fail' }
  | { type: 'do'; what: (context: ActorContext<Message>) => unknown }
  | Request<{ type: 'read' }, State>

interface State {
  readonly generation: number
  readonly from: 'start' | 'compact'
}

const IDLE = 1_000

function nodeProfiles(options: Partial<FamilyOptions<State, Message, number>> = {}) {
  const simulation = new Simulation()
  const starts: string[] = []
  const family: Family<Message> = simulation.system.family<State, Message, number>('node-profile', {
    behaviour: {
      start(context) {
        starts.push(context.key)
        return { generation: 0, from: 'start' }
      },
      receive(state, message, context) {
        if (message.type === 'fail') throw new Error('fail')
        if (message.type === 'do') message.what(context)
        if (message.type === 'read') context.reply(message, state)
        return message.type === 'wanted' ? { ...state, generation: message.generation } : state
      },
    },
    idleAfter: IDLE,
    passivate: ({ generation }) => generation,
    activate: (generation) => ({ generation, from: 'compact' }),
    ...options,
  })
  const read = async (key: string): Promise<State> => {
    const reply = family.of(key).ask({ type: 'read' })
    await simulation.settle()
    return reply
  }
  const counts = (): { live: number; passivated: number } => {
    const { live, passivated } = simulation.system.stats().families['node-profile']!
    return { live, passivated }
  }
  return { simulation, family, starts, read, counts }
}

describe('family', () => {
  it('has no actor until there is a message for it', async () => {
    const { simulation, family, starts, counts } = nodeProfiles()
    const reference = family.of('n1/p')
    expect(reference.address).to.equal('node-profile/n1/p')
    await simulation.runFor(IDLE)
    expect([starts, counts()]).to.deep.equal([[], { live: 0, passivated: 0 }])
    reference.tell({ type: 'wanted', generation: 1 })
    await simulation.settle()
    expect([starts, counts()]).to.deep.equal([['n1/p'], { live: 1, passivated: 0 }])
  })

  it('keeps the compact form of an idle actor, and wakes it from there', async () => {
    const { simulation, family, starts, read, counts } = nodeProfiles()
    const reference = family.of('a')
    reference.tell({ type: 'wanted', generation: 7 })
    await simulation.runFor(2 * IDLE)
    expect(counts()).to.deep.equal({ live: 0, passivated: 1 })
    expect(await read('a')).to.deep.equal({ generation: 7, from: 'compact' })
    expect(starts).to.deep.equal(['a'])
    // An old reference works like a new one.
    reference.tell({ type: 'wanted', generation: 8 })
    await simulation.runFor(2 * IDLE)
    expect(await read('a')).to.deep.equal({ generation: 8, from: 'compact' })
  })

  it('passivates what was idle for the time, not what was busy in it', async () => {
    const { simulation, family, counts } = nodeProfiles()
    family.of('idle').tell({ type: 'wanted', generation: 1 })
    for (let i = 0; i < 40; i++) {
      family.of('busy').tell({ type: 'wanted', generation: i })
      await simulation.runFor(IDLE / 4)
    }
    expect(counts()).to.deep.equal({ live: 1, passivated: 1 })
  })

  it('sets one timer for all instances, and none when all are passivated', async () => {
    const { simulation, family, counts } = nodeProfiles()
    for (let i = 0; i < 20_000; i++) family.of(`${i}`).tell({ type: 'wanted', generation: i })
    await simulation.settle()
    expect(simulation.clock.timers).to.equal(1)
    expect(await simulation.runUntilQuiet(3 * IDLE)).to.equal(true)
    expect(counts()).to.deep.equal({ live: 0, passivated: 20_000 })
  })

  it('keeps nothing where the compact form is undefined, or there is none', async () => {
    for (const passivate of [() => undefined, undefined]) {
      const { simulation, family, starts, read, counts } = nodeProfiles(
        passivate === undefined ? { passivate: () => undefined } : { passivate },
      )
      family.of('a').tell({ type: 'wanted', generation: 7 })
      await simulation.runFor(2 * IDLE)
      expect(counts()).to.deep.equal({ live: 0, passivated: 0 })
      expect(await read('a')).to.deep.equal({ generation: 0, from: 'start' })
      expect(starts).to.deep.equal(['a', 'a'])
    }
  })

  it('does not passivate an actor that has a timer', async () => {
    const { simulation, family, counts } = nodeProfiles()
    const what = (context: ActorContext<Message>) => context.after('a', 9 * IDLE, { type: 'wanted', generation: 1 })
    family.of('a').tell({ type: 'do', what })
    await simulation.runFor(8 * IDLE)
    expect(counts()).to.deep.equal({ live: 1, passivated: 0 })
    await simulation.runFor(4 * IDLE)
    expect(counts()).to.deep.equal({ live: 0, passivated: 1 })
  })

  it('lets start rebuild the state after a failure, whatever was kept', async () => {
    const { simulation, family, read } = nodeProfiles()
    family.of('a').tell({ type: 'wanted', generation: 7 })
    await simulation.runFor(2 * IDLE)
    family.of('a').tell({ type: 'fail' })
    await simulation.runFor(IDLE)
    expect(await read('a')).to.deep.equal({ generation: 0, from: 'start' })
  })

  it('lets start rebuild the state when the compact form is of no use', async () => {
    const { simulation, family, read } = nodeProfiles({
      activate: () => {
        throw new Error('an old format')
      },
    })
    family.of('a').tell({ type: 'wanted', generation: 7 })
    await simulation.runFor(2 * IDLE)
    family.of('a').tell({ type: 'wanted', generation: 8 })
    await simulation.runFor(IDLE)
    expect(await read('a')).to.deep.equal({ generation: 8, from: 'start' })
  })

  it('goes on when passivate fails: the instance stays', async () => {
    const { simulation, family, read } = nodeProfiles({
      passivate: () => {
        throw new Error('broken')
      },
    })
    family.of('a').tell({ type: 'wanted', generation: 7 })
    await simulation.runFor(5 * IDLE)
    expect(await read('a')).to.deep.equal({ generation: 7, from: 'start' })
  })

  it('forgets an actor that ends, whatever was kept of it', async () => {
    const { simulation, family, read, counts } = nodeProfiles()
    for (const wait of [0, 2 * IDLE]) {
      family.of('a').tell({ type: 'wanted', generation: 7 })
      await simulation.runFor(wait)
      family.of('a').tell({ type: 'do', what: (context) => context.stop() })
      await simulation.settle()
      expect(counts()).to.deep.equal({ live: 0, passivated: 0 })
      expect(await read('a')).to.deep.equal({ generation: 0, from: 'start' })
    }
  })

  it('gives context.self an address that outlives the instance', async () => {
    const { simulation, family, read } = nodeProfiles()
    let self: ActorContext<Message>['self'] | undefined
    family.of('a').tell({ type: 'do', what: (context) => (self = context.self) })
    await simulation.runFor(3 * IDLE)
    self?.tell({ type: 'wanted', generation: 9 })
    expect(await read('a')).to.deep.equal({ generation: 9, from: 'compact' })
  })

  it('refuses a name that is taken or none, and a time that is none', () => {
    const { simulation } = nodeProfiles()
    const behaviour = { start: () => 0, receive: () => 0 }
    for (const name of ['node-profile', 'a/b', ''])
      expect(() => simulation.system.family(name, { behaviour })).to.throw(name)
    expect(() => simulation.system.family('x', { behaviour, idleAfter: 0 })).to.throw(RangeError)
  })
})
