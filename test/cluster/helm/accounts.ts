import { ensureHelm } from '../binaries/helm.ts'
import type { Cluster } from '../cluster.ts'
import { type Right, rightsOf } from '../rights.ts'
import { Helm, type Manifest } from './helm.ts'

export type Component = 'manager' | 'agent'

/** Access to the accounts of an installed chart, and to the rights of their roles. */
export interface ChartAccounts {
  /** A token of the component's service account. */
  token: (component: Component) => string
  rights: (component: Component) => Right[]
}

const kinds = ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding']
const isHook = ({ metadata }: Manifest): boolean => metadata.annotations?.['helm.sh/hook'] !== undefined

/** Creates the namespace `varmor` with the chart's accounts and roles, and no other objects of the chart. */
export async function chartAccounts(cluster: Cluster, values: object): Promise<ChartAccounts> {
  const helm = new Helm(4, await ensureHelm(4, cluster.log))
  const manifests = await helm.template(values).finally(() => helm.end())
  const items = manifests.filter((one) => kinds.includes(one.kind) && !isHook(one))
  await cluster.tryKubectl(['create', 'namespace', 'varmor'])
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  const tokenOf = async (component: Component): Promise<string> =>
    (await cluster.kubectl(['-n', 'varmor', 'create', 'token', `varmor-${component}`, '--duration=4h'])).trim()
  const tokens = { manager: await tokenOf('manager'), agent: await tokenOf('agent') }
  return {
    token: (component) => tokens[component],
    rights: (component) =>
      items
        .filter(({ kind, metadata }) => /Role$/.test(kind) && metadata.name === `varmor-${component}`)
        .flatMap(rightsOf),
  }
}
