import { hostname } from 'node:os'
import { runAuditOnly } from '../agent/audit-only.ts'
import { NodeAgent, type NodeAgentOptions } from '../agent/node-agent.ts'
import { parseRequest, type SourceRequest } from '../audit/source/choose-source.ts'
import { kubeletSeccompFolder } from '../enforcer/seccomp.ts'
import type { KubeConnection } from '../kube/connection.ts'
import { connect, installNamespace } from './cluster.ts'
import { type Metadata, parseMetadata } from './metadata.ts'
import { printable } from './output.ts'
import { type Role, runRole } from './role.ts'
import { type LogFormat, roleLogger } from './role-logger.ts'

export interface AgentArguments {
  auditOnly: boolean
  containers?: string
  auditSource?: string
  auditLogPaths?: string
  log: string
  nodeName?: string
  metadata?: string
  checkpoint?: string
  fromStart: boolean
  workers?: number
  statusEvery?: number
  logFormat?: LogFormat
  verbosity: number
  kubeconfig?: string
  context?: string
  namespace?: string
  manager: string[]
  managerCa?: string
  managerName?: string
  tokenFile: string
  seccompDir: string
  apparmorDir: string
  containerd: string
  readinessPort?: number
  readinessHost?: string
  strictReadiness: boolean
  unloadAllAaProfiles: boolean
  removeAllSeccompProfiles: boolean
}

export { kubeletSeccompFolder }

const misuse = 2

interface Checked {
  request: SourceRequest
  metadata: Metadata
}

/** Runs the agent until SIGTERM or SIGINT. Returns the exit status. */
export async function agentCommand(given: AgentArguments): Promise<number> {
  const parsed = parseRequest(given.auditSource, given.auditLogPaths)
  const metadata = parseMetadata(given.metadata)
  const problems = [
    ...(parsed.ok ? [] : parsed.problems),
    ...(metadata.ok ? [] : [metadata.problem]),
    ...(given.auditOnly && given.containers === undefined ? ['--audit-only needs --containers <file>'] : []),
    ...(!given.auditOnly && given.containers !== undefined
      ? ['--containers is for --audit-only; without it containerd is asked']
      : []),
  ]
  if (!parsed.ok || !metadata.ok || problems.length > 0) {
    for (const problem of problems) process.stderr.write(`error: ${printable(problem)}\n`)
    return misuse
  }
  const checked = { request: parsed.request, metadata: metadata.value }
  return given.auditOnly ? auditOnly(given, checked) : wholeAgent(given, checked)
}

function auditOnly(given: AgentArguments, { request, metadata }: Checked): Promise<number> {
  const { containers = '', statusEvery, logFormat: format = 'json', verbosity } = given
  return runAuditOnly({
    ...{ containers, request, metadata, signals: process, ...pipelineOf(given) },
    nodeName: given.nodeName ?? hostname(),
    ...(statusEvery !== undefined && { statusEvery: statusEvery * 1000 }),
    logger: roleLogger({ format, verbosity, fd: 2 }),
  })
}

function pipelineOf({ log, checkpoint, fromStart, workers }: AgentArguments) {
  return {
    ...{ log, fromStart },
    ...(checkpoint !== undefined && { checkpoint }),
    ...(workers !== undefined && { workers }),
  }
}

async function wholeAgent(given: AgentArguments, checked: Checked): Promise<number> {
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
    pipeline: { request, ...pipelineOf(given) },
    health: {
      port: given.readinessPort ?? portOf(process.env['AGENT_READINESS_PORT']) ?? 9580,
      ...(readinessHost !== undefined && { host: readinessHost }),
    },
    strict: given.strictReadiness,
    unloadAtEnd: { AppArmor: given.unloadAllAaProfiles, Seccomp: given.removeAllSeccompProfiles },
  }
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text)
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : undefined
}
