import { expect } from 'chai'
import { POLICY_FINALIZER } from '../../actors/policy.ts'
import type { AnyPolicy } from '../../src/api/types.ts'
import { addFinalizer, makesPolicy } from '../../src/manager/admission/add-finalizer.ts'
import { applyJsonPatch } from '../../src/sandbox/api-server/patch/json-patch.ts'
import type { JsonObject, JsonValue } from '../../src/sandbox/api-server/schema/json.ts'
import { policy } from './made-up.ts'

const requestFor = (object: AnyPolicy, more: object = {}) => ({
  kind: { group: 'crd.varmor.org', version: 'v1beta1', kind: object.kind },
  operation: 'CREATE' as const,
  object: object as never,
  ...more,
})

const held = (finalizers?: string[]): unknown => {
  const plain = policy()
  const object = { ...plain, metadata: { ...plain.metadata, ...(finalizers !== undefined && { finalizers }) } }
  const patched = applyJsonPatch(object as never as JsonObject, addFinalizer(requestFor(object)) as never as JsonValue)
  return (patched['metadata'] as JsonObject)['finalizers']
}

describe('a new policy is held from its first moment', () => {
  for (const [title, before, after] of [
    ['without finalizers', undefined, [POLICY_FINALIZER]],
    ['with none', [], [POLICY_FINALIZER]],
    ['with those of others, which stay', ['example.org/mine'], ['example.org/mine', POLICY_FINALIZER]],
    ['with ours', [POLICY_FINALIZER], [POLICY_FINALIZER]],
  ] as const)
    it(title, () => expect(held(before as string[] | undefined)).to.deep.equal(after))

  for (const [title, more] of [
    ['a change of one', { operation: 'UPDATE' }],
    ['its status', { subResource: 'status' }],
    ['an object of another group', { kind: { group: 'example.org', version: 'v1', kind: 'VarmorPolicy' } }],
    ['an object of another kind', { kind: { group: 'crd.varmor.org', version: 'v1beta1', kind: 'ArmorProfile' } }],
    ['nothing', { object: null }],
  ] as const)
    it(`but not ${title}`, () => expect(makesPolicy(requestFor(policy(), more) as never)).to.equal(false))

  it('of the cluster, too', () => expect(makesPolicy(requestFor(policy({ cluster: true })))).to.equal(true))
})
