import { expect } from 'chai'
import { applyPatch } from 'rfc6902'
import type { KubeObject } from '../../src/kube/objects.ts'
import { type MutateOptions, type MutateRequest, type Mutation, mutate } from '../../src/manager/admission/mutate.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { modern, type PolicyParts, policy, requestFor } from './made-up.ts'

export const old: MutateOptions = { ...modern, appArmorField: false }

export function indexOf(...policies: PolicyParts[]): PolicyIndex {
  const index = new PolicyIndex()
  for (const parts of policies) index.set(policy(parts))
  return index
}

/** Applies a patch as an API server does: an impossible step is an error. */
export function patched<T extends KubeObject>(object: T, { patch }: Mutation): T {
  const copy = structuredClone(object)
  const failures = applyPatch(copy, structuredClone(patch) as never).filter((result) => result !== null)
  expect(failures, JSON.stringify(patch)).to.deep.equal([])
  return copy
}

export interface Template {
  metadata: { annotations?: Record<string, string> }
  spec: { containers: Container[]; initContainers?: Container[]; ephemeralContainers?: Container[] }
}
export interface Container {
  name: string
  securityContext?: { appArmorProfile?: object; seccompProfile?: object }
}

export const templateOf = (object: KubeObject): Template =>
  object.kind === 'Pod' ? (object as unknown as Template) : (object as { spec: { template: Template } }).spec.template

export const mutated = (object: KubeObject, index: PolicyIndex, options = modern, more: Partial<MutateRequest> = {}) =>
  templateOf(patched(object, mutate(requestFor(object, more), index, options)))

export const own = (kind: string, container = 'c') => `container.${kind}.security.beta.varmor.org/${container}`
export const kubernetes = 'container.apparmor.security.beta.kubernetes.io/c'
export const local = { type: 'Localhost', localhostProfile: 'varmor-demo-web' }
export const annotation = 'localhost/varmor-demo-web'
