import { hostname } from 'node:os'
import { NodeAgent, type NodeAgentOptions } from '../agent/node-agent.ts'
import type { KubeConnection } from '../kube/connection.ts'
import { type AgentArguments, type Checked, metricsOf, pipelineOf, podLabelsOf } from './agent-arguments.ts'
import { connect, installNamespace } from './cluster.ts'
import { bytesOfSize } from './read-option.ts'
import { type Role, runRole } from './role.ts'
import { roleLogger } from './role-logger.ts'

/** Runs an agent that loads profiles, until SIGTERM or SIGINT. Returns the exit status. */
export async function wholeAgent(given: AgentArguments, checked: Checked): Promise<number> {
  const { kubeconfig, context, logFormat: format = 'text', verbosity, statusEvery } = given
  const connection = connect({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  })
  if (connection === undefined) return 1
  const logger = roleLogger({ format, verbosity })
  const role = new AgentRole(agentOptions(given, checked, connection, logger), connection)
  const logStatus = (): void => logger.info(role.status, 'status')
  const timer = statusEvery === undefined ? undefined : setInterval(logStatus, statusEvery * 1000)
  return runRole(role, { name: 'agent', logger, signals: process }).finally(() => clearInterval(timer))
}

class AgentRole implements Role {
  readonly #agent: NodeAgent
  readonly #connection: KubeConnection

  constructor(options: NodeAgentOptions, connection: KubeConnection) {
    this.#agent = new NodeAgent(options)
    this.#connection = connection
  }

  get status(): object {
    return this.#agent.status
  }

  start(): Promise<void> {
    return this.#agent.start()
  }

  async stop(): Promise<void> {
    await this.#agent.stop()
    await this.#connection.close()
  }
}

function agentOptions(
  given: AgentArguments,
  { request, metadata }: Checked,
  connection: KubeConnection,
  logger: NodeAgentOptions['logger'],
): NodeAgentOptions {
  const namespace = installNamespace(given.namespace, connection)
  const [first = `https://varmor-status-svc.${namespace}.svc:8080`, ...more] = given.manager
  const { managerCa, managerName, readinessHost } = given
  return {
    ...{ connection, namespace, logger },
    node: given.nodeName ?? (process.env['NODE_NAME'] || hostname()),
    managers: [first, ...more],
    tokenFile: given.tokenFile,
    ...(managerCa !== undefined && { authorityFile: managerCa }),
    ...(managerName !== undefined && { serverName: managerName }),
    seccompFolder: given.seccompDir,
    appArmorFolder: given.apparmorDir,
    containerdSocket: given.containerd,
    // As upstream: in every violation, whose installation wrote it.
    metadata: { ...metadata, varmorNamespace: namespace },
    ...podLabelsOf(given),
    pipeline: { request, ...pipelineOf(given) },
    health: {
      port: given.readinessPort ?? portOf(process.env['AGENT_READINESS_PORT']) ?? 9580,
      ...(readinessHost !== undefined && { host: readinessHost }),
    },
    ...metricsOf(given),
    strict: given.strictReadiness,
    unloadAtEnd: {
      AppArmor: given.unloadAllAaProfiles,
      Seccomp: given.removeAllSeccompProfiles,
      BPF: given.unloadAllBpfProfiles,
    },
    bpf: {
      strictStart: given.strictStart,
      sizes: {
        ...(given.bpfContainers !== undefined && { containers: given.bpfContainers }),
        ...(given.bpfProfiles !== undefined && { profiles: given.bpfProfiles }),
      },
      ...(given.bpfRingSize !== undefined && { ringBytes: bytesOfSize(given.bpfRingSize) }),
      ...(given.bpfRecordsRate !== undefined && { recordsRate: given.bpfRecordsRate }),
    },
  }
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text)
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : undefined
}
