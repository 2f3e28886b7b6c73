import { readFile, statfs } from 'node:fs/promises'
import { arch, cpus, networkInterfaces, release, totalmem } from 'node:os'
import type { NodeDescription } from '../nodes/node-registration.ts'

/** Kubernetes' names of processors, where Node.js has others. */
const architectures: Record<string, string> = { x64: 'amd64', ia32: '386' }

/** What a node says of its machine. @param root folder whose file system holds what pods write */
export async function nodeFacts(
  root: string,
  containerRuntimeVersion: string,
  kubeletVersion: string,
): Promise<Pick<NodeDescription, 'capacity' | 'info'>> {
  const { blocks, bsize } = await statfs(root)
  const osRelease = await textOf('/etc/os-release')
  return {
    capacity: {
      cpu: String(cpus().length),
      memory: `${Math.floor(totalmem() / 1024)}Ki`,
      'ephemeral-storage': `${Math.floor((blocks * bsize) / 1024)}Ki`,
      pods: '110',
    },
    info: {
      architecture: architectures[arch()] ?? arch(),
      bootID: await textOf('/proc/sys/kernel/random/boot_id'),
      containerRuntimeVersion,
      kernelVersion: release(),
      kubeletVersion,
      machineID: await textOf('/etc/machine-id'),
      osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
      systemUUID: await textOf('/sys/class/dmi/id/product_uuid'),
    },
  }
}

/** The first address that others could reach; without a network, that of this machine to itself. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}

/** Empty where there is none, or only root may read it. */
const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => '',
  )
