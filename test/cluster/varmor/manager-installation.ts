import { join } from 'node:path'
import { Agent, request } from 'undici'
import type { Cluster } from '../cluster.ts'
import { ManagedProcess } from '../managed-process.ts'
import { freePorts } from '../ports.ts'
import { folderVariable } from '../run-folder.ts'
import { measured } from '../steps.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const crds = join(root, 'deploy/crds')

/** The command `varmor`, run from the sources. */
export const varmor = (...args: string[]): string[] => [
  process.execPath,
  '--import',
  'tsx',
  join(root, 'src/cli/varmor.ts'),
  ...args,
]

export const envOf = (cluster: Cluster): Record<string, string> => ({ [folderVariable]: cluster.folder.path })

export interface InstalledManager {
  process: ManagedProcess
  /** Address at which agents find the manager. */
  statusPort: number
  /** Stops the manager, and removes vArmor's cluster-wide objects. */
  remove(): Promise<void>
}

export interface ManagerInstallation {
  cluster: Cluster
  /** vArmor's namespace, which the installation creates. */
  namespace: string
  /** Address of this machine, at which the manager serves the API server and agents. */
  address: string
  flags?: readonly string[]
  /** Flags that tell the API server where the webhooks are. Default: a URL with the address. */
  reach?: readonly string[]
}

/**
 * Installs vArmor without agents on a real cluster: the CRDs, the agents' account, and a manager outside of the
 * cluster, which the API server calls by URL.
 */
export async function installManager(installation: ManagerInstallation): Promise<InstalledManager> {
  const { cluster, namespace } = installation
  const undo: (() => Promise<unknown>)[] = []
  const remove = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  cluster.attach(remove)
  try {
    undo.push(() => removeObjects(cluster, namespace))
    await measured(cluster.log, 'kinds and accounts of vArmor', () => applyObjects(cluster, namespace))
    const ports = (await freePorts(3)) as [number, number, number]
    const process = managerProcess(installation, ports)
    undo.push(() => process.stop())
    await measured(cluster.log, 'varmor manager', async () => {
      await process.start()
      await process.ready()
    })
    return { process, statusPort: ports[1], remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Tokens that a node's agent shows to the API server and to managers. */
export async function agentTokens(
  cluster: Cluster,
  namespace: string,
  node: string,
): Promise<{ api: string; manager: string }> {
  const token = async (...args: string[]): Promise<string> =>
    (await cluster.kubectl(['-n', namespace, 'create', 'token', 'varmor-agent', '--duration=2h', ...args])).trim()
  const bound = ['--bound-object-kind', 'Node', '--bound-object-name', node]
  return { api: await token(), manager: await token('--audience', 'varmor-manager', ...bound) }
}

/**
 * Objects with the agents' rights, and no more rights than agents need. Managers write the Events about ArmorProfiles
 * that agents refuse.
 */
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

export async function applyObjects(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', crds])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', crds])
  const list = { apiVersion: 'v1', kind: 'List', items: objects(namespace) }
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) })
}

export async function removeObjects(cluster: Cluster, namespace: string): Promise<void> {
  const remove = (...args: string[]) => cluster.tryKubectl(['delete', '--ignore-not-found', '--wait=false', ...args])
  await remove('mutatingwebhookconfiguration', 'varmor-resource-mutating-webhook-cfg')
  await remove('validatingwebhookconfiguration', 'varmor-policy-validating-webhook-cfg')
  await remove('clusterrolebinding', 'varmor-agent')
  await remove('clusterrole', 'varmor-agent')
  await remove('namespace', namespace)
}

/** @param name name of the manager's log */
export function managerProcess(
  { cluster, namespace, address, flags = [], reach = ['--webhook-url', `https://${address}`] }: ManagerInstallation,
  [webhook, status, metrics]: [number, number, number],
  name = 'varmor-manager',
): ManagedProcess {
  const command = varmor(
    'manager',
    ...['--kubeconfig', cluster.kubeconfig, '--namespace', namespace, '--host', address],
    ...[...reach, '--webhook-port', `${webhook}`],
    ...['--status-port', `${status}`, '--metrics-port', `${metrics}`, '--enableMetrics'],
    ...['--logFormat', 'json', '--shutdown-delay', '0', ...flags],
  )
  // The manager's certificate comes from its own authority. A readiness check need not verify it.
  const anyone = new Agent({ connect: { rejectUnauthorized: false } })
  const serves = async (): Promise<boolean> => {
    const url = `https://${address}:${webhook}/health/readiness`
    const { statusCode, body } = await request(url, { dispatcher: anyone })
    await body.dump()
    return statusCode === 200
  }
  return new ManagedProcess({ name, command, logs: cluster.logs, env: envOf(cluster), serves })
}
