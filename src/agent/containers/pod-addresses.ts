import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'

const gone = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EINVAL'])

/** Maximum addresses. A pod usually has one address of each family; some pods have more networks. */
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
      // This file has another inode in each network. The container's AppArmor profile may deny access to the namespace
      // itself.
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

/**
 * Reads only the start of a file, which is enough for a pod's addresses: a container may create any number of routes.
 */
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

/**
 * Returns an empty text for a missing file, because a kernel without IPv6 lacks some files. Rethrows all other errors.
 */
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
