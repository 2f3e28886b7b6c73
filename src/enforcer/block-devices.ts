import type { NodeRoot } from './node-root.ts'

/** Maximum block devices that get rules. A node has some dozens, and each may cost a rule. */
const MAX = 1_024

/** A disk or partition in a line of /proc/partitions: `   8        1    1048576 sda1`. */
const line = /^\s*\d+\s+\d+\s+\d+\s+([A-Za-z0-9][\w.:+@!/-]*)$/

/** Paths of the block devices that a text like /proc/partitions names, sorted: `/dev/sda`, `/dev/cciss/c0d0`. */
export function blockDevicesIn(partitions: string): string[] {
  const names = partitions.split('\n', MAX).flatMap((text) => line.exec(text)?.[1] ?? [])
  // The kernel writes `!` for the slash of a name in some places.
  return [...new Set(names.map((name) => `/dev/${name.replaceAll('!', '/')}`))].sort()
}

/** The block devices that the node has now; empty if the node does not list them. */
export const nodeBlockDevices = (root: Pick<NodeRoot, 'read'>): string[] =>
  blockDevicesIn(root.read('proc/partitions') ?? '')
