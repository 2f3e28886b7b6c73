import { hostname } from 'node:os'
import type { Logger } from '../base/logger.ts'
import type { KubeConnection } from '../kube/connection.ts'
import { Manager } from '../manager/manager.ts'
import type { ManagerOptions, ReachOptions } from '../manager/options.ts'
import type { ManagerArguments } from '../options/manager.ts'
import { apiServerThere, connect, installNamespace } from './cluster.ts'
import { metricsListen, metricsProblem } from './metrics-arguments.ts'
import { misuse } from './misuse.ts'
import { type Role, runRole } from './role.ts'
import { roleLogger } from './role-logger.ts'

/**
 * Milliseconds for a manager to stop, in addition to the shutdown delay. The chart gives a manager 30 s more than this
 * delay.
 */
const timeout = 25_000

/** Runs a manager until SIGTERM or SIGINT. Returns the exit status. */
export async function managerCommand(given: ManagerArguments): Promise<number> {
  const { kubeconfig, context } = given
  const problem = metricsProblem(given)
  if (problem !== undefined) {
    process.stderr.write(`error: ${problem}\n`)
    return misuse
  }
  if (given.webhookClientNames !== undefined && given.webhookClientCa === undefined) {
    process.stderr.write('error: --webhook-client-names needs --webhook-client-ca, the CA of these certificates\n')
    return misuse
  }
  const connection = connect({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  })
  if (connection === undefined) return 1
  const logger = roleLogger({ format: given.logFormat, verbosity: given.verbosity })
  const role = new ManagerRole(managerOptions(given, connection, logger), connection)
  return runRole(role, {
    ...{ name: 'manager', logger, signals: process },
    timeout: timeout + given.shutdownDelay * 1_000,
  })
}

class ManagerRole implements Role {
  readonly #options: ManagerOptions
  readonly #connection: KubeConnection
  readonly #stop = new AbortController()
  #manager: Manager | undefined

  constructor(options: ManagerOptions, connection: KubeConnection) {
    this.#options = options
    this.#connection = connection
  }

  get status(): object {
    return { ready: this.#manager?.isReady() ?? false, leads: this.#manager?.isLeader() ?? false }
  }

  async start(): Promise<void> {
    const { signal } = this.#stop
    await apiServerThere(this.#connection, this.#options.logger, signal)
    if (signal.aborted) return
    this.#manager = new Manager(this.#options)
    await this.#manager.start()
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('The manager was stopped'))
    await this.#manager?.stop()
    await this.#connection.close()
  }
}

function managerOptions(given: ManagerArguments, connection: KubeConnection, logger: Logger): ManagerOptions {
  const namespace = installNamespace(given.namespace, connection)
  const { host, agentUser, certificates, webhookClientCa: file, webhookClientNames: names } = given
  return {
    ...{ connection, namespace, logger },
    identity: given.identity ?? (process.env['POD_NAME'] || `${hostname()}-${process.pid}`),
    reach: { names: namesOf(given, namespace), webhooks: webhooksOf(given, namespace) },
    listen: {
      ...(host !== undefined && { host }),
      ports: { webhook: given.webhookPort, status: given.statusPort },
      shutdownDelay: given.shutdownDelay * 1_000,
      ...(file !== undefined && { webhookClients: { file, ...(names !== undefined && { names }) } }),
      ...(given.enableMetrics ? { metrics: metricsListen(given) } : { metrics: false }),
    },
    admission: {
      optIn: given.webhookMatchLabel,
      failurePolicy: given.webhookFailurePolicy,
      exemptNamespaces: given.webhookExemptNamespaces,
      timeout: given.webhookTimeout,
      bpfExclusive: given.bpfExclusiveMode,
      confineInitContainers: given.confineInitContainers,
    },
    agents: {
      reportSeconds: given.reportInterval,
      ...(agentUser !== undefined && { user: agentUser }),
      audiences: given.tokenAudience,
      allowUnboundTokens: given.allowUnboundTokens,
    },
    compilers: { deadline: given.compileDeadline * 1_000 },
    policy: {
      restartExistingWorkloads: given.restartExistWorkloads,
      behaviorModeling: given.enableBehaviorModeling,
      egressControl: { pods: given.enablePodEgressControl, services: given.enableServiceEgressControl },
    },
    restartLimits: {
      inFlight: given.restartsInFlight,
      inFlightPerNamespace: given.restartsInFlightPerNamespace,
      perMinute: given.restartsPerMinute,
      perMinutePerNamespace: given.restartsPerMinutePerNamespace,
    },
    modelsFolder: given.modelsFolder,
    generalise: given.generalise,
    ...(certificates !== undefined && { certificates }),
    timing: { pace: { qps: given.clientRateLimitQPS, burst: given.clientRateLimitBurst } },
  }
}

/**
 * Names by which the API server and the agents reach this manager: the names of the Services, and the names in the
 * flags.
 */
function namesOf({ name, webhookService, statusService, webhookUrl }: ManagerArguments, namespace: string): string[] {
  const ofServices = [webhookService, statusService].flatMap((service) =>
    [namespace, `${namespace}.svc`, `${namespace}.svc.cluster.local`].map((suffix) => `${service}.${suffix}`),
  )
  const ofUrl = webhookUrl === undefined ? [] : [new URL(webhookUrl).hostname.replace(/^\[|\]$/g, '')]
  return [...new Set([...ofServices, ...ofUrl, ...name])]
}

function webhooksOf({ webhookUrl, webhookService }: ManagerArguments, namespace: string): ReachOptions['webhooks'] {
  if (webhookUrl === undefined) return { namespace, service: webhookService }
  const base = webhookUrl.replace(/\/+$/, '')
  // Search the text for the port, because URL drops the port 443.
  return /:\d+$/.test(base) ? { url: base } : (port) => ({ url: `${base}:${port}` })
}
