import { expect } from 'chai'
import type { Change } from '../../src/kube/change.ts'
import { compareVersions, type KubeObject } from '../../src/kube/objects.ts'

/**
 * Checks that added, updated and deleted arrive in this order for each object, that versions rise, and that the changes
 * together give the final objects.
 */
export function checkOrder(changes: readonly Change<KubeObject>[]): void {
  const last = new Map<string, { version: string; there: boolean; uid: string | undefined }>()
  for (const { type, key, object } of changes) {
    const { resourceVersion = '', uid } = object.metadata ?? {}
    const before = last.get(key)
    expect(before?.there ?? false, `${type} ${key} ${resourceVersion}`).to.equal(type !== 'added')
    const order = before === undefined ? 1 : compareVersions(resourceVersion, before.version)
    // A deletion that the watch missed arrives with the last known state.
    if (type === 'deleted') expect(order).to.be.at.least(0)
    else expect(order, `${type} ${key} ${resourceVersion} after ${before?.version}`).to.be.above(0)
    if (type === 'updated') expect(uid).to.equal(before?.uid)
    last.set(key, { version: resourceVersion, there: type !== 'deleted', uid })
  }
}
