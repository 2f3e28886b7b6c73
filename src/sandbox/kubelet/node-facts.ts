import { readFile } from 'node:fs/promises'
import { arch, networkInterfaces, release } from 'node:os'

/** The facts about this machine that a node reports. */
export async function nodeFacts(containerRuntimeVersion: string, kubeletVersion: string) {
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return {
    // Kubernetes' name for this architecture differs from that of Node.js.
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    ...{ containerRuntimeVersion, kubeletVersion, kernelVersion: release() },
    osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
  }
}

/** The first address that other machines can reach. Without a network, the loopback address. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}
