import { asWall, type WallMs } from '../../src/base/clock.ts'
import { type PatchOperation, pointer } from '../../src/base/json-patch.ts'
import type { Workload } from '../ports.ts'
import { RESTARTED_AT, withRestart } from './restarted-at.ts'
import { takeOut } from './take-out.ts'
import type { WantedRollout } from './wanted.ts'

export interface Restart {
  workload: Workload
  operations: PatchOperation[]
  /** The workload after the patch operations. */
  after: Workload
}

/** The patch that restarts a workload for the change. */
export function restartOf(workload: Workload, wanted: WantedRollout, wall: WallMs): Restart {
  const { template } = workload.spec
  const { metadata } = template
  // The clock of the manager that wrote `since` may have been ahead of ours.
  const value = withRestart(workload, wanted.change, asWall(Math.max(wall, wanted.since)))
  const restartedAnnotation = (): PatchOperation => {
    const at = '/spec/template/metadata'
    if (metadata === undefined) return { op: 'add', path: at, value: { annotations: { [RESTARTED_AT]: value } } }
    if (metadata.annotations === undefined)
      return { op: 'add', path: `${at}/annotations`, value: { [RESTARTED_AT]: value } }
    return { op: 'add', path: pointer(`${at}/annotations`, RESTARTED_AT), value }
  }
  const annotations = { ...metadata?.annotations, [RESTARTED_AT]: value }
  return {
    workload,
    operations: [...(wanted.removing ? takeOut(template, wanted.profileName) : []), restartedAnnotation()],
    after: {
      ...workload,
      spec: { ...workload.spec, template: { ...template, metadata: { ...metadata, annotations } } },
    },
  }
}
