import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import type { Cluster } from '../cluster.ts'
import { ManagedProcess } from '../managed-process.ts'
import type { Node } from '../node.ts'
import { freePorts } from '../ports.ts'
import { measured } from '../steps.ts'
import { eventually } from '../wait.ts'
import { agentTokens, envOf, installManager, varmor } from './manager-installation.ts'

export interface NodeAgentProcess {
  process: ManagedProcess
  node: Node
  /** Path of the agent's violations.log. */
  violations: string
  /** Folder in which the node's kubelet looks for Seccomp profiles. */
  seccompFolder: string
  readiness: () => Promise<{ ready: boolean; [field: string]: unknown }>
}

export interface Installation {
  manager: ManagedProcess
  agents: NodeAgentProcess[]
  /** Stops everything, and removes vArmor's cluster-wide objects. */
  remove(): Promise<void>
}

export interface InstallOptions {
  cluster: Cluster
  nodes: readonly Node[]
  /** vArmor's namespace, which the installation creates. */
  namespace: string
  /** Additional flags of the manager and of each agent. */
  managerFlags?: readonly string[]
  agentFlags?: readonly string[]
}

/**
 * Installs vArmor on a real cluster: the CRDs, a manager outside of the cluster, which the API server calls by URL, and
 * an agent for each node on the host.
 */
export async function installVarmor(options: InstallOptions): Promise<Installation> {
  const { cluster, nodes, namespace, managerFlags = [] } = options
  // The address of this machine, on which the API server and all agents run.
  const { address } = nodes[0]!
  const installed = await installManager({ cluster, namespace, address, flags: managerFlags })
  const undo: (() => Promise<unknown>)[] = [installed.remove]
  const remove = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  cluster.attach(remove)
  try {
    const agents = await Promise.all(nodes.map((node) => agentProcess(options, node, installed.statusPort)))
    undo.push(() => Promise.all(agents.map(({ process }) => process.stop())))
    await measured(cluster.log, 'varmor agents', () =>
      Promise.all(
        agents.map(async ({ process }) => {
          await process.start()
          await process.ready()
        }),
      ),
    )
    return { manager: installed.process, agents, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function agentProcess(
  { cluster, namespace, nodes, agentFlags = [] }: InstallOptions,
  node: Node,
  statusPort: number,
): Promise<NodeAgentProcess> {
  const [readinessPort] = (await freePorts(1)) as [number]
  const folder = join(node.folder, 'varmor')
  mkdirSync(folder, { recursive: true })
  const tokens = await agentTokens(cluster, namespace, node.name)
  const kubeconfig = cluster.writeKubeconfig(`agent-${node.name}`, { token: tokens.api })
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, tokens.manager, { mode: 0o600 })
  const [seccompFolder, violations] = [join(node.folder, 'kubelet', 'seccomp'), join(folder, 'violations.log')]
  const command = varmor(
    'agent',
    ...['--kubeconfig', kubeconfig, '--namespace', namespace, '--node-name', node.name],
    ...['--manager', `https://${nodes[0]!.address}:${statusPort}`, '--token-file', tokenFile],
    ...['--seccomp-dir', seccompFolder, '--apparmor-dir', join(folder, 'apparmor'), '--containerd', node.socket],
    ...['--log', violations, '--workers', '1', '--readiness-host', node.address],
    ...['--readiness-port', `${readinessPort}`, '--logFormat', 'json', ...agentFlags],
  )
  const readiness = async () => {
    const { body } = await request(`http://${node.address}:${readinessPort}/health/readiness`)
    return (await body.json()) as Awaited<ReturnType<NodeAgentProcess['readiness']>>
  }
  const process = new ManagedProcess({
    ...{ name: `varmor-agent-${node.name}`, command, logs: cluster.logs, env: envOf(cluster) },
    serves: async () => (await readiness()).ready,
  })
  return { process, node, violations, seccompFolder, readiness }
}

/**
 * Waits until the policy's status says that all nodes hold its newest rules.
 * @param limit milliseconds
 * @returns the counts of its ArmorProfile
 */
export async function policyReady(
  cluster: Cluster,
  namespace: string,
  name: string,
  limit?: number,
): Promise<{ desired: number; current: number }> {
  interface Stored {
    metadata: { generation: number }
    status?: Record<string, unknown>
  }
  const get = async (kind: string, which: string): Promise<Stored> =>
    JSON.parse(await cluster.kubectl(['-n', namespace, 'get', kind, which, '-o', 'json']))
  const ask = async (): Promise<{ desired: number; current: number } | undefined> => {
    const { metadata, status = {} } = await get('varmorpolicy', name)
    if (status['ready'] !== true || status['observedGeneration'] !== metadata.generation) return undefined
    const profile = await get('armorprofile', String(status['profileName']))
    const { desiredNumberLoaded, currentNumberLoaded } = profile.status ?? {}
    return { desired: Number(desiredNumberLoaded), current: Number(currentNumberLoaded) }
  }
  return eventually(`the policy ${name} to be ready`, ask, limit)
}
