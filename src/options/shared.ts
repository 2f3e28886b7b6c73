import type { ChartValue, OptionsOf } from './option.ts'
import { choice, dnsName, file, name, port, toggle, wholeNumber } from './types.ts'

// Options that several roles have.

export const clusterOptions = {
  kubeconfig: file({
    help: 'kubeconfig of the cluster',
    without: '$KUBECONFIG, else the service account of the pod, else ~/.kube/config',
    upstream: true,
  }),
  context: name({ help: 'context of the kubeconfig', without: 'its current context' }),
  namespace: dnsName({
    help: 'namespace where vArmor is installed',
    without: '$POD_NAMESPACE, else the namespace of the pod, else varmor',
    unit: 'namespace',
  }),
}

export const logFormat = {
  help: 'format of the log',
  unit: 'format',
  upstream: true,
  value: { enabled: 'jsonLogFormat.enabled', args: 'jsonLogFormat.args' },
} as const

export const formats = ['text', 'json'] as const

/** The option for the verbosity of a role; the chart has a value of the same name. */
export const verbosityOf = (role?: 'manager' | 'agent') =>
  wholeNumber({ min: 0, max: 99 }, {
    help: '1 or more adds debug messages',
    ...{ unit: 'level', short: 'v', default: 0, upstream: true },
    ...(role !== undefined && { value: `${role}.verbosity` }),
  } as const)

export const logOptions = (role?: 'manager') => ({
  logFormat: choice(formats, { ...logFormat, default: 'text' }),
  verbosity: verbosityOf(role),
})

/** @param value the chart's value that turns metrics on */
export const metricsOptions = <const Value extends ChartValue>(role: 'manager' | 'agent', value: Value) => ({
  enableMetrics: toggle({ help: 'serve Prometheus metrics', upstream: true, value }),
  metricsPort: port({
    help: 'port that serves metrics',
    env: 'METRICS_SERVICE_PORT',
    default: 8081,
    value: { from: `${role}.network.metricsPort` },
  }),
  metricsCert: file({
    help: 'PEM file of a certificate; serve metrics over TLS instead of plain HTTP; reloaded when it changes',
    value: { from: 'metrics.tlsSecretName' },
  }),
  metricsKey: file({ help: 'PEM file of the key of that certificate', value: { from: 'metrics.tlsSecretName' } }),
})

export type MetricsArguments = OptionsOf<ReturnType<typeof metricsOptions>>
