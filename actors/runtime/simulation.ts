import type { Random } from '../../src/base/random.ts'
import { seededRandom } from '../../src/base/random.ts'
import { checkFromZero, checkTime } from './limits.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { ActorSystem, type SystemOptions } from './system.ts'

export interface SimulationOptions extends Omit<SystemOptions, 'clock' | 'random'> {
  /** Seed of the random numbers: the same seed gives the same run. Default 1. */
  readonly seed?: number
  /** Start of the clock, in milliseconds since the epoch. Default 0. */
  readonly start?: number
}

/**
 * An actor system with a manual clock and a seeded source of randomness, for tests and the sandbox. A run is repeatable
 * if behaviours wait only for messages, the clock (`sleep`) and each other; it does not wait for promises of real I/O.
 */
export class Simulation {
  readonly clock: SimulatedClock
  readonly random: Random
  readonly system: ActorSystem

  constructor({ seed = 1, start = 0, ...options }: SimulationOptions = {}) {
    this.clock = new SimulatedClock(start)
    this.random = seededRandom(seed)
    this.system = new ActorSystem({ ...options, clock: this.clock, random: this.random })
  }

  /** Runs everything that can happen now. Time does not move. */
  async settle(): Promise<void> {
    // A macrotask runs after all microtasks, so every promise that could resolve has resolved.
    do await new Promise<void>((resolve) => setImmediate(resolve))
    while (!this.system.environment.dispatcher.quiet)
  }

  /**
   * Runs for this many milliseconds. Timers fire one by one; the effects of each timer happen before the next timer
   * fires.
   */
  async runFor(duration: number): Promise<void> {
    checkFromZero('The time to run', duration)
    await this.runUntilTime(this.clock.now() + duration)
  }

  /** Runs until a point in time, in milliseconds since the epoch. */
  async runUntilTime(time: number): Promise<void> {
    checkTime('The time to run until', time)
    await this.settle()
    while (this.clock.step(time)) await this.settle()
  }

  /** Runs until the condition is true. @returns whether the condition became true in time */
  async runUntil(condition: () => boolean, within = 3_600_000): Promise<boolean> {
    checkFromZero('The time to run', within)
    const limit = this.clock.now() + within
    await this.settle()
    while (!condition()) {
      if (!this.clock.step(limit)) return condition()
      await this.settle()
    }
    return true
  }

  /** Runs until no timer is left or the time is over. If no timer is left, only an external message causes work. */
  async runUntilQuiet(within = 3_600_000): Promise<boolean> {
    return this.runUntil(() => this.clock.timers === 0, within)
  }

  /** Stops the system in simulated time. */
  async stop(): Promise<void> {
    let stopped = false
    void this.system.stop().then(() => {
      stopped = true
    })
    await this.runUntil(() => stopped)
  }
}
