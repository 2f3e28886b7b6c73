import { type PatchOperation, pointer } from '../../src/base/json-patch.ts'
import type { Workload } from '../ports.ts'
import { takeOut } from './confinement.ts'
import { RESTARTED_AT, withRestart } from './restarted-at.ts'
import type { WantedRollout } from './wanted.ts'

/** The patch that restarts a workload for the change. */
export function restartPatch(workload: Workload, wanted: WantedRollout, now: number): PatchOperation[] {
  const { metadata } = workload.spec.template
  const value = withRestart(workload, wanted.change, now)
  const restartedAnnotation = (): PatchOperation => {
    const at = '/spec/template/metadata'
    if (metadata === undefined) return { op: 'add', path: at, value: { annotations: { [RESTARTED_AT]: value } } }
    if (metadata.annotations === undefined)
      return { op: 'add', path: `${at}/annotations`, value: { [RESTARTED_AT]: value } }
    return { op: 'add', path: pointer(`${at}/annotations`, RESTARTED_AT), value }
  }
  return [...(wanted.removing ? takeOut(workload.spec.template, wanted.profileName) : []), restartedAnnotation()]
}
