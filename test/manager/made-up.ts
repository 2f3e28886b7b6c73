import fc from 'fast-check'
import { apiVersion } from '../../src/api/schema/common.ts'
import { targetKinds } from '../../src/api/schema/policy.ts'
import type { AnyPolicy, LabelSelector, Target } from '../../src/api/types.ts'
import { asWall } from '../../src/base/clock.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { MutateOptions, MutateRequest } from '../../src/manager/admission/mutate.ts'

export interface PolicyParts {
  cluster?: boolean
  namespace?: string
  name?: string
  target?: Target
  enforcer?: string
  mode?: string
  createdAt?: string
  spec?: object
}

export function policy(parts: PolicyParts = {}): AnyPolicy {
  const {
    cluster = false,
    namespace = 'demo',
    name = 'web',
    enforcer = 'AppArmorBPFSeccomp',
    mode = 'AlwaysAllow',
  } = parts
  return {
    apiVersion,
    kind: cluster ? 'VarmorClusterPolicy' : 'VarmorPolicy',
    metadata: {
      name,
      ...(!cluster && { namespace }),
      creationTimestamp: parts.createdAt ?? '2026-01-01T00:00:00Z',
    },
    spec: {
      target: parts.target ?? { kind: 'Deployment', selector: { matchLabels: { app: 'web' } } },
      policy: { enforcer, mode, ...parts.spec },
    },
  } as AnyPolicy
}

export const enabled = { 'sandbox.varmor.org/enable': 'true' }

export const modern: MutateOptions = {
  appArmorField: true,
  bpfExclusive: () => false,
  optIn: { key: 'sandbox.varmor.org/enable', value: 'true' },
  confineInitContainers: false,
  sandboxedRuntimes: [],
  now: () => asWall(Date.UTC(2026, 0, 2)),
}

export interface PodShape {
  annotations?: Record<string, string>
  spec?: Record<string, unknown>
}

const podSpec = (spec: Record<string, unknown> = {}) => ({ containers: [{ name: 'c', image: 'i' }], ...spec })

export function deployment(
  { annotations, spec }: PodShape = {},
  labels: Record<string, string> = { app: 'web', ...enabled },
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'demo', labels },
    spec: { template: { metadata: { ...(annotations && { annotations }) }, spec: podSpec(spec) } },
  } as KubeObject
}

export function pod({ annotations, spec }: PodShape = {}, labels: Record<string, string> = { app: 'web', ...enabled }) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'demo', labels, ...(annotations && { annotations }) },
    spec: podSpec(spec),
  } as KubeObject
}

export function requestFor(object: KubeObject, more: Partial<MutateRequest> = {}): MutateRequest {
  const kind = { group: object.kind === 'Pod' ? '' : 'apps', version: 'v1', kind: object.kind! }
  return { kind, operation: 'CREATE', namespace: 'demo', object, oldObject: null, ...more }
}

const keys = fc.constantFrom('app', 'tier', 'team')
const values = fc.constantFrom('a', 'b', 'c')

export const arbitraryLabels = fc.dictionary(keys, values, { maxKeys: 3 })

const requirement = fc.oneof(
  fc.record({ key: keys, operator: fc.constantFrom('In', 'NotIn'), values: fc.uniqueArray(values, { minLength: 1 }) }),
  fc.record({ key: keys, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
)

export const arbitrarySelector = fc.record(
  { matchLabels: arbitraryLabels, matchExpressions: fc.array(requirement, { maxLength: 2 }) },
  { requiredKeys: [] },
) as fc.Arbitrary<LabelSelector>

const arbitraryTarget = fc
  .tuple(
    fc.constantFrom(...targetKinds),
    fc.oneof(fc.record({ name: fc.constantFrom('web', 'db') }), fc.record({ selector: arbitrarySelector })),
    fc.subarray(['c', 'd', 'i', 's']),
  )
  .map(([kind, which, containers]) => ({ kind, ...which, containers }) as Target)

export const arbitraryPolicy = fc
  .record({
    cluster: fc.boolean(),
    namespace: fc.constantFrom('demo', 'other'),
    name: fc.constantFrom('p', 'q', 'r', 's'),
    target: arbitraryTarget,
    enforcer: fc.subarray(['AppArmor', 'BPF', 'Seccomp'], { minLength: 1 }).map((names) => names.join('')),
    mode: fc.constantFrom('AlwaysAllow', 'RuntimeDefault'),
    createdAt: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'),
  })
  .map(policy)
