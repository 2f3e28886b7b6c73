import { readFile } from 'node:fs/promises'
import { arch, networkInterfaces, release } from 'node:os'

/** What a node reports of its machine. */
export async function nodeFacts(containerRuntimeVersion: string, kubeletVersion: string) {
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return {
    // Kubernetes has another name than Node.js for this one.
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    ...{ containerRuntimeVersion, kubeletVersion, kernelVersion: release() },
    osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
  }
}

/** The first address that others could reach; without a network, that of this machine to itself. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}
