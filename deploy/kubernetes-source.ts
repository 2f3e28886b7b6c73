import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export const kubernetesModule = 'k8s.io/kubernetes'
const moduleFile = new URL('../test/cluster/binaries/go.mod', import.meta.url)

/**
 * The Kubernetes release that test/cluster builds and runs, such as `v1.37.2`. The generators read the source of the
 * same release.
 */
export function kubernetesVersion(): string {
  const found = /^\s*(?:require )?k8s\.io\/kubernetes (v\S+)/m.exec(readFileSync(moduleFile, 'utf8'))?.[1]
  if (found === undefined) throw new Error('test/cluster/binaries/go.mod requires no k8s.io/kubernetes')
  return found
}

/** The version of that release's staging modules (k8s.io/api and others), such as `v0.37.2`. */
export const stagingVersion = (): string => kubernetesVersion().replace(/^v1\./, 'v0.')

/**
 * The folder with the source of a Go module of Kubernetes. Go downloads the module from the module proxy if necessary.
 */
export function kubernetesSource(module: string): string {
  const version = module === kubernetesModule ? kubernetesVersion() : stagingVersion()
  const found = execFileSync('go', ['mod', 'download', '-json', `${module}@${version}`])
  return (JSON.parse(found.toString()) as { Dir: string }).Dir
}
