import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'

const gone = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EINVAL'])

/** A pod has one of each family, and some have networks of their own beside. */
const max = 64
const maxBytes = 256 * 1024

/**
 * Reads the addresses of a process' network, without those of loopback. Undefined for one in the network of the node,
 * whose addresses are not its own, and for one that is gone.
 * @param root a folder with the node's `proc`
 */
export function podAddresses(root = '/'): (pid: number) => Promise<string[] | undefined> {
  const proc = join(root, 'proc')
  return async (pid) => {
    const folder = join(proc, String(pid))
    try {
      // Each network has a file of its own. Its namespace may be kept from us by the container's AppArmor profile.
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

/** As much of a file as the addresses of a pod take: a container may fill its own network with routes. */
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

/** Without IPv6 in the kernel there is no such file. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}

/** Addresses that /proc/PID/net/fib_trie calls local to the host: that word follows the line `|-- ADDRESS`. */
export function localAddresses(trie: string): string[] {
  const found = new Set<string>()
  for (const [, address = ''] of trie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL$/gm))
    if (!address.startsWith('127.')) found.add(address)
  return [...found]
}

/** Addresses of /proc/PID/net/if_inet6, but that of loopback. */
export function interfaceAddresses(table: string): string[] {
  return table.split('\n').flatMap((line) => {
    const [digits = ''] = /^[0-9a-f]{32}(?= )/.exec(line) ?? []
    return digits === '' || /^0{31}1$/.test(digits) ? [] : [digits.match(/.{4}/g)!.join(':')]
  })
}
