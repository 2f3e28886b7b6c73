import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Forks } from '../../audit/lineage/forks.ts'
import { namespaceNumber, type ReadProcessFacts } from './process-facts.ts'

/**
 * Reads the pid namespace of a process: its inode number (0 if it cannot be read), and whether the process is the
 * namespace's first process, which adopts orphans. Undefined for the node's own namespace.
 */
export type ReadPidNamespace = (pid: number) => Promise<{ inode: number; first: boolean } | undefined>

interface Shared {
  /** Key of the first process in the namespace; undefined if it is unknown. */
  key: number | undefined
  /** Whether another container shares the namespace. */
  strangers: boolean
}

/** Maximum namespaces that are remembered; the oldest are dropped first. */
const limit = 4096

/**
 * Reads facts, and also tells the fork tree the container of the process, so that its children inherit the container.
 * If containers share a pid namespace, children of its first process inherit nothing: that process adopts orphans of
 * other containers, and an orphan may create further children for it (CLONE_PARENT).
 */
export function notedFacts(
  facts: ReadProcessFacts,
  forks: Pick<Forks, 'living' | 'confirm' | 'bar'>,
  namespaceOf: ReadPidNamespace = pidNamespace(),
): ReadProcessFacts {
  const namespaces = new Map<number, Shared>()
  return async (pid, containerID) => {
    const key = forks.living(pid)
    const found = await facts(pid, containerID)
    if (found === undefined || key === undefined) return found
    const namespace = await namespaceOf(pid)
    if (!forks.confirm(key, containerID) || namespace === undefined) return found
    if (namespace.inode === 0) {
      // Other containers may use the namespace.
      if (namespace.first) forks.bar(key)
      return found
    }
    const shared = joined(namespaces.get(namespace.inode), namespace.first ? key : undefined)
    namespaces.delete(namespace.inode)
    namespaces.set(namespace.inode, shared)
    if (namespaces.size > limit) namespaces.delete(namespaces.keys().next().value!)
    if (shared.key !== undefined && shared.strangers) forks.bar(shared.key)
    return found
  }
}

/** @param first key of the process, if it is the namespace's first process */
function joined(known: Shared | undefined, first: number | undefined): Shared {
  if (first === undefined) return { key: known?.key, strangers: true }
  // A different first process means a new namespace with a reused inode number.
  const isSame = known?.key === undefined || known.key === first
  return { key: first, strangers: isSame && (known?.strangers ?? false) }
}

/** @param root folder that contains the node's `proc` */
export function pidNamespace(root = '/'): ReadPidNamespace {
  return async (pid) => {
    const folder = join(root, 'proc', String(pid))
    try {
      const inode = await namespaceNumber(join(folder, 'ns/pid'))
      // The first line contains the name that the process gave itself. `^` and `$` would match at line ends in that
      // name.
      const status = await readFile(join(folder, 'status'), 'latin1')
      const ids = /\nNSpid:\s+([^\n]*)/.exec(status)?.[1]?.split(/\s+/) ?? []
      return ids.length > 1 ? { inode, first: ids.at(-1) === '1' } : undefined
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
}
