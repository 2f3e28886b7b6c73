import type { Forks } from '../../audit/lineage/forks.ts'
import type { SeenProcess } from '../../audit/pool/process-log.ts'
import type { ExecStarted } from './runtime.ts'

/** Most seconds between the fork of a process and the runtime's report of it, on a busy node. */
const startUp = 5

/**
 * Wakes records that wait for a process that the runtime started: the fork tree or /proc may know the process by now.
 * The report alone proves no container, because it tells neither when the process got its pid nor whether it still
 * lives.
 */
export function startedProcess({ pid, containerID, at }: ExecStarted): SeenProcess {
  return [pid, { containerID, mntNsID: 0, since: at - startUp }]
}

/** Tells the fork tree about the process; the tree also knows its children. */
export const noteExec = (forks: Pick<Forks, 'started'>, { pid, containerID, at }: ExecStarted): boolean =>
  forks.started(pid, at - startUp, at + 1, containerID)
