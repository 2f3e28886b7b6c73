import type { Behaviour, SpawnOptions } from './behaviour.ts'
import { Cell } from './cell.ts'
import { Context } from './context.ts'
import { Counters } from './counters.ts'
import type { Environment, Kind } from './environment.ts'
import { LocalReference } from './local-reference.ts'
import { mailboxPolicy } from './mailbox.ts'
import { checkSupervision } from './supervision.ts'

/** What a kind is made of, beside the environment. */
interface KindOptions {
  readonly behaviour: Behaviour<unknown, unknown>
  readonly mailbox?: SpawnOptions<unknown>['mailbox']
  readonly supervision?: SpawnOptions<unknown>['supervision']
  activate?(compact: unknown, key: string): unknown
}

/** Starts actors with a name, and finds them again. */
export class Spawner {
  /** Of all spawned actors together: few, and each for itself. */
  readonly counters = new Counters()
  private readonly environment: Environment
  private readonly roots = new Map<string, Cell>()
  private unnamed = 0

  constructor(environment: Environment) {
    this.environment = environment
  }

  kind(options: KindOptions, prefix: string, counters: Counters): Kind {
    const { supervision = {} } = options
    checkSupervision(supervision)
    return {
      environment: this.environment,
      prefix,
      behaviour: options.behaviour,
      mailbox: mailboxPolicy(options.mailbox),
      supervision,
      counters,
      awaits: undefined,
      epoch: 0,
      contextOf: (cell) => new Context(cell as Cell, this.spawn),
      ...(options.activate !== undefined && { activate: options.activate.bind(options) }),
    }
  }

  /** @throws {Error} if an actor of that name is there, or the name is none */
  readonly spawn = <State, Message>(
    parent: Cell | undefined,
    behaviour: Behaviour<State, Message>,
    options: SpawnOptions<Message>,
  ): LocalReference<Message> => {
    const name = options.name ?? `actor-${++this.unnamed}`
    const prefix = parent === undefined ? '' : `${parent.address}/`
    if (name === '' || name.includes('/')) throw new Error(`An actor's name has no /: ${prefix}${name}`)
    if (this.taken(parent, name)) throw new Error(`There is an actor ${prefix}${name} already`)
    const kind = this.kind({ ...options, behaviour } as KindOptions, prefix, this.counters)
    const cell = new Cell(kind, name, this.ended, parent)
    if (parent === undefined) this.roots.set(name, cell)
    cell.wake()
    return this.reference<Message>(cell)
  }

  has(name: string): boolean {
    return this.roots.has(name)
  }

  /** The actor of a path of names, from a root down. */
  find(address: string): LocalReference<unknown> | undefined {
    const [root, ...children] = address.split('/')
    let cell = this.roots.get(root!)
    for (const name of children) cell = cell?.child(name)
    return cell === undefined ? undefined : this.reference(cell)
  }

  all(): readonly Cell[] {
    return [...this.roots.values()]
  }

  private taken(parent: Cell | undefined, name: string): boolean {
    return parent === undefined ? this.roots.has(name) : parent.child(name) !== undefined
  }

  private reference<Message>(cell: Cell): LocalReference<Message> {
    return new LocalReference<Message>(cell, this.environment.deadlines, this.environment.watches)
  }

  private readonly ended = (cell: Cell): void => {
    if (this.roots.get(cell.key) === cell) this.roots.delete(cell.key)
  }
}
