import { hostname } from 'node:os'
import { ClusterBackend } from '../agent/cluster/cluster-backend.ts'
import { NodeAgent, type NodeAgentOptions } from '../agent/node-agent.ts'
import type { PolicyBackend } from '../agent/policy-backend.ts'
import type { Logger } from '../base/logger.ts'
import type { AgentArguments } from '../options/agent.ts'
import { bytesOfSize } from '../options/readers.ts'
import { type Checked, metricsOf, pipelineOf, podLabelsOf } from './agent-arguments.ts'
import { connect, installNamespace } from './cluster.ts'
import { type Role, runRole } from './role.ts'
import { roleLogger } from './role-logger.ts'

/** Runs an agent that loads profiles, until SIGTERM or SIGINT. Returns the exit status. */
export async function wholeAgent(given: AgentArguments, checked: Checked): Promise<number> {
  const { logFormat: format = 'text', verbosity, statusEvery } = given
  const logger = roleLogger({ format, verbosity })
  const side = given.policies === undefined ? clusterSide(given) : await standaloneSide(given, given.policies, logger)
  if (side === undefined) return 1
  const role = new AgentRole(agentOptions(given, checked, side.side, logger), side.close)
  const logStatus = (): void => logger.info({ status: role.status }, 'status')
  const timer = statusEvery === undefined ? undefined : setInterval(logStatus, statusEvery * 1000)
  return runRole(role, { name: 'agent', logger, signals: process }).finally(() => clearInterval(timer))
}

class AgentRole implements Role {
  readonly #agent: NodeAgent
  readonly #close: () => Promise<void>

  constructor(options: NodeAgentOptions, close: () => Promise<void>) {
    this.#agent = new NodeAgent(options)
    this.#close = close
  }

  get status(): object {
    return this.#agent.status
  }

  start(): Promise<void> {
    return this.#agent.start()
  }

  async stop(): Promise<void> {
    await this.#agent.stop().finally(this.#close)
  }
}

/** A source of policies, and a function that closes it. */
interface Opened {
  side: PolicyBackend
  close(): Promise<void>
}

/**
 * Connects to the cluster of the flags. If no cluster is configured, prints the reason on standard error, and returns
 * undefined.
 */
function clusterSide(given: AgentArguments): Opened | undefined {
  const { kubeconfig, context, managerCa, managerName, tokenFile, containerd: containerdSocket, cri } = given
  const connection = connect({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  })
  if (connection === undefined) return undefined
  const namespace = installNamespace(given.namespace, connection)
  const [first = `https://varmor-status-svc.${namespace}.svc:8080`, ...more] = given.manager
  const side = new ClusterBackend({
    ...{ connection, namespace, managers: [first, ...more], tokenFile, containerdSocket },
    ...(cri !== undefined && { criSocket: cri }),
    ...(managerCa !== undefined && { authorityFile: managerCa }),
    ...(managerName !== undefined && { serverName: managerName }),
  })
  return { side, close: () => connection.close() }
}

/** Opens a folder of policies. It loads its code only here, because an agent in a cluster does not need it. */
async function standaloneSide(given: AgentArguments, folder: string, logger: Logger): Promise<Opened | undefined> {
  const { openStandalone } = await import('./open-standalone.ts')
  const side = await openStandalone(given, { folder, seccompFolder: seccompFolderOf(given), logger })
  return side && { side, close: async () => undefined }
}

const seccompFolderOf = ({ seccompDir, policies }: AgentArguments): string =>
  seccompDir ?? (policies === undefined ? '/var/lib/kubelet/seccomp' : '/var/lib/varmor/seccomp')

function agentOptions(
  given: AgentArguments,
  { request, metadata }: Checked,
  side: PolicyBackend,
  logger: Logger,
): NodeAgentOptions {
  const { readinessHost, policies } = given
  return {
    ...{ side, logger },
    node: given.nodeName ?? (process.env['NODE_NAME'] || hostname()),
    seccompFolder: seccompFolderOf(given),
    appArmorFolder: given.apparmorDir,
    // As in upstream, each violation has the namespace of the installation that wrote it.
    metadata: policies === undefined ? { ...metadata, varmorNamespace: side.namespace } : metadata,
    ...podLabelsOf(given),
    pipeline: { request, ...pipelineOf(given) },
    health: {
      port: given.readinessPort ?? portOf(process.env['AGENT_READINESS_PORT']) ?? 9580,
      ...(readinessHost !== undefined && { host: readinessHost }),
    },
    ...metricsOf(given),
    // A node with a folder of policies may be strict about readiness, because no other node waits for it.
    strict: given.strictReadiness || policies !== undefined,
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
        ...(given.bpfProfileMemory !== undefined && { profileMemory: bytesOfSize(given.bpfProfileMemory) }),
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
