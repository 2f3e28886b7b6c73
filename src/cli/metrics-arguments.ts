import type { CredentialFiles } from '../http/file-credentials.ts'
import type { MetricsListen } from '../metrics/metrics-server.ts'
import type { MetricsArguments } from '../options/shared.ts'

/** The error if only one of the two options is given; undefined otherwise. */
export function metricsProblem({ metricsCert, metricsKey }: MetricsArguments): string | undefined {
  if ((metricsCert === undefined) === (metricsKey === undefined)) return undefined
  return '--metrics-cert and --metrics-key must be given together: metrics over TLS need both'
}

/** The port for metrics, and the files for TLS. */
export function metricsListen(given: MetricsArguments): Pick<MetricsListen, 'port' | 'tls'> {
  const tls = filesOf(given)
  return { port: given.metricsPort, ...(tls !== undefined && { tls }) }
}

function filesOf({ metricsCert: cert, metricsKey: key }: MetricsArguments): CredentialFiles | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key }
}
