import type { ProfileStatus, WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import type { NoSource } from '../../audit/source/choose-source.ts'
import type { Logger } from '../../base/logger.ts'
import { json, type Reply } from '../../http/routes.ts'
import { type HttpServer, startServer } from '../../http/server.ts'

export interface ReadinessReport {
  ready: boolean
  /** Whether all ArmorProfiles are known. */
  listed: boolean
  wanted: number
  loaded: number
  /** Profiles that are not loaded yet or are being retried. */
  pending: string[]
  /**
   * Profiles that cannot be loaded on this node: they are refused, or the node lacks a feature. The manager knows this.
   */
  failed: { profile: string; message: string }[]
  /**
   * The reason and the remedy, if violations of an enforced profile are not reported. This does not make the node
   * unready.
   */
  unreported?: NoSource
  /** Other reasons why the node does not match its policies, each with a remedy; undefined if there are none. */
  problems?: readonly string[]
  /** Number of restarts of the agent's components after a failure, by component; undefined if there were none. */
  restarts?: Record<string, number>
}

export interface ReadinessOptions {
  wanted: { entries(): Iterable<[key: string, wanted: WantedProfile]> }
  /**
   * Whether a refused profile makes the node unready, too. Default false, because one bad policy, or a node without
   * AppArmor, would block the rollout of agents in the whole cluster. The policy's status reports the failed node in
   * any case.
   */
  strict?: boolean
  /** Returns why some or all violations are not reported; undefined if all are reported. */
  unreported?: () => NoSource | undefined
  /** Returns other reasons why the node does not match its policies. Each reason makes the node unready. */
  problems?: () => readonly string[]
  /** How often each component was restarted. */
  restarts?: () => Readonly<Record<string, number>>
}

/** Maximum names of each kind in a report. */
const shown = 100

/**
 * Whether this node matches its policies. The node is ready when the ArmorProfiles are known, and the newest generation
 * of each is loaded or cannot be loaded for a lasting reason.
 */
export class Readiness {
  readonly #options: ReadinessOptions
  readonly #standings = new Map<string, ProfileStatus>()
  #listed = false

  constructor(options: ReadinessOptions) {
    this.#options = options
  }

  set(standing: ProfileStatus): void {
    this.#standings.set(standing.key, standing)
  }

  forget(key: string): void {
    this.#standings.delete(key)
  }

  /** Called when all ArmorProfiles are known. */
  listed(): void {
    this.#listed = true
  }

  /** Whether each ArmorProfile has a status, even an old status. Only then can a report be complete. */
  get whole(): boolean {
    if (!this.#listed) return false
    for (const [key, { uid }] of this.#options.wanted.entries()) if (this.#standings.get(key)?.uid !== uid) return false
    return true
  }

  /** Returns how many of the wanted profiles are in each state. */
  counts(): { loaded: number; pending: number; failed: number } {
    const counts = { loaded: 0, pending: 0, failed: 0 }
    for (const [key, wanted] of this.#options.wanted.entries())
      if (!wanted.leaving) counts[this.#stateOf(key, wanted)]++
    return counts
  }

  report(): ReadinessReport {
    const report: ReadinessReport = {
      ready: false,
      listed: this.#listed,
      wanted: 0,
      loaded: 0,
      pending: [],
      failed: [],
    }
    let [pending, failed, strange] = [0, 0, 0]
    for (const [key, wanted] of this.#options.wanted.entries()) {
      if (wanted.leaving) continue
      report.wanted++
      const state = this.#stateOf(key, wanted)
      if (state === 'loaded') report.loaded++
      else if (state === 'failed') {
        // Do not count an ArmorProfile that vArmor did not write. Otherwise its writer could keep all nodes unready.
        if (wanted.strange !== undefined) strange++
        const message = this.#current(key, wanted)?.message ?? ''
        if (failed++ < shown) report.failed.push({ profile: key, message })
      } else if (pending++ < shown) report.pending.push(key)
    }
    const unreported = this.#options.unreported?.()
    if (unreported !== undefined) report.unreported = unreported
    const problems = this.#options.problems?.() ?? []
    if (problems.length > 0) report.problems = problems.slice(0, shown)
    const restarts = Object.entries(this.#options.restarts?.() ?? {}).filter(([, count]) => count > 0)
    if (restarts.length > 0) report.restarts = Object.fromEntries(restarts)
    const settled = this.#listed && pending === 0 && problems.length === 0
    report.ready = settled && (failed === strange || this.#options.strict !== true)
    return report
  }

  #stateOf(key: string, wanted: WantedProfile): 'loaded' | 'pending' | 'failed' {
    const standing = this.#current(key, wanted)
    if (standing?.state === 'loaded') return 'loaded'
    return standing?.state === 'failed' && standing.passing !== true ? 'failed' : 'pending'
  }

  #current(key: string, { uid, generation }: WantedProfile): ProfileStatus | undefined {
    const standing = this.#standings.get(key)
    return standing?.uid === uid && standing.generation === generation ? standing : undefined
  }
}

export const READINESS_PATH = '/health/readiness'
export const LIVENESS_PATH = '/health/liveness'
export const READINESS_PORT = 9580

/**
 * Serves the readiness and liveness probes. The liveness probe only shows that the process answers. Resolves when the
 * server listens.
 * @throws the error of the socket
 */
export function serveHealth(
  readiness: Readiness,
  { port = READINESS_PORT, host }: { port?: number; host?: string },
  log: Pick<Logger, 'warn' | 'error'>,
): Promise<HttpServer> {
  return startServer({
    name: 'health',
    port,
    ...(host !== undefined && { host }),
    routes: {
      exact: {
        [LIVENESS_PATH]: { GET: { handle: () => json(200, { alive: true }, noStore) } },
        [READINESS_PATH]: { GET: { handle: () => readinessReply(readiness.report()) } },
      },
    },
    // A probe is a single short request.
    limits: { connections: 100, requestTimeout: 10_000 },
    log,
  })
}

const noStore = { 'cache-control': 'no-store' }
const readinessReply = (report: ReadinessReport): Reply => json(report.ready ? 200 : 503, report, noStore)
