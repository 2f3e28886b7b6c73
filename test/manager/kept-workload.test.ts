import { expect } from 'chai'
import fc from 'fast-check'
import type { Workload, WorkloadKind } from '../../actors/ports.ts'
import { unhealthy } from '../../actors/rollout/health.ts'
import { lacksProfile } from '../../actors/rollout/profile-gaps.ts'
import { restartOf } from '../../actors/rollout/restart-patch.ts'
import { RESTARTED_AT, restartedAt } from '../../actors/rollout/restarted-at.ts'
import { takeOut } from '../../actors/rollout/take-out.ts'
import type { WantedRollout } from '../../actors/rollout/wanted.ts'
import { asWall } from '../../src/base/clock.ts'
import { mayRun } from '../../src/kube/scheduling.ts'
import { confinementPatch } from '../../src/manager/admission/mutate.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { podSpecOf, withoutPodDetails } from '../../src/manager/cluster-resources.ts'
import { arbitraryLabels, arbitraryPolicy, enabled, modern } from './made-up.ts'
import { annotation, own } from './mutated.ts'

const field = fc.constantFrom(
  undefined,
  { type: 'Unconfined' },
  { type: 'RuntimeDefault' },
  { type: 'Localhost', localhostProfile: 'varmor-demo-p' },
  { type: 'Localhost', localhostProfile: 'mine' },
)
const context = fc.option(
  fc.record({
    appArmorProfile: field,
    seccompProfile: field,
    privileged: fc.boolean(),
    runAsUser: fc.nat(9),
  }),
  { nil: undefined },
)
const container = (name: string) =>
  fc.record({ name: fc.constant(name), image: fc.string(), env: fc.array(fc.anything()), securityContext: context })
const annotations = fc.option(
  fc.dictionary(
    fc.constantFrom(own('bpf'), own('apparmor'), own('seccomp'), own('bpf', 'gone'), RESTARTED_AT, 'others.example/x'),
    fc.constantFrom(
      annotation,
      'localhost/varmor-demo-p',
      'unconfined',
      'runtime-default/varmor-demo-p',
      'change@2026-01-01T00:00:00Z',
    ),
  ),
  { nil: undefined },
)
const kinds: WorkloadKind[] = ['Deployment', 'StatefulSet', 'DaemonSet']

/** Workloads as a server sends them, without absent fields. */
const workload = fc
  .record({
    kind: fc.constantFrom(...kinds),
    labels: arbitraryLabels,
    own: annotations,
    annotations,
    hasMetadata: fc.boolean(),
    containers: fc.tuple(container('c'), container('d')),
    initContainers: fc.option(fc.tuple(container('i')), { nil: undefined }),
    securityContext: context,
    nodeSelector: fc.option(arbitraryLabels, { nil: undefined }),
    os: fc.constantFrom(undefined, { name: 'windows' }, { name: 'linux' }),
    runtimeClassName: fc.constantFrom(undefined, 'gvisor', 'nvidia'),
    status: fc.record({
      observedGeneration: fc.nat(2),
      replicas: fc.nat(2),
      updatedReplicas: fc.nat(2),
      availableReplicas: fc.nat(2),
    }),
  })
  .map((parts) => {
    const { kind, labels, hasMetadata, status, ...rest } = parts
    const { containers, initContainers, securityContext, nodeSelector, os, runtimeClassName } = rest
    const names = { name: 'web', namespace: 'demo', uid: 'u', resourceVersion: '7', generation: 1 }
    return JSON.parse(
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind,
        metadata: { ...names, labels: { ...labels, ...enabled }, annotations: rest.own, managedFields: [{}] },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: {
            ...(hasMetadata && { metadata: { labels, annotations: rest.annotations } }),
            spec: {
              containers,
              initContainers,
              securityContext,
              nodeSelector,
              os,
              runtimeClassName,
              volumes: [{ name: 'v' }],
            },
          },
        },
        status: { ...status, conditions: [{ type: 'Available', message: 'long' }] },
      }),
    ) as Workload
  })

const wanted = (more: Partial<WantedRollout> = {}): WantedRollout => ({
  change: 'change',
  since: 0,
  stamp: 0,
  removing: false,
  namespace: 'demo',
  target: { kind: 'Deployment', name: 'web' },
  profileName: 'varmor-demo-p',
  enforcers: ['AppArmor', 'BPF', 'Seccomp'],
  mode: 'AlwaysAllow',
  ...more,
})

const sandboxed = { ...modern, confineInitContainers: true, sandboxedRuntimes: ['gvisor'] }

describe('what a manager keeps of a workload', () => {
  it('has it restarted, confined and found as the whole one', () => {
    fc.assert(
      fc.property(workload, fc.array(arbitraryPolicy, { maxLength: 3 }), fc.boolean(), (whole, policies, removing) => {
        const index = new PolicyIndex()
        for (const one of policies) index.set(one)
        const of = (one: Workload) => {
          const { template } = one.spec
          const { operations, after } = restartOf(one, wanted({ removing }), asWall(1_000))
          const { name, namespace, labels = {} } = one.metadata
          return {
            confined: confinementPatch(one, index, sandboxed),
            operations,
            confinedAfter: confinementPatch(after, index, sandboxed),
            found: index.find({ kind: one.kind, namespace, name, labels })?.key,
            lacksProfile: lacksProfile(template, wanted(), sandboxed),
            takeOut: takeOut(template, 'varmor-demo-p'),
            restarted: restartedAt(one, 'change'),
            missing: unhealthy(one),
            isPlaced: mayRun(podSpecOf(one), { metadata: { name: 'n', labels: { app: 'a' } } }),
          }
        }
        expect(of(withoutPodDetails(structuredClone(whole)))).to.deep.equal(of(whole))
      }),
      { numRuns: 200 },
    )
  })

  it('keeps nothing of what tenants write into pods for other readers', () => {
    const text = 'x'.repeat(200_000)
    const whole = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'demo', uid: 'u', resourceVersion: '7', annotations: { note: text } },
      spec: {
        template: {
          metadata: { labels: { app: 'web' }, annotations: { note: text } },
          spec: {
            containers: [{ name: 'c', image: text, args: [text], env: [{ name: 'A', value: text }] }],
            volumes: [{ name: text }],
            affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [text] } },
          },
        },
      },
      status: { conditions: [{ message: text }] },
    } as unknown as Workload
    expect(JSON.stringify(withoutPodDetails(whole)).length).to.be.below(1_000)
  })
})
