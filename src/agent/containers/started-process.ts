import type { Forks } from '../../audit/lineage/forks.ts'
import type { SeenProcess } from '../../audit/pool/process-log.ts'
import type { ExecStarted } from './runtime.ts'

/** Maximum seconds between the fork of a process and the runtime's report of it, on a busy node. */
const startUp = 5

/**
 * Makes an entry for a process that the runtime started. The entry wakes records that wait for this process, because
 * the fork tree or /proc may know it now. The entry does not prove the container: the report does not show when the
 * process got its pid, or whether it still lives.
 */
export function startedProcess({ pid, containerID, at }: ExecStarted): SeenProcess {
  return [pid, { containerID, mntNsID: 0, since: at - startUp }]
}

/** Tells the fork tree the container of the process. The process' children inherit it. */
export const noteExec = (forks: Pick<Forks, 'started'>, { pid, containerID, at }: ExecStarted): boolean =>
  forks.started(pid, at - startUp, at + 1, containerID)
