import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { HeldLines } from '../../../src/audit/pipeline/throttled-lines.ts'
import type { Offer } from '../../../src/audit/sink/line-queue.ts'
import type { HeldRecords } from '../../../src/audit/source/source.ts'
import { checkLine } from '../check-line.ts'
import { demo } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'

const [container] = demo.containers
const number = 7

interface Said {
  message: string
  containerID: string
  heldBack: {
    where: string
    operation: string
    events: number
    from: string
    to: string
    rate: number
    kinds: object[]
  }
}

/** A source with throttled records that a test sets, and a log that keeps its lines. */
class World {
  readonly clock = new ManualClock()
  readonly feed = new SnapshotFeed({ ...demo, containers: [{ ...container!, bpfNumber: number }] })
  readonly said: Said[] = []
  readonly noted: [string, number][] = []
  readonly notedOf = new Map<string, number>()
  /** Whether nothing can be noted. */
  isBroken = false
  readonly held = new Map<string, HeldRecords>()
  /** Lines that the log has not accepted yet. */
  readonly waiting: Offer[] = []
  lines: HeldLines

  constructor() {
    this.lines = this.begin()
  }

  /** Starts a new agent's part. */
  begin(): HeldLines {
    this.lines = new HeldLines({
      source: {
        heldRate: 10,
        held: () => [...this.held.values()],
        noteHeld: async ({ key, held }) => {
          if (this.isBroken) throw new Error('cannot be noted')
          this.noted.push([key, held])
          this.notedOf.set(key, held)
        },
      },
      clock: this.clock,
      feed: this.feed,
      sink: {
        offer: (offer) => {
          this.said.push(checkLine(Buffer.from(offer.bytes).toString().trimEnd()) as unknown as Said)
          this.waiting.push(offer)
        },
      },
    })
    return this.lines
  }

  hold(count: number, operation = 'File', of = number): void {
    const key = `${of} ${operation}`
    const { notedOf } = this
    this.held.set(key, {
      ...{ key, container: of, operation, held: (this.held.get(key)?.held ?? 0) + count },
      get noted() {
        return notedOf.get(key) ?? 0
      },
    })
  }

  /** Lets seconds pass, and checks once each second. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      await this.clock.advance(1_000)
      this.lines.poll()
    }
  }

  write(): void {
    for (const { settle } of this.waiting.splice(0)) settle({ written: 0, dropped: 0 })
  }
}

describe('what the kernel holds back', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })

  it('is said when it begins, and how much it was when it ends, of each kind of rule', async () => {
    world.lines.poll()
    world.hold(3)
    world.hold(1, 'Bprm')
    await world.pass(1)
    expect(world.said.map(({ message, heldBack }) => [message, heldBack.operation])).to.deep.equal([
      ['held back', 'File'],
      ['held back', 'Bprm'],
    ])
    expect(world.said[0]).to.include({ containerID: container!.containerID, level: 'warn' })
    // A full queue drops the beginnings, and no count.
    expect(world.waiting.map(({ lossy }) => lossy)).to.deep.equal([true, true])
    expect(world.said[0]!.heldBack).to.include({ where: 'kernel', rate: 10 })
    expect([...world.lines.holding]).to.have.members(['kernel 7', 'kernel 7'])
    world.hold(5)
    await world.pass(1)
    expect(world.said.splice(0)).to.have.length(3)
    await world.pass(2)
    const [ended] = world.said
    expect(ended).to.include({ message: 'held back ended', containerID: container!.containerID })
    expect(world.waiting.at(-1)!.lossy).to.equal(false)
    expect(ended!.heldBack).to.deep.include({ where: 'kernel', operation: 'File', events: 8, other: 0 })
    expect(ended!.heldBack.kinds).to.deep.equal([
      {
        ...{ enforcer: 'BPF', action: '', operation: 'File', object: '', events: 8 },
        profileName: container!.profileName,
      },
    ])
    expect(Date.parse(ended!.heldBack.to) - Date.parse(ended!.heldBack.from)).to.equal(2_000)
    expect([...world.lines.holding]).to.deep.equal([])
  })

  it('adds up to what was held back, whenever its container fell silent, and is said at the end', async () => {
    let sum = 0
    for (let i = 1; i < 40; i++) {
      world.hold(i, i % 3 === 0 ? 'Bprm' : 'File', i % 4)
      sum += i
      await world.pass(i % 5)
    }
    world.lines.poll(true)
    world.write()
    await world.lines.close()
    const ended = world.said.filter(({ message }) => message === 'held back ended')
    expect(ended.reduce((all, { heldBack }) => all + heldBack.events, 0)).to.equal(sum)
    expect(ended.length).to.equal(world.said.length / 2)
    const noted = new Map(world.noted)
    for (const { key, held } of world.held.values()) expect(noted.get(key)).to.equal(held)
    world.said.length = 0
    await world.pass(3)
    expect(world.said).to.deep.equal([])
  })

  it('is said by the agent that comes next, where the log had not taken it', async () => {
    world.hold(4)
    await world.pass(3)
    expect(world.noted).to.deep.equal([])
    world.write()
    expect(world.noted).to.deep.equal([['7 File', 4]])
    world.hold(6)
    world.said.length = 0
    world.begin()
    world.lines.poll()
    await world.pass(2)
    expect(world.said.map(({ heldBack }) => heldBack.events)).to.deep.equal([undefined, 6])
  })

  it('is said each minute as long as it has no end, and adds up', async () => {
    for (let second = 0; second < 150; second++) {
      world.hold(2)
      await world.pass(1)
    }
    const before = world.said.filter(({ heldBack }) => heldBack.events !== undefined)
    expect(before.map(({ message }) => message)).to.deep.equal(['held back', 'held back'])
    await world.pass(3)
    const all = world.said.filter(({ heldBack }) => heldBack.events !== undefined)
    expect(all.reduce((sum, { heldBack }) => sum + heldBack.events, 0)).to.equal(300)
  })

  it('is remembered no longer than until it is noted, and no count is said twice or lost, of however many containers', async () => {
    let sum = 0
    const number = 2_000
    for (let round = 1; round <= 3; round++) {
      for (let of = 0; of < number; of++) world.hold(round, 'File', of)
      sum += round * number
      world.isBroken = round === 2
      await world.pass(2)
      expect(world.lines.unnoted, 'not in the log yet').to.equal(number)
      world.write()
      await world.lines.close()
      expect(world.lines.unnoted).to.equal(world.isBroken ? number : 0)
      await world.pass(2)
    }
    world.lines.poll(true)
    const said = world.said.reduce((all, { heldBack }) => all + (heldBack.events ?? 0), 0)
    expect(said).to.equal(sum)
  })

  it('of an unknown container is reported, too', async () => {
    world.hold(2, 'File', 99)
    await world.pass(3)
    expect(world.said.map(({ containerID, heldBack }) => [containerID, heldBack.events])).to.deep.equal([
      ['', undefined],
      ['', 2],
    ])
  })
})
