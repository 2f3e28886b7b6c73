import { isIP } from 'node:net'

/** Where a release is published, such as `ghcr.io/acme`. */
export interface Registry {
  /** With the port, if there is one. */
  host: string
  /** Folder of the repositories, such as `acme`, or '' for none. */
  path: string
}

const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const syntax = new RegExp(`^([a-zA-Z0-9.-]+(?::\\d+)?|\\[[0-9a-f:]+\\](?::\\d+)?)((?:/${part})*)$`)

/** @returns the registry, or what is wrong with the text */
export function parseRegistry(text: string): Registry | string {
  const [, host, path] = syntax.exec(text) ?? []
  if (host === undefined || path === undefined)
    return `${JSON.stringify(text)} is not HOST[:PORT][/FOLDER], such as ghcr.io/acme`
  if (!/[.:]/.test(host) && host !== 'localhost')
    return `${JSON.stringify(text)} does not start with a host name, such as ghcr.io/acme`
  if (/^(index\.|registry-1\.)?docker\.io$/.test(host))
    return 'Docker Hub has no nested repositories, so it cannot hold the chart as charts/varmor; name another registry'
  return { host, path: path.slice(1) }
}

/** Repositories of the image and of the chart, within the registry. */
export const imageRepository = ({ path }: Registry): string => under(path, 'varmor')
export const chartFolder = ({ path }: Registry): string => under(path, 'charts')
export const chartRepository = (registry: Registry): string => `${chartFolder(registry)}/varmor`

const under = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`)

/** Whether the registry is on this machine; only then plain HTTP is used. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  if (isIP(name) === 4) return name.startsWith('127.')
  return name === 'localhost' || name === '::1'
}

/**
 * The address at which people read the repository.
 * @param remote address of a Git remote; its user name and password are left out
 * @returns undefined if it is not a repository on a host
 */
export function sourceAddress(remote: string): string | undefined {
  const [, host, path] =
    /^(?:https?|ssh|git):\/\/(?:[^@/]*@)?([\w.-]+)(?::\d+)?\/(.+)$/.exec(remote) ??
    /^(?:[^@/]*@)?([\w.-]+):(?!\/)(.+)$/.exec(remote) ??
    []
  if (host === undefined || path === undefined) return undefined
  return `https://${host}/${path.replace(/\/+$/, '').replace(/\.git$/, '')}`
}
