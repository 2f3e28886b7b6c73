import type { KubeObject } from '../../kube-object.ts'
import { qosClass } from './qos-class.ts'

/** The status of a new pod. */
export function preparePod(pod: KubeObject): void {
  pod['status'] = { phase: 'Pending', qosClass: qosClass(pod) }
}
