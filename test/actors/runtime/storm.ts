import type { ActorContext, Behaviour } from '../../../actors/runtime/behaviour.ts'
import type { MailboxOptions } from '../../../actors/runtime/mailbox.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { sleep } from '../../../src/base/clock.ts'
import { seededRandom } from '../../../src/base/random.ts'

export interface Weather {
  readonly seed: number
  readonly concurrency: number
  readonly batch: number
  /** Number of receivers of each kind. */
  readonly receivers: number
  readonly senders: number
  /** Number of messages that a sender sends at once; many of them go to the same receiver. */
  readonly burst: number
  /** The probability that handling a message, or a start, fails. */
  readonly crashes: number
}

interface Parcel {
  readonly type: 'parcel'
  readonly id: number
  readonly from: string
  /** Key of the level, if the message is level-triggered. */
  readonly level: string | undefined
}

type Fate = 'on the way' | 'handled' | 'refused'

/** The kinds of receivers: the behaviour of their mailbox, and whether they await. */
const kinds: Record<string, { mailbox: MailboxOptions<Parcel>; slow: boolean }> = {
  plain: { mailbox: { capacity: 8 }, slow: false },
  slow: { mailbox: { capacity: 8 }, slow: true },
  level: { mailbox: { capacity: 8, coalesce: ({ level }) => level }, slow: false },
  levelSlow: { mailbox: { capacity: 4, coalesce: ({ level }) => level }, slow: true },
}

/**
 * An hour of faults: senders with timers send parcels to receivers of all kinds. Actors crash or end, slow receivers
 * fall behind, and mailboxes overflow. The storm tracks each parcel itself, so a test can compare the runtime's counts
 * with it.
 */
export class Storm {
  readonly simulation: Simulation
  /** Errors that the storm noticed; tests expect none. */
  readonly wrongs: string[] = []
  /** A fingerprint of everything that happened, in order. */
  trace = 0
  /** The last parcel that each receiver has handled: its state, which outlives the instance. */
  readonly latest = new Map<string, number>()
  private readonly weather: Weather
  private readonly fates: Fate[] = []
  private readonly inHand = new Map<string, number>()
  private readonly lastOf = new Map<string, number>()
  private readonly receivers: string[] = []
  private calm = false
  /** Separate from the system's random numbers, so that backoffs do not change the faults. */
  private readonly chance: () => number

  constructor(weather: Weather) {
    this.weather = weather
    this.chance = seededRandom(weather.seed + 1)
    this.simulation = new Simulation(weather)
    for (const kind of Object.keys(kinds)) this.addReceivers(kind)
    this.simulation.system.family('sender', { behaviour: this.sender(), idleAfter: 600_000 })
  }

  count(fate: Fate): number {
    return this.fates.filter((known) => known === fate).length
  }

  get parcels(): number {
    return this.fates.length
  }

  /** All receivers, by address. */
  get addresses(): string[] {
    return this.receivers.flatMap((kind) => this.indices.map((i) => this.address(kind, i)))
  }

  begin(): void {
    for (let i = 0; i < this.weather.senders; i++)
      this.simulation.system.lookup<{ type: 'begin' }>(`sender/${i}`).tell({ type: 'begin' })
  }

  /** Ends the crashes; senders stop at their next tick. */
  calmDown(): void {
    this.calm = true
  }

  /** Sends a parcel from outside of the system. */
  send(address: string, level: string | undefined): number {
    return this.post('outside', address, level)
  }

  private get indices(): number[] {
    return Array.from({ length: this.weather.receivers }, (_, i) => i)
  }

  private address(kind: string, i: number): string {
    return `${kind}/${i}`
  }

  private addReceivers(kind: string): void {
    const { mailbox, slow } = kinds[kind]!
    const { system } = this.simulation
    const supervision = { maxBackoff: 30_000 }
    const behaviour = this.receiver(slow)
    system.family(kind, {
      behaviour,
      mailbox,
      supervision,
      idleAfter: 120_000,
      passivate: (n) => n,
      activate: (n: number) => n,
    })
    this.receivers.push(kind)
  }

  private crash(): void {
    if (!this.calm && this.chance() < this.weather.crashes) throw new Error('struck')
  }

  private receiver(slow: boolean): Behaviour<number, Parcel> {
    return {
      start: (context) => {
        this.crash()
        const known = this.latest.get(context.address) ?? -1
        return slow ? sleep(this.simulation.clock, 20).then(() => known) : known
      },
      receive: (_, parcel, context) => {
        const { address } = context
        if (this.inHand.has(address)) this.wrongs.push(`two messages at once in ${address}`)
        this.checkOrder(parcel, address)
        const finish = (): number => {
          this.inHand.delete(address)
          this.settle(parcel, 'handled', address)
          this.crash()
          this.latest.set(address, parcel.id)
          if (!this.calm && this.chance() < 0.02) context.stop()
          return parcel.id
        }
        this.inHand.set(address, parcel.id)
        if (!slow) return finish()
        return sleep(this.simulation.clock, 1 + this.chance() * 400).then(finish)
      },
    }
  }

  private sender(): Behaviour<undefined, { type: 'begin' } | { type: 'tick' }> {
    return {
      start: (context) => {
        this.tick(context)
        return undefined
      },
      receive: (_, message, context) => {
        if (this.calm) return undefined
        if (message.type === 'tick') {
          this.tick(context)
          this.burst(context.address)
        }
        return undefined
      },
    }
  }

  private tick(context: ActorContext<{ type: 'begin' } | { type: 'tick' }>): void {
    context.after('tick', 20_000 + Math.floor(this.chance() * 20_000), { type: 'tick' })
  }

  private burst(from: string): void {
    const kind = this.receivers[Math.floor(this.chance() * this.receivers.length)]!
    const target = this.address(kind, Math.floor(this.chance() * this.weather.receivers))
    for (let i = 0; i < this.weather.burst; i++) {
      this.crash()
      this.post(from, target, this.chance() < 0.5 ? `level-${Math.floor(this.chance() * 3)}` : undefined)
    }
  }

  private post(from: string, to: string, level: string | undefined): number {
    const id = this.fates.push('on the way') - 1
    const taken = this.simulation.system.lookup<Parcel>(to).tell({ type: 'parcel', id, from, level })
    if (!taken) this.settle({ id }, 'refused', to)
    return id
  }

  private checkOrder({ id, from, level }: Parcel, address: string): void {
    const coalesces = kinds[address.split(/[/-]/)[0]!]!.mailbox.coalesce !== undefined
    // A replacement takes the place of an older message, so the order holds only within a level.
    const pair = `${from} ${address} ${coalesces ? level : ''}`
    const last = this.lastOf.get(pair) ?? -1
    if (last >= id) this.wrongs.push(`${address} got ${id} of ${from} after ${last}`)
    this.lastOf.set(pair, id)
  }

  private settle({ id }: Pick<Parcel, 'id'>, fate: Fate, address: string): void {
    if (this.fates[id] !== 'on the way') this.wrongs.push(`parcel ${id} was ${this.fates[id]}, and then ${fate}`)
    this.fates[id] = fate
    const text = `${this.simulation.clock.now()} ${id} ${fate} ${address}`
    for (let i = 0; i < text.length; i++) this.trace = (Math.imul(this.trace, 31) + text.charCodeAt(i)) | 0
  }
}
