import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'

const gone = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EINVAL'])

/** Maximum addresses. A pod has one address of each family, and some pods have further networks. */
const max = 64
const maxBytes = 256 * 1024

/**
 * Reads the addresses of a process's network, without loopback addresses. Undefined for a process in the node's
 * network, whose addresses are not its own, and for a process that no longer exists.
 * @param root folder that contains the node's `proc`
 */
export function podAddresses(root = '/'): (pid: number) => Promise<string[] | undefined> {
  const proc = join(root, 'proc')
  return async (pid) => {
    const folder = join(proc, String(pid))
    try {
      // The inode of this file differs for each network. The namespace itself may be hidden from us by the container's
      // AppArmor profile.
      const [own, node] = await Promise.all([pid, 1].map((each) => stat(join(proc, `${each}`, 'net/fib_trie'))))
      if (own!.ino === node!.ino) return undefined
      const v4 = localAddresses(await beginningOf(join(folder, 'net/fib_trie')))
      const v6 = interfaceAddresses(await beginningOf(join(folder, 'net/if_inet6')).catch(absent))
      return [...v4, ...v6].slice(0, max)
    } catch (error) {
      if (gone.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
}

/** Reads only as much of a file as a pod's addresses need, because a container may fill its network with routes. */
async function beginningOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(maxBytes)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, maxBytes - length)
      length += bytesRead
      if (bytesRead === 0) return bytes.toString('latin1', 0, length)
    }
  } finally {
    await file.close()
  }
}

/** Empty text for a missing file, which a kernel without IPv6 lacks. Rethrows any other error. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}

/** Addresses that /proc/PID/net/fib_trie marks as local to the host: the mark follows the line `|-- ADDRESS`. */
export function localAddresses(trie: string): string[] {
  const found = new Set<string>()
  for (const [, address = ''] of trie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL$/gm))
    if (!address.startsWith('127.')) found.add(address)
  return [...found]
}

/** Addresses of /proc/PID/net/if_inet6, without the loopback address. */
export function interfaceAddresses(table: string): string[] {
  return table.split('\n').flatMap((line) => {
    const [digits = ''] = /^[0-9a-f]{32}(?= )/.exec(line) ?? []
    return digits === '' || /^0{31}1$/.test(digits) ? [] : [digits.match(/.{4}/g)!.join(':')]
  })
}
