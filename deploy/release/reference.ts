import { isIP } from 'node:net'

/** Where a release is published, such as `ghcr.io/acme`. */
export interface Registry {
  /** Host, and the port if the address has one. */
  host: string
  /** Folder of the repositories, such as `acme`, or '' for none. */
  path: string
}

const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const syntax = new RegExp(`^([a-zA-Z0-9.-]+(?::\\d+)?|\\[[0-9a-f:]+\\](?::\\d+)?)((?:/${part})*)$`)

/** @returns the registry, or the error in the text */
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

/** Whether the registry runs on this machine. Only such a registry may use plain HTTP. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  if (isIP(name) === 4) return name.startsWith('127.')
  return name === 'localhost' || name === '::1'
}

/**
 * The web address of the repository.
 * @param remote URL of a Git remote; the result contains neither its user name nor its password
 * @returns undefined if the remote is not on a host, such as a local folder
 */
export function sourceAddress(remote: string): string | undefined {
  const [, host, path] =
    /^(?:https?|ssh|git):\/\/(?:[^@/]*@)?([\w.-]+)(?::\d+)?\/(.+)$/.exec(remote) ??
    /^(?:[^@/]*@)?([\w.-]+):(?!\/)(.+)$/.exec(remote) ??
    []
  if (host === undefined || path === undefined) return undefined
  return `https://${host}/${path.replace(/\/+$/, '').replace(/\.git$/, '')}`
}
