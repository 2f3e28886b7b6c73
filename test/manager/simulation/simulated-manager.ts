import type { Socket } from 'node:net'
import { buildProfile } from '../../../actors/model/build-profile.ts'
import type { ModelFiles } from '../../../actors/model/ports.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { ProfileNames } from '../../../actors/policy/profile-names.ts'
import { REPORT_PATH } from '../../../src/api/agent-report.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { noLogger } from '../../../src/base/logger.ts'
import type { Random } from '../../../src/base/random.ts'
import type { Exchange, Handler, Reply } from '../../../src/http/routes.ts'
import { ApiClient } from '../../../src/kube/client.ts'
import type { Connection } from '../../../src/kube/connection.ts'
import { EventRecorder } from '../../../src/kube/event-recorder.ts'
import { LeaderElector } from '../../../src/kube/leader-election.ts'
import { PriorityLimiter } from '../../../src/kube/limiter.ts'
import type { Term } from '../../../src/kube/term.ts'
import { reviewToken } from '../../../src/kube/token-review.ts'
import { ClusterView } from '../../../src/manager/cluster-view.ts'
import { ClusterWrites } from '../../../src/manager/cluster-writes.ts'
import { ControlPlane } from '../../../src/manager/control-plane.ts'
import * as paces from '../../../src/manager/default-limits.ts'
import { egressSources } from '../../../src/manager/egress/egress-sources.ts'
import { reportHandler } from '../../../src/manager/http/report-handler.ts'
import { TokenVerifier } from '../../../src/manager/http/token-verifier.ts'
import { eventsTo } from '../../../src/manager/policy-events.ts'
import { SimulatedRestartLimiter } from '../../actors/control-plane/simulated-limiter.ts'
import { CallLog } from './call-log.ts'
import { INSTALL_NAMESPACE } from './embedded-cluster.ts'
import { SimulatedPace } from './simulated-pace.ts'

export interface SimulatedManagerOptions {
  clock: Clock
  random: Random
  connection: Connection
  identity: string
}

/**
 * A manager with the same parts as `Manager`, without its servers and certificates: election, reflectors, actors,
 * writes, events, and the report handler. Only its limiters are different, because the real limiter's library has its
 * own timers.
 */
export class SimulatedManager {
  readonly view: ClusterView
  readonly calls: CallLog
  readonly client: ApiClient
  readonly #options: SimulatedManagerOptions
  readonly #limiter: PriorityLimiter
  readonly #events: EventRecorder
  readonly #elector: LeaderElector
  readonly #reports: Handler
  readonly #restarts: SimulatedRestartLimiter
  #controlPlane: ControlPlane | undefined

  constructor(options: SimulatedManagerOptions) {
    this.#options = options
    const { clock, random, connection, identity } = options
    const now = () => clock.now()
    this.calls = new CallLog(clock)
    this.#limiter = new PriorityLimiter({ clock, pace: new SimulatedPace(clock, paces.requestPace) })
    this.client = new ApiClient({
      connection,
      limiter: this.#limiter,
      clock,
      random,
      observer: this.calls,
    })
    const { client } = this
    this.view = new ClusterView({ client })
    this.#restarts = new SimulatedRestartLimiter(clock, paces.restartLimits)
    this.#events = new EventRecorder({
      ...{ client, clock },
      reportingController: 'varmor.org/manager',
      reportingInstance: identity,
    })
    this.#elector = new LeaderElector({
      ...{ client, clock, sinceBoot: now, random, identity },
      lease: { namespace: INSTALL_NAMESPACE, name: 'varmor-manager' },
      leading: (term) => this.#lead(term),
      ended: () => void this.#endTerm(),
    })
    this.#reports = this.#reportHandler()
  }

  get leads(): boolean {
    return this.#controlPlane !== undefined && this.#elector.isLeader()
  }

  /** Tells whether the manager is idle until time advances or another participant acts. */
  get quiet(): boolean {
    return this.#controlPlane?.quiet !== false && this.view.waiting === 0
  }

  start(): void {
    this.view.start()
    void this.view.synced().then((synced) => {
      if (synced) this.#elector.start()
    })
  }

  /** Handles the body of a report like the server for agents. */
  async report(token: string, body: Buffer): Promise<Reply> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    // Each node has its own address.
    const exchange: Exchange = { path: REPORT_PATH, headers, socket: { remoteAddress: token } as Socket }
    return (await this.#reports.admit?.(exchange)) ?? this.#reports.handle(body, exchange)
  }

  /** Releases the lease, so that another manager can lead at once. */
  async stop(): Promise<void> {
    await this.#endTerm()
    await this.#elector.stop()
    await this.#events.stop()
    await this.view.stop()
    this.#limiter.close()
  }

  /** Acts as if its process died: it sends no more requests, and the lease stays until it expires. */
  async crash(): Promise<void> {
    await this.#options.connection.close()
    await this.#endTerm(0)
    await Promise.all([this.#elector.stop(), this.#events.stop(0), this.view.stop()])
    this.#limiter.close()
  }

  #lead(term: Term): void {
    const { clock, random } = this.#options
    const api = new ClusterWrites(this.client.fenced(term), this.view)
    this.#controlPlane = new ControlPlane({
      ...{ clock, random },
      view: this.view,
      names: new ProfileNames(this.view, INSTALL_NAMESPACE),
      api,
      models: { api, files: noModelFiles, build: async (result, profile) => buildProfile(result, profile) },
      limiter: this.#restarts,
      compile: desiredProfile,
      confine: () => [],
      winner: () => undefined,
      podProfile: () => undefined,
      event: eventsTo(this.#events),
      count: () => undefined,
      logger: noLogger,
      policy: { installNamespace: INSTALL_NAMESPACE, egressControl: { pods: true, services: true } },
      egress: egressSources({ client: this.client }),
    })
    this.#controlPlane.start()
  }

  async #endTerm(within = 5_000): Promise<void> {
    const controlPlane = this.#controlPlane
    this.#controlPlane = undefined
    await controlPlane?.stop(within)
  }

  #reportHandler(): Handler {
    const { clock } = this.#options
    const agentUser = `system:serviceaccount:${INSTALL_NAMESPACE}:varmor-agent`
    const verifier = new TokenVerifier({
      review: (token) => reviewToken(this.client, token),
      isExpected: (username) => username === agentUser,
      clock,
    })
    return reportHandler({
      verify: (token, address) => verifier.verify(token, address),
      agentUser,
      allowUnboundTokens: false,
      leadership: () => ({ leads: this.leads, leader: null }),
      take: (report) => {
        if (this.#controlPlane === undefined) throw new Error('The leadership term ended while a report arrived')
        return this.#controlPlane.report(report)
      },
      clock,
    })
  }
}

/** No recording of this simulation is too large for an object. */
const noModelFiles: ModelFiles = {
  read: async () => undefined,
  write: async () => undefined,
  remove: async () => undefined,
}
