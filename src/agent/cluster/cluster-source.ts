import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { logTrouble } from '../../base/bug.ts'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { RequestObserver } from '../../kube/caller.ts'
import { ApiClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import type { Handler } from '../../kube/handler-queue.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { armorProfiles } from '../../kube/own-kinds.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../kube/reflector.ts'
import { profileSlimmer, roomForProfiles } from '../profiles/kept-profile.ts'
import type { ProfileSource } from '../profiles/profile-source.ts'
import { Reporter, type ReportTiming, type SendReport } from './reporter.ts'

export interface ClusterSourceOptions {
  connection: Connection
  /** Name of the Node object. */
  node: string
  /** vArmor's namespace. The ArmorProfiles of cluster policies are in it, too. */
  namespace?: string
  /** Origins of managers' status servers. */
  managers: readonly [string, ...string[]]
  send: SendReport
  logger: Logger
  /** Observes calls to the API server, for metrics. */
  apiObserver?: RequestObserver
  timing?: Partial<ReflectorTiming>
  reports?: Partial<ReportTiming>
}

/** Reads ArmorProfiles from the API server, and reports their status to the managers. */
export class ClusterSource implements ProfileSource {
  readonly #limiter = new PriorityLimiter({ qps: 20, burst: 40 })
  readonly #reporter: Reporter
  readonly #reflector: Reflector<ArmorProfile & KubeObject>
  readonly #handlers: string[] = []
  #stopped = false

  /** @param whole returns whether all listed ArmorProfiles have a status */
  constructor(options: ClusterSourceOptions, whole: () => boolean) {
    const { connection, node, managers, send, logger, timing = {}, reports, apiObserver } = options
    const time = { clock: systemClock, random: Math.random }
    this.#reporter = new Reporter({
      ...{ node, agent: randomUUID(), managers, send, logger, whole, ...time },
      ...(reports !== undefined && { timing: reports }),
    })
    const observed = apiObserver === undefined ? {} : { observer: apiObserver }
    const client = new ApiClient({ connection, limiter: this.#limiter, ...observed })
    this.#reflector = new Reflector({
      source: clientSource(client, armorProfiles),
      transform: profileSlimmer(),
      room: roomForProfiles(options.namespace),
      timing,
      observer: {
        failed: (err, delay) =>
          logTrouble(logger, err, { err, retryMs: delay }, 'cannot watch ArmorProfiles; retrying'),
        unfit: (count, reason) =>
          logger.error(
            { count, reason },
            'the API server listed invalid ArmorProfiles; keeping their previous versions, taking all others',
          ),
        handlerFailed: (handler, { key }, err) =>
          logger.error({ err, handler, object: key }, 'a handler of changes failed'),
      },
    })
  }

  subscribe(handler: Handler<ArmorProfile & KubeObject>): void {
    this.#handlers.push(handler.name)
    this.#reflector.subscribe(handler)
  }

  start(): void {
    this.#reflector.start()
    this.#reporter.start()
  }

  async listed(): Promise<boolean> {
    if (!(await this.#reflector.synced)) return false
    const under = (): boolean => this.#handlers.some((name) => (this.#reflector.depths[name] ?? 0) > 0)
    while (!this.#stopped && under()) await turn()
    return !this.#stopped
  }

  set(standing: ProfileStatus): void {
    this.#reporter.set(standing)
  }

  becameWhole(): void {
    this.#reporter.becameWhole()
  }

  forget(key: string): void {
    this.#reporter.forget(key)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#reflector.stop()
  }

  async close(): Promise<void> {
    await this.#reporter.stop()
    this.#limiter.close()
  }
}
