import type { ProfileReport } from '../../../src/api/agent-report.ts'
import { keyFor, type Stored } from '../fake-api.ts'
import type { World } from './world.ts'

export const HEARTBEAT = 15_000

/** An agent that loads each profile that it sees after a delay, and reports it. */
export class Agent {
  readonly node: string
  readonly loaded = new Map<string, ProfileReport>()
  failing = ''
  /** Parts of the loaded profiles that the node's kernel does not support. */
  leftOut: NonNullable<ProfileReport['leftOut']> = []
  /** The node is off: it loads and reports nothing. */
  down = false
  #world: World
  #epoch = ''
  #complete = true
  #unsent = new Map<string, ProfileReport>()
  #flushing = false
  #gone = false

  constructor(world: World, node: string) {
    this.#world = world
    this.node = node
    for (const object of world.api.of('ArmorProfile')) this.see(object)
    this.#beat()
  }

  leave(): void {
    this.#gone = true
    this.loaded.clear()
  }

  see(
    object: Stored | undefined,
    key = object && keyFor('ArmorProfile', object.metadata.namespace, object.metadata.name),
  ): void {
    const { clock, random } = this.#world
    clock.after(random() * 500, () => {
      if (this.#gone || key === undefined) return
      this.#act(key)
    })
  }

  /** Reads the server's current state, like a watch that has caught up. */
  #act(key: string): void {
    const { api } = this.#world
    const object = api.get(key)
    const [, namespace = '', name = ''] = key.split('/')
    const before = this.loaded.get(key)
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      this.loaded.delete(key)
      const of = object === undefined ? before : { uid: object.metadata.uid, generation: object.metadata.generation }
      if (of !== undefined)
        this.#report(key, { namespace, name, uid: of.uid, generation: of.generation, state: 'unloaded' })
      return
    }
    const { uid, generation } = object.metadata
    const how = this.failing === '' ? { state: 'loaded' as const } : { state: 'failed' as const, message: this.failing }
    if (before?.uid === uid && before.generation === generation && before.state === how.state) return
    const { leftOut } = this
    const report: ProfileReport = { namespace, name, uid, generation, ...how, ...(leftOut.length > 0 && { leftOut }) }
    this.loaded.set(key, report)
    this.#report(key, report)
  }

  setFailing(message: string): void {
    this.failing = message
    for (const object of this.#world.api.of('ArmorProfile')) this.see(object)
  }

  #report(key: string, report: ProfileReport): void {
    this.#unsent.set(key, report)
    if (this.#flushing) return
    this.#flushing = true
    const { clock, random } = this.#world
    clock.after(100 + random() * 200, () => {
      this.#flushing = false
      this.#send()
    })
  }

  #send(): void {
    const { manager } = this.#world
    if (this.#gone || this.down || manager === undefined) return
    const complete = this.#complete
    const profiles = complete ? [...this.loaded.values()] : [...this.#unsent.values()]
    // A complete report leaves out profiles that are gone.
    this.#unsent.clear()
    const answer = manager.report({ node: this.node, agent: 'a', epoch: this.#epoch, complete, profiles })
    this.#epoch = answer.epoch
    this.#complete = answer.complete
    // As the real agent does: a manager that repeatedly asks for complete reports gets them with the heartbeat.
    if (answer.complete && !complete) this.#world.clock.after(50, () => this.#send())
  }

  #beat(): void {
    const { clock, random } = this.#world
    clock.after(HEARTBEAT * (0.8 + random() * 0.4), () => {
      if (this.#gone) return
      this.#send()
      this.#beat()
    })
  }
}
