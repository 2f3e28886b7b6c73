import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Forks } from '../../audit/lineage/forks.ts'
import { namespaceNumber, type ReadProcessFacts } from './process-facts.ts'

/**
 * The pid namespace of a process, with 0 where its number may not be read, and whether it is the first one there, to
 * which orphans go. Undefined for the node's own.
 */
export type ReadPidNamespace = (pid: number) => Promise<{ inode: number; first: boolean } | undefined>

interface Shared {
  /** Of the first process of the namespace. */
  key: number | undefined
  /** Another container is in it, too. */
  strangers: boolean
}

/** Namespaces that are remembered; the longest known go first. */
const limit = 4096

/**
 * The same facts, noting for the fork tree whose processes they are of: children of a container's first process are in
 * the container, too, with one exception. In a pid namespace that containers share (an ephemeral container with a
 * target, a pod with shareProcessNamespace) strangers' orphans become children of its first process, and so may
 * whatever those make (CLONE_PARENT). From that one nothing is inherited.
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
      // Strangers may be in there.
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

/** @param first key of the process that is found in the namespace, where it is the first one */
function joined(known: Shared | undefined, first: number | undefined): Shared {
  if (first === undefined) return { key: known?.key, strangers: true }
  // With another first process it is another namespace of the same number.
  const isSame = known?.key === undefined || known.key === first
  return { key: first, strangers: isSame && (known?.strangers ?? false) }
}

/** @param root a folder with the node's `proc` */
export function pidNamespace(root = '/'): ReadPidNamespace {
  return async (pid) => {
    const folder = join(root, 'proc', String(pid))
    try {
      const inode = await namespaceNumber(join(folder, 'ns/pid'))
      // Its first line is the name that the process gave itself, in which `^` and `$` would find line ends.
      const status = await readFile(join(folder, 'status'), 'latin1')
      const ids = /\nNSpid:\s+([^\n]*)/.exec(status)?.[1]?.split(/\s+/) ?? []
      return ids.length > 1 ? { inode, first: ids.at(-1) === '1' } : undefined
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
}
