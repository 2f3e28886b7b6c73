import type { OptionsOf } from './option.ts'
import { clusterOptions, logOptions } from './shared.ts'
import { count, dnsName, toggle } from './types.ts'

/** The options of `varmor uninstall`. */
export const uninstallOptions = {
  ...clusterOptions,
  managerDeployment: dnsName({
    help: 'name of the Deployment of the managers',
    default: 'varmor-manager',
    value: { from: 'manager.name' },
  }),
  agentDaemonset: dnsName({
    help: 'name of the DaemonSet of the agents',
    default: 'varmor-agent',
    value: { from: 'agent.name' },
  }),
  ofHelm: toggle({
    help: "do nothing unless Helm installed the release. The chart's uninstall Job sets this, because kubectl and Argo CD run that Job as soon as they apply it",
  }),
  keepPolicies: toggle({
    help: 'keep the policies, but remove the finalizers that block their deletion',
    value: { from: 'crds.keep' },
  }),
  timeout: count({
    help: 'seconds to wait for managers to release workloads, and for pods to stop',
    unit: 'seconds',
    default: 60,
    value: { from: 'uninstall.timeoutSeconds' },
  }),
  ...logOptions(),
}

export type UninstallArguments = OptionsOf<typeof uninstallOptions>
