import type { Forks } from '../../audit/lineage/forks.ts'
import type { SeenProcess } from '../../audit/pool/process-log.ts'
import type { ExecStarted } from './runtime.ts'

/** Seconds that the runtime may take, on a busy node, from the fork of the process to its report of it. */
const startUp = 5

/**
 * News of a process that the runtime started, so that what waits for it is tried again: the fork tree or /proc may know
 * it by now. The report alone names no container, because it does not say when the process got its pid, nor that it
 * lives.
 */
export function startedProcess({ pid, containerID, at }: ExecStarted): SeenProcess {
  return [pid, { containerID, mntNsID: 0, since: at - startUp }]
}

/** The same for the fork tree, which knows the children of the process, too. */
export const noteExec = (forks: Pick<Forks, 'started'>, { pid, containerID, at }: ExecStarted): boolean =>
  forks.started(pid, at - startUp, at + 1, containerID)
