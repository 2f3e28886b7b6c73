import type { Forks } from '../../audit/lineage/forks.ts'
import type { SeenProcess } from '../../audit/pool/process-log.ts'
import type { ExecStarted } from './runtime.ts'

/** Maximum seconds between the fork of a process and the runtime's report of it, on a busy node. */
const startUp = 5

/**
 * A finding that wakes records that wait for a process which the runtime started: the fork tree or /proc may know the
 * process by now. The report alone does not prove the container, because it shows neither when the process got its pid
 * nor whether it still lives.
 */
export function startedProcess({ pid, containerID, at }: ExecStarted): SeenProcess {
  return [pid, { containerID, mntNsID: 0, since: at - startUp }]
}

/** Tells the fork tree about the process, whose children the tree also knows. */
export const noteExec = (forks: Pick<Forks, 'started'>, { pid, containerID, at }: ExecStarted): boolean =>
  forks.started(pid, at - startUp, at + 1, containerID)
