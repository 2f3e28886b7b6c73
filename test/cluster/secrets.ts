import type { Cluster } from './cluster.ts'

/**
 * Texts that no log may contain: tokens of service accounts (and any other JWT), private keys in PEM, also in base64,
 * and headers with a token or key.
 */
const secret = new RegExp(
  [
    'eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}\\.[\\w-]{10,}',
    '-----BEGIN [A-Z ]*PRIVATE KEY',
    // The start of a JWT and of a private key in base64, as in objects.
    'ZXlK[A-Za-z0-9+/]{40,}',
    'LS0tLS1CRUdJTiB[A-Za-z0-9+/]*(?:UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)',
    'client-key-data',
    '[Aa]uthorization["\']?\\s*[:=]\\s*["\']?(?:Bearer|Basic) \\S+',
  ].join('|'),
  'g',
)

/** Secrets in a text, each cut to a prefix that identifies its kind. */
export const secretsIn = (text: string): string[] => (text.match(secret) ?? []).map((found) => `${found.slice(0, 24)}…`)

/** Secrets in the logs of all pods of a namespace, and in the logs of their containers' previous runs. */
export async function secretsInPods(
  cluster: Pick<Cluster, 'kubectl' | 'tryKubectl'>,
  namespace: string,
): Promise<string[]> {
  const pods = (await cluster.kubectl(['-n', namespace, 'get', 'pods', '-o', 'name'])).trim().split('\n')
  const logs = pods.flatMap((pod) =>
    [[], ['--previous']].map((more) =>
      cluster.tryKubectl(['-n', namespace, 'logs', pod, '--all-containers', '--prefix', ...more]),
    ),
  )
  const all = (await Promise.all(logs)).map(({ stdout }) => stdout).join('')
  if (all === '') throw new Error(`no pod of ${namespace} has a log`)
  return secretsIn(all)
}
