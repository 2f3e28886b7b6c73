import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import type { Cluster } from '../cluster.ts'
import { ManagedProcess } from '../managed-process.ts'
import type { Node } from '../node.ts'
import { freePorts } from '../ports.ts'
import { markName } from '../run-folder.ts'
import { measured } from '../steps.ts'
import { eventually } from '../wait.ts'

const root = join(import.meta.dirname, '..', '..', '..')

/** The command `varmor`, from the sources. */
const varmor = (...args: string[]): string[] => [
  process.execPath,
  '--import',
  'tsx',
  join(root, 'src/cli/varmor.ts'),
  ...args,
]

export interface NodeAgentProcess {
  process: ManagedProcess
  node: Node
  /** Its violations.log. */
  violations: string
  /** Where the kubelet of its node looks for profiles. */
  seccompFolder: string
  readiness: () => Promise<{ ready: boolean; [field: string]: unknown }>
}

export interface Installation {
  manager: ManagedProcess
  agents: NodeAgentProcess[]
  /** Ends all of it, and removes what belongs to the cluster as a whole. */
  remove(): Promise<void>
}

export interface InstallOptions {
  cluster: Cluster
  nodes: readonly Node[]
  /** vArmor's namespace; made here. */
  namespace: string
  /** Further flags of the manager and of each agent. */
  managerFlags?: readonly string[]
  agentFlags?: readonly string[]
}

/** vArmor on a real cluster: the kinds, a manager outside of it, which the API server calls by URL, and an agent for each node on the host. */
export async function installVarmor(options: InstallOptions): Promise<Installation> {
  const { cluster, nodes, namespace } = options
  const undo: (() => Promise<unknown>)[] = []
  const remove = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  cluster.attach(remove)
  try {
    undo.push(() => removeObjects(cluster, namespace))
    await measured(cluster.log, 'kinds and accounts of vArmor', () => applyObjects(cluster, namespace))
    const ports = (await freePorts(3)) as [number, number, number]
    const manager = managerProcess(options, ports)
    undo.push(() => manager.stop())
    await measured(cluster.log, 'varmor manager', async () => {
      await manager.start()
      await manager.ready()
    })
    const agents: NodeAgentProcess[] = []
    for (const node of nodes) {
      const agent = await agentProcess(options, node, ports[1])
      undo.push(() => agent.process.stop())
      await measured(cluster.log, `varmor agent of ${node.name}`, async () => {
        await agent.process.start()
        await agent.process.ready()
      })
      agents.push(agent)
    }
    return { manager, agents, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

const crds = join(root, 'deploy/crds')

/** What agents may do: no more than they need. */
const objects = (namespace: string): object[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'varmor-agent', namespace } },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'varmor-agent' },
    rules: [{ apiGroups: ['crd.varmor.org'], resources: ['armorprofiles'], verbs: ['get', 'list', 'watch'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'varmor-agent' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'varmor-agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'varmor-agent', namespace }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'varmor-agent', namespace },
    rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['varmor-manager-tls-ca'], verbs: ['get'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'varmor-agent', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'varmor-agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'varmor-agent', namespace }],
  },
]

async function applyObjects(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', crds])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=20s', '-f', crds])
  const list = { apiVersion: 'v1', kind: 'List', items: objects(namespace) }
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) })
}

async function removeObjects(cluster: Cluster, namespace: string): Promise<void> {
  const remove = (...args: string[]) => cluster.tryKubectl(['delete', '--ignore-not-found', '--wait=false', ...args])
  await remove('mutatingwebhookconfiguration', 'varmor-resource-mutating-webhook-cfg')
  await remove('validatingwebhookconfiguration', 'varmor-policy-validating-webhook-cfg')
  await remove('clusterrolebinding', 'varmor-agent')
  await remove('clusterrole', 'varmor-agent')
  await remove('namespace', namespace)
}

function managerProcess(
  { cluster, nodes, namespace, managerFlags = [] }: InstallOptions,
  [webhook, status, metrics]: [number, number, number],
): ManagedProcess {
  // Where the API server and the agents are: all are on this machine.
  const address = nodes[0]!.address
  const command = varmor(
    'manager',
    ...['--kubeconfig', cluster.kubeconfig, '--namespace', namespace, '--host', address],
    ...['--webhook-url', `https://${address}`, '--webhook-port', `${webhook}`],
    ...['--status-port', `${status}`, '--metrics-port', `${metrics}`, '--enableMetrics'],
    ...['--logFormat', 'json', ...managerFlags],
  )
  // Its certificate comes from its own authority, which nobody here has to trust to ask whether it is ready.
  const anyone = new Agent({ connect: { rejectUnauthorized: false } })
  const serves = async (): Promise<boolean> => {
    const url = `https://${address}:${webhook}/health/readiness`
    const { statusCode, body } = await request(url, { dispatcher: anyone })
    await body.dump()
    return statusCode === 200
  }
  return new ManagedProcess({ name: 'varmor-manager', command, logs: cluster.logs, mark: markOf(cluster), serves })
}

const markOf = (cluster: Cluster): Record<string, string> => ({ [markName]: cluster.folder.path })

async function agentProcess(
  { cluster, namespace, nodes, agentFlags = [] }: InstallOptions,
  node: Node,
  statusPort: number,
): Promise<NodeAgentProcess> {
  const [readinessPort] = (await freePorts(1)) as [number]
  const folder = join(node.folder, 'varmor')
  mkdirSync(folder, { recursive: true })
  const token = (...args: string[]) =>
    cluster.kubectl(['-n', namespace, 'create', 'token', 'varmor-agent', '--duration=2h', ...args])
  const kubeconfig = cluster.writeKubeconfig(`agent-${node.name}`, { token: (await token()).trim() })
  const tokenFile = join(folder, 'token')
  const bound = ['--bound-object-kind', 'Node', '--bound-object-name', node.name]
  writeFileSync(tokenFile, await token('--audience', 'varmor-manager', ...bound), { mode: 0o600 })
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
    ...{ name: `varmor-agent-${node.name}`, command, logs: cluster.logs, mark: markOf(cluster) },
    serves: async () => (await readiness()).ready,
  })
  return { process, node, violations, seccompFolder, readiness }
}

/** Waits until the policy says that all nodes hold its newest rules. @returns its ArmorProfile's counts */
export async function policyReady(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<{ desired: number; current: number }> {
  interface Stored {
    metadata: { generation: number }
    status?: Record<string, unknown>
  }
  const get = async (kind: string, which: string): Promise<Stored> =>
    JSON.parse(await cluster.kubectl(['-n', namespace, 'get', kind, which, '-o', 'json']))
  return eventually(`the policy ${name} to be ready`, async () => {
    const { metadata, status = {} } = await get('varmorpolicy', name)
    if (status['ready'] !== true || status['observedGeneration'] !== metadata.generation) return undefined
    const profile = await get('armorprofile', String(status['profileName']))
    const { desiredNumberLoaded, currentNumberLoaded } = profile.status ?? {}
    return { desired: Number(desiredNumberLoaded), current: Number(currentNumberLoaded) }
  })
}
