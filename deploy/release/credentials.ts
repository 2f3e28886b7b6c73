import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface Credentials {
  user: string
  password: string
}

/** The parts of a file of `docker login`, `buildah login` or `helm registry login` that a release reads. */
interface AuthFile {
  auths?: Record<string, { auth?: string }>
  credHelpers?: Record<string, string>
  credsStore?: string
}

/** Answers of a credential helper, by its name and the registry's host. */
export type AskHelper = (helper: string, host: string) => string

/** The file that buildah reads, too; undefined if there is none. */
export function authFile(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = env['REGISTRY_AUTH_FILE']
  if (given !== undefined) return given
  const runtime = env['XDG_RUNTIME_DIR'] ?? `/run/containers/${process.getuid?.() ?? 0}`
  const places = [
    join(runtime, 'containers/auth.json'),
    join(env['HOME'] ?? homedir(), '.config/containers/auth.json'),
    join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker'), 'config.json'),
  ]
  return places.find((place) => existsSync(place))
}

/**
 * @param text content of the file with credentials
 * @returns undefined if the file has none for this host
 */
export function credentialsIn(text: string, host: string, ask: AskHelper = askHelper): Credentials | undefined {
  const file = JSON.parse(text) as AuthFile
  const helper = file.credHelpers?.[host] ?? (file.auths?.[host]?.auth ? undefined : file.credsStore)
  if (helper !== undefined) {
    const { Username: user, Secret: password } = JSON.parse(ask(helper, host)) as Record<string, string>
    return user === undefined || password === undefined ? undefined : { user, password }
  }
  const encoded = file.auths?.[host]?.auth
  if (encoded === undefined) return undefined
  const [user = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':')
  return { user, password: password.join(':') }
}

const askHelper: AskHelper = (helper, host) =>
  execFileSync(`docker-credential-${helper}`, ['get'], { input: host, encoding: 'utf8' })

/** Credentials of `docker login` or `buildah login` for this host, if there are any. */
export function credentialsFor(host: string): Credentials | undefined {
  const file = authFile()
  return file === undefined ? undefined : credentialsIn(readFileSync(file, 'utf8'), host)
}
