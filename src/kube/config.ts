import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { parse } from 'yaml'

export interface ConfigOptions {
  /** A kubeconfig file that has priority over all other sources. */
  kubeconfig?: string
  /** A context to use instead of the current context. */
  context?: string
  env?: NodeJS.ProcessEnv
  /** For tests: the parent of a pod's folder `/var/run/secrets`. */
  root?: string
}

/** There is no usable configuration. The message tells where it was searched, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Finds the API server and our credentials, in controller-runtime's order: the given file, $KUBECONFIG, the pod's
 * service account, ~/.kube/config. Unlike KubeConfig.loadFromDefault it never guesses http://localhost:8080.
 * @throws {ConfigError}
 */
export function loadConfig({ kubeconfig, context, env = process.env, root = '' }: ConfigOptions = {}): KubeConfig {
  const config = new KubeConfig()
  const files = kubeconfigFiles(kubeconfig, env)
  if (files !== undefined) loadFiles(config, files)
  else if (env['KUBERNETES_SERVICE_HOST']) config.loadFromCluster(root)
  else loadFiles(config, [homeConfig(env)])
  if (context !== undefined) config.setCurrentContext(context)
  checkCurrent(config)
  return config
}

function kubeconfigFiles(given: string | undefined, env: NodeJS.ProcessEnv): string[] | undefined {
  if (given !== undefined) return [given]
  const files = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '')
  return files.length > 0 ? files : undefined
}

function homeConfig(env: NodeJS.ProcessEnv): string {
  const file = join(env['HOME'] ?? homedir(), '.kube', 'config')
  if (existsSync(file)) return file
  throw new ConfigError(
    `no cluster to talk to: found neither --kubeconfig, nor $KUBECONFIG, nor a service account of a pod, nor ${file}; ` +
      'give a kubeconfig file with --kubeconfig or $KUBECONFIG',
  )
}

function loadFiles(config: KubeConfig, files: string[]): void {
  for (const file of files) {
    const one = new KubeConfig()
    try {
      const document = checkedDocument(readFileSync(file, 'utf8'))
      one.loadFromFile(file)
      takeWhatIsLeftOut(one, file, document)
      // As in kubectl, if two files define the same name, the first file has priority.
      for (const cluster of one.clusters) if (!config.getCluster(cluster.name)) config.addCluster(cluster)
      for (const user of one.users) if (!config.getUser(user.name)) config.addUser(user)
      for (const each of one.contexts) if (!config.getContextObject(each.name)) config.addContext(each)
    } catch (cause) {
      throw new ConfigError(`kubeconfig ${file}: ${(cause as Error).message}`, { cause })
    }
    if (!config.currentContext && one.currentContext) config.setCurrentContext(one.currentContext)
  }
}

const text = Type.String()
const user = Type.Object({
  token: Type.Optional(text),
  tokenFile: Type.Optional(text),
  'as-groups': Type.Optional(Type.Array(Type.Unknown())),
  'as-uid': Type.Optional(text),
  'as-user-extra': Type.Optional(Type.Object({})),
})
const cluster = Type.Object({ server: text, 'certificate-authority-data': Type.Optional(text) })
const context = Type.Object({ cluster: text, user: text, namespace: Type.Optional(text) })
const kubeconfig = Type.Object({
  clusters: Type.Optional(Type.Array(Type.Object({ name: text, cluster }))),
  contexts: Type.Optional(Type.Array(Type.Object({ name: text, context }))),
  users: Type.Optional(Type.Array(Type.Object({ name: text, user: Type.Optional(user) }))),
  'current-context': Type.Optional(text),
})

/** Checks the parts of a kubeconfig that would make client-node fail. Errors name the path of the part. */
function checkedDocument(contents: string): Static<typeof kubeconfig> {
  // kubectl writes null for empty values.
  const withoutNull = (_: unknown, value: unknown): unknown => value ?? undefined
  const document: unknown = parse(contents, withoutNull, { logLevel: 'error' })
  if (Value.Check(kubeconfig, document)) return document
  const { path, message } = Value.Errors(kubeconfig, document).First()!
  throw new Error(`${path === '' ? 'the file' : path.slice(1).replaceAll('/', '.')}: ${message.toLowerCase()}`)
}

/**
 * Handles fields that client-node ignores. client-node reads `token-file`, so the correct `tokenFile` is set here.
 * client-node impersonates only a user. A config that also asks for groups or extras is refused, because it is worse to
 * act with wrong rights than to fail.
 */
function takeWhatIsLeftOut(config: KubeConfig, file: string, document: Static<typeof kubeconfig>): void {
  for (const { name, user: raw } of document.users ?? []) {
    if (raw == null) continue
    if (raw['as-groups']?.length || raw['as-uid'] || raw['as-user-extra'])
      throw new Error(
        `users[${name}]: as-groups, as-uid and as-user-extra are not supported; remove them, or choose another user`,
      )
    const user = config.getUser(name)
    if (user === null || raw.tokenFile === undefined) continue
    // KubeConfig reads a user's token file only once, but reads the file of this auth provider every minute.
    const tokenFile = resolve(dirname(file), raw.tokenFile)
    Object.assign(user, { authProvider: { name: 'tokenFile', config: { tokenFile } }, token: undefined })
  }
}

function checkCurrent(config: KubeConfig): void {
  const name = config.getCurrentContext()
  const known = config.contexts.map((each) => each.name).join(', ') || 'none'
  if (!name)
    throw new ConfigError(`no current context; set one with kubectl config use-context; existing contexts: ${known}`)
  if (config.getContextObject(name) === null)
    throw new ConfigError(`there is no context ${name}; existing contexts: ${known}`)
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new ConfigError(`context ${name} names a cluster that is not in the configuration`)
  if (config.getCurrentUser() === null)
    throw new ConfigError(`context ${name} names a user that is not in the configuration`)
  if (!URL.canParse(cluster.server) || !/^https?:/.test(cluster.server))
    throw new ConfigError(`cluster ${cluster.name}: its server ${JSON.stringify(cluster.server)} is not an https URL`)
  if (cluster.server.startsWith('http:')) checkPlain(config)
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/

/**
 * client-node refuses plain HTTP unless skipTLSVerify is set. Allow it for loopback addresses, where the traffic stays
 * on this machine.
 */
function checkPlain(config: KubeConfig): void {
  const cluster = config.getCurrentCluster()!
  if (cluster.skipTLSVerify) return
  if (!loopback.test(new URL(cluster.server).hostname))
    throw new ConfigError(
      `cluster ${cluster.name}: ${cluster.server} would send credentials unencrypted; use https, or set insecure-skip-tls-verify`,
    )
  Object.assign(cluster, { skipTLSVerify: true })
}
