import type { Forks } from '../../audit/lineage/forks.ts'
import type { SeenProcess } from '../../audit/pool/process-log.ts'
import type { ExecStarted } from './runtime.ts'

/** Seconds that the runtime may take, on a busy node, from the fork of the process to its word of it. */
const startUp = 5

/**
 * What the runtime's word of a process is worth to those who look for the container of its events: the process may be
 * gone before anybody could ask /proc. It was made before the word of it was given.
 */
export function startedProcess({ pid, containerID, at }: ExecStarted): SeenProcess {
  return [pid, { containerID, mntNsID: 0, since: at - startUp }]
}

/** The same for the fork tree, which knows the children of the process, too. */
export const noteExec = (forks: Pick<Forks, 'started'>, { pid, containerID, at }: ExecStarted): boolean =>
  forks.started(pid, at - startUp, at + 1, containerID)
