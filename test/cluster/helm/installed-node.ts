import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allowingSeccomp } from '../../../src/enforcer/allow-all.ts'
import { nodeFeatures } from '../../../src/enforcer/features.ts'
import { nodeRoot } from '../../../src/enforcer/node-root.ts'
import type { Cluster } from '../cluster.ts'
import type { Node } from '../node.ts'

/** vArmor's namespace. */
const namespace = 'varmor'

/** Enforcers that this machine lacks. */
export const absent = Object.entries(nodeFeatures(nodeRoot())).filter(([, why]) => why !== undefined)

/** Values for a node that keeps its files in a separate folder, and for a cluster without kube-proxy and DNS. */
export function valuesFor(cluster: Cluster, node: Node): object {
  const { hostname, port } = new URL(cluster.server)
  const env = [
    { name: 'KUBERNETES_SERVICE_HOST', value: hostname },
    { name: 'KUBERNETES_SERVICE_PORT', value: port },
  ]
  const at = (...path: string[]): string => join(node.folder, ...path)
  const hostPaths = {
    containerd: node.folder,
    seccomp: at('kubelet', 'seccomp'),
    apparmor: at('apparmor.d'),
    nri: at('nri'),
  }
  return {
    jsonLogFormat: { enabled: true },
    // If BPF cannot be used, some of its requirements may be missing.
    bpfLsmEnforcer: { enabled: !absent.some(([enforcer]) => enforcer === 'BPF') },
    manager: {
      ...{ env, reportIntervalSeconds: 2, replicaCount: 2, verbosity: 1, resources: { requests: { cpu: '10m' } } },
      // Another test checks the replacement of managers.
      shutdownDelaySeconds: 0,
    },
    agent: {
      ...{
        env,
        hostPaths,
        violations: { folder: at('varmor') },
        verbosity: 1,
        managers: [`https://${node.address}:8080`],
      },
      args: ['--containerd=/run/containerd/c.sock', `--manager-name=varmor-status-svc.${namespace}.svc`],
    },
    uninstall: { timeoutSeconds: 30 },
  }
}

/** Objects in the API server that have vArmor's name or vArmor's kinds. */
export async function leftOnServer(cluster: Cluster): Promise<string[]> {
  const kinds = (await cluster.kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n')
  const listed = kinds.filter((kind) => !/^events(\.|$)|metrics|^componentstatuses/.test(kind))
  const found = await cluster.kubectl(['get', listed.join(','), '-A', '-o', 'name', '--ignore-not-found'])
  return [...found.split('\n'), ...kinds.filter((kind) => kind.endsWith('varmor.org'))].filter(
    (name) => /varmor/.test(name) && name !== 'namespace/varmor',
  )
}

/**
 * Files in the agent's folders, such as profiles and pins, without the log. The empty folder for drafts does not count.
 * Allow-all profiles do not count either: containers of ended pods name them until the kubelet removes these
 * containers.
 */
export function leftOnNode({ folder }: Node): string[] {
  const folders = ['kubelet/seccomp', 'apparmor.d', 'nri'].map((name) => join(folder, name)).filter(existsSync)
  const files = folders.flatMap((path) => readdirSync(path).map((name) => join(path, name)))
  const left = files.filter((path) =>
    path.endsWith('/.varmor') ? readdirSync(path).length > 0 : readFileSync(path, 'utf8') !== allowingSeccomp,
  )
  const pins = '/sys/fs/bpf/varmor'
  return [...left, ...(existsSync(pins) ? [pins] : [])]
}
