import { expect } from 'chai'
import fc from 'fast-check'
import type { Workload } from '../../actors/ports.ts'
import { lacksProfile } from '../../actors/rollout/profile-gaps.ts'
import { restartOf } from '../../actors/rollout/restart-patch.ts'
import { RESTARTED_AT } from '../../actors/rollout/restarted-at.ts'
import { mutatedAt } from '../../src/api/annotations.ts'
import { asWall } from '../../src/base/clock.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { IndexedPolicy } from '../../src/manager/admission/indexed-policy.ts'
import { confinementPatch, type MutateOptions, mutate } from '../../src/manager/admission/mutate.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import {
  arbitraryPolicy,
  deployment,
  enabled,
  modern,
  type PodShape,
  type PolicyParts,
  pod,
  requestFor,
} from './made-up.ts'
import { annotation, indexOf, kubernetes, local, mutated, old, own, patched, templateOf } from './mutated.ts'

const runtimeDefault = { type: 'RuntimeDefault' }

describe('mutation once more', () => {
  describe('what an earlier policy left', () => {
    const left = (index: PolicyIndex, options = modern) =>
      patched(deployment(), mutate(requestFor(deployment()), index, options))
    const update = { operation: 'UPDATE' as const }

    for (const options of [modern, old, { ...modern, bpfExclusive: () => true }, { ...old, bpfExclusive: () => true }])
      for (const enforcer of ['AppArmorBPFSeccomp', 'BPF'])
        it(`goes with it (${enforcer}, ${JSON.stringify(options)})`, () => {
          const object = left(indexOf({ enforcer }), options)
          const { metadata, spec } = mutated(object, new PolicyIndex(), options, update)
          expect(metadata.annotations).to.deep.equal({})
          expect(spec.containers[0]!.securityContext ?? {}).to.deep.equal({})
        })

    it('goes when the workload leaves the selection, or is opted out', () => {
      const index = indexOf({})
      for (const labels of [{ app: 'db', ...enabled }, { app: 'web' }] as Record<string, string>[]) {
        const object = left(index)
        object.metadata!.labels = labels
        expect(mutated(object, index, modern, update).metadata.annotations).to.deep.equal({})
      }
    })

    it('goes for an enforcer that the policy dropped, and for a container that is gone', () => {
      const object = left(indexOf({}))
      const template = templateOf(object)
      template.metadata.annotations![own('bpf', 'gone')] = annotation
      expect(
        mutated(object, indexOf({ enforcer: 'AppArmorSeccomp' }), modern, update).metadata.annotations,
      ).to.deep.equal({
        [own('apparmor')]: annotation,
        [own('seccomp')]: annotation,
      })
    })

    it('makes room for AppArmor, when a BPF policy gets it later', () => {
      for (const base of [modern, old]) {
        const options = { ...base, bpfExclusive: () => true }
        const object = left(indexOf({ enforcer: 'BPF' }), options)
        const fresh = left(indexOf({ enforcer: 'AppArmorBPF' }), options)
        expect(mutated(object, indexOf({ enforcer: 'AppArmorBPF' }), options, update)).to.deep.equal(templateOf(fresh))
      }
    })

    it('stays in a pod that the Deployment of a living policy made', () => {
      const { metadata, spec } = templateOf(left(indexOf({})))
      const object = pod({ annotations: metadata.annotations!, spec: spec as never }, {})
      expect(mutate(requestFor(object), indexOf({}), modern).patch).to.deep.equal([])
      expect(mutated(object, new PolicyIndex()).spec.containers[0]!.securityContext).to.deep.equal({})
    })

    it('goes also where it is from before the server had the field', () => {
      const object = left(indexOf({ enforcer: 'AppArmor' }), old)
      expect(mutated(object, new PolicyIndex(), modern, update).metadata.annotations).to.deep.equal({})
    })

    for (const options of [modern, old])
      it(`goes with the opt-out of a container that is in the profile (${JSON.stringify(options)})`, () => {
        const index = indexOf({})
        const object = left(index, options)
        for (const kind of ['bpf', 'apparmor', 'seccomp'])
          templateOf(object).metadata.annotations![own(kind)] = 'unconfined'
        const { metadata, spec } = mutated(object, index, options, update)
        expect(Object.values(metadata.annotations!)).to.deep.equal(['unconfined', 'unconfined', 'unconfined'])
        expect(spec.containers[0]!.securityContext ?? {}).to.deep.equal({})
      })

    describe('where AppArmor was switched off for a BPF profile', () => {
      const byBpf = indexOf({ enforcer: 'BPF' })
      const exclusively = (base: MutateOptions) => ({ ...base, bpfExclusive: () => true })

      it('goes from Kubernetes’ annotation, too, which would contradict the field', () => {
        const given = deployment({ annotations: { [kubernetes]: 'runtime/default' } })
        const object = patched(given, mutate(requestFor(given), byBpf, exclusively(modern)))
        expect(templateOf(object).metadata.annotations).to.include({ [kubernetes]: 'unconfined' })
        expect(mutated(object, new PolicyIndex(), modern, update).metadata.annotations).to.deep.equal({})
      })

      const since: { title: string; index: PolicyIndex; options: MutateOptions }[] = [
        { title: 'the policy is gone', index: new PolicyIndex(), options: exclusively(modern) },
        { title: 'BPF is not on every node any more', index: byBpf, options: modern },
      ]
      for (const { title, index, options } of since)
        it(`does not count as the user’s since the server has the field and ${title}`, () => {
          const object = left(byBpf, exclusively(old))
          const later = patched(object, mutate(requestFor(object, update), index, options))
          const byAppArmor = mutated(later, indexOf({ enforcer: 'AppArmor' }), modern, update)
          expect(byAppArmor.spec.containers[0]!.securityContext).to.deep.equal({ appArmorProfile: local })
          expect(byAppArmor.metadata.annotations).to.deep.equal({ [own('apparmor')]: annotation })
        })

      it('goes with a container that is gone, whose annotation the server refuses', () => {
        for (const base of [modern, old]) {
          const object = left(byBpf, exclusively(old))
          templateOf(object).spec.containers = [{ name: 'renamed' }]
          const { metadata } = mutated(object, byBpf, exclusively(base), update)
          expect(Object.keys(metadata.annotations!).filter((key) => key.endsWith('/c'))).to.deep.equal([])
        }
      })

      it('is not so for an ephemeral container, which gets no BPF profile instead', () => {
        const index = indexOf({ enforcer: 'BPF', target: { kind: 'Pod', selector: {} } })
        const object = pod({ spec: { containers: [{ name: 'c' }], ephemeralContainers: [{ name: 'debug' }] } })
        const more = { ...update, subResource: 'ephemeralcontainers', oldObject: pod() }
        const { patch, warnings } = mutate(requestFor(object, more), index, exclusively(modern))
        expect(patch).to.deep.equal([])
        expect(warnings.join()).to.match(/debug runs without the BPF profile/)
      })
    })

    it('leaves the runtime’s profile where the user had chosen it, and takes it where the policy had', () => {
      const ofDefault = indexOf({ enforcer: 'Seccomp', mode: 'RuntimeDefault' })
      for (const [securityContext, rest] of [
        [{ seccompProfile: runtimeDefault }, { seccompProfile: runtimeDefault }],
        [{}, {}],
      ]) {
        const object = deployment({ spec: { containers: [{ name: 'c', securityContext }] } })
        const confined = patched(object, mutate(requestFor(object), ofDefault, modern))
        const { metadata, spec } = mutated(confined, new PolicyIndex(), modern, update)
        expect(spec.containers[0]!.securityContext).to.deep.equal(rest)
        expect(metadata.annotations).to.deep.equal({})
      }
    })

    it('does not take what a user wrote with it', () => {
      const annotations = { [kubernetes]: 'localhost/mine', [own('bpf')]: 'unconfined' }
      const object = deployment({
        annotations,
        spec: {
          containers: [
            { name: 'c', securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'mine' } } },
          ],
        },
      })
      for (const options of [modern, old])
        expect(mutate(requestFor(object), new PolicyIndex(), options).patch).to.deep.equal([])
    })
  })

  describe('a pod that a Deployment of a cluster policy made', () => {
    const ofCluster = { cluster: true, name: 'base', target: { kind: 'Deployment', selector: {} } } as const
    const profile = 'varmor-cluster-varmor-base'
    const byTenant = { name: 'free', target: { kind: 'Pod', selector: {} }, createdAt: '2025-01-01T00:00:00Z' } as const
    const everyWay = [modern, old, { ...modern, bpfExclusive: () => true }, { ...old, bpfExclusive: () => true }]
    const made = (enforcer: string, options: MutateOptions, mode = 'AlwaysAllow') => {
      const { metadata, spec } = mutated(deployment(), indexOf({ ...ofCluster, enforcer, mode }), options)
      return pod({ annotations: metadata.annotations!, spec: spec as never })
    }
    const named = (object: KubeObject) => {
      const { metadata, spec } = templateOf(object)
      const { [mutatedAt]: _, ...annotations } = metadata.annotations ?? {}
      return { annotations, securityContext: spec.containers[0]!.securityContext }
    }

    for (const [way, options] of everyWay.entries())
      for (const mode of ['AlwaysAllow', 'RuntimeDefault'])
        for (const enforcer of ['AppArmorBPFSeccomp', 'AppArmor', 'BPF', 'Seccomp'])
          it(`stays in it beside a policy of its namespace for pods (${enforcer}, ${mode}, way ${way})`, () => {
            const object = made(enforcer, options, mode)
            const index = indexOf({ ...ofCluster, enforcer, mode }, { ...byTenant, enforcer })
            expect(mutate(requestFor(object), index, options).patch).to.deep.equal([])
          })

    it('stays in the runtime’s profile that its user had chosen, as the cluster’s policy wants it', () => {
      const chosen = { spec: { containers: [{ name: 'c', securityContext: { seccompProfile: runtimeDefault } }] } }
      const ofDefault = { ...ofCluster, enforcer: 'Seccomp', mode: 'RuntimeDefault' }
      const { metadata, spec } = mutated(deployment(chosen), indexOf(ofDefault))
      const object = pod({ annotations: metadata.annotations!, spec: spec as never })
      expect(
        mutate(requestFor(object), indexOf(ofDefault, { ...byTenant, enforcer: 'Seccomp' }), modern).patch,
      ).to.deep.equal([])
    })

    it('gets of the namespace’s policy the enforcers that the cluster’s does not have', () => {
      const index = indexOf({ ...ofCluster, enforcer: 'BPF' }, byTenant)
      const free = { type: 'Localhost', localhostProfile: 'varmor-demo-free' }
      expect(named(patched(made('BPF', modern), mutate(requestFor(made('BPF', modern)), index, modern)))).to.deep.equal(
        {
          annotations: {
            [own('bpf')]: `localhost/${profile}`,
            [own('apparmor')]: 'localhost/varmor-demo-free',
            [own('seccomp')]: 'localhost/varmor-demo-free',
          },
          securityContext: { appArmorProfile: free, seccompProfile: free },
        },
      )
    })

    it('keeps AppArmor beside a BPF profile that is alone by the word of the namespace’s policy only', () => {
      const options = { ...modern, bpfExclusive: ({ kind }: IndexedPolicy) => kind === 'VarmorPolicy' }
      const index = indexOf({ ...ofCluster, enforcer: 'BPF' }, { ...byTenant, enforcer: 'BPF' })
      expect(mutate(requestFor(made('BPF', options)), index, options).patch).to.deep.equal([])
    })

    it('has its AppArmor switched off by the namespace’s BPF profile for good, whatever field a server without it let by', () => {
      const options = { ...old, bpfExclusive: () => true }
      const index = indexOf({ ...ofCluster, enforcer: 'BPF' }, { ...byTenant, enforcer: 'BPF' })
      const appArmorProfile = { type: 'Localhost', localhostProfile: profile }
      const object = pod({ spec: { containers: [{ name: 'c', securityContext: { appArmorProfile } }] } })
      const once = patched(object, mutate(requestFor(object), index, options))
      expect(once.metadata?.annotations).to.include({ [own('apparmor')]: 'bpf-exclusive/varmor-demo-free' })
      expect(mutate(requestFor(once), index, options).patch).to.deep.equal([])
    })

    it('is brought into what it names by a field alone, or by an annotation alone', () => {
      const index = indexOf(ofCluster, byTenant)
      const whole = named(made('AppArmorBPFSeccomp', modern))
      const { annotations, securityContext } = whole
      const parts: PodShape[] = [
        { annotations },
        {
          annotations: { [own('bpf')]: `localhost/${profile}` },
          spec: { containers: [{ name: 'c', securityContext }] },
        },
      ]
      for (const part of parts)
        expect(named(patched(pod(part), mutate(requestFor(pod(part)), index, modern)))).to.deep.equal(whole)
    })

    const replaced: { title: string; now: PolicyParts[] }[] = [
      { title: 'of a cluster policy that is gone', now: [byTenant] },
      {
        title: 'of a cluster policy for other pods',
        now: [{ ...ofCluster, target: { kind: 'Pod', name: 'elsewhere' } }, byTenant],
      },
      {
        title: 'for an enforcer that the cluster policy dropped',
        now: [
          { ...ofCluster, enforcer: 'AppArmor' },
          { ...byTenant, enforcer: 'BPFSeccomp' },
        ],
      },
      {
        title: 'for a cluster policy for pods',
        now: [ofCluster, byTenant, { cluster: true, name: 'pods', target: { kind: 'Pod', selector: {} } }],
      },
    ]
    for (const { title, now } of replaced)
      it(`does not stay in a profile ${title}`, () => {
        const object = made('AppArmorBPFSeccomp', modern)
        const { annotations } = named(patched(object, mutate(requestFor(object), indexOf(...now), modern)))
        expect(annotations[own('bpf')]).to.not.equal(`localhost/${profile}`)
      })

    it('gets its ephemeral containers into the cluster’s policy, whatever else its annotations say since', () => {
      const object = made('AppArmorBPFSeccomp', modern)
      const { spec, metadata } = templateOf(object)
      const weaker = 'localhost/varmor-cluster-varmor-weak'
      metadata.annotations = {
        [own('apparmor', 'a')]: weaker,
        [own('apparmor')]: weaker,
        ...metadata.annotations,
        [own('bpf')]: weaker,
      }
      spec.ephemeralContainers = [{ name: 'debug' }]
      const index = indexOf(
        ...[{ ...ofCluster, name: 'weak' }, ofCluster, { ...byTenant, enforcer: 'AppArmorSeccomp' }],
      )
      const more = { operation: 'UPDATE', subResource: 'ephemeralcontainers', oldObject: pod() } as const
      const { patch } = mutate(requestFor(object, more), index, modern)
      const field = { type: 'Localhost', localhostProfile: profile }
      expect(patch.map((each) => ('value' in each ? each.value : undefined))).to.deep.equal([
        { appArmorProfile: field, seccompProfile: field },
      ])
    })
  })

  describe('what a restart brings', () => {
    const index = indexOf({})
    const wanted = {
      ...{ change: 'create-1', stamp: 0, since: 0, removing: false, namespace: 'demo', profileName: 'varmor-demo-web' },
      target: { kind: 'Deployment' as const, name: 'web' },
      enforcers: ['AppArmor', 'BPF', 'Seccomp'] as const,
      mode: 'AlwaysAllow' as const,
    }
    const shapes: [title: string, object: ReturnType<typeof deployment>][] = [
      ['without annotations', deployment()],
      ['with annotations of its own', deployment({ annotations: { a: 'b' } })],
      ['restarted before', deployment({ annotations: { [RESTARTED_AT]: 'other@2026-01-01T00:00:00Z' } })],
      ['in the profile', patched(deployment(), mutate(requestFor(deployment()), index, modern))],
    ]
    for (const options of [modern, old])
      for (const [title, object] of shapes)
        it(`is the profile, and leaves the webhook nothing to add (${title}, ${options.appArmorField})`, () => {
          const workload = object as unknown as Workload
          const { operations, after } = restartOf(workload, wanted, asWall(0))
          const patch = [...operations, ...confinementPatch(after, index, options)]
          const restarted = patched(object, { patch, warnings: [] })
          expect(lacksProfile((restarted as unknown as Workload).spec.template, wanted, options)).to.equal(false)
          expect(templateOf(restarted).metadata.annotations?.[RESTARTED_AT]).to.contain('create-1@')
          expect(mutate(requestFor(restarted, { operation: 'UPDATE' }), index, options).patch).to.deep.equal([])
        })
  })

  const profileField = fc.constantFrom(
    undefined,
    { type: 'Unconfined' },
    { type: 'RuntimeDefault' },
    { type: 'Localhost', localhostProfile: 'mine' },
    local,
    { type: 'Localhost', localhostProfile: 'varmor-cluster-varmor-p' },
  )
  const arbitraryContext = fc.option(
    fc.record(
      { appArmorProfile: profileField, seccompProfile: profileField, privileged: fc.boolean() },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  )
  const arbitraryContainer = (name: string) => fc.record({ name: fc.constant(name), securityContext: arbitraryContext })
  const arbitraryShape = fc.record({
    annotations: fc.dictionary(
      fc.constantFrom(
        own('bpf'),
        own('apparmor'),
        own('seccomp'),
        kubernetes,
        own('bpf', 'd'),
        own('seccomp', 'x'),
        'a~b/c',
      ),
      fc.constantFrom(
        'unconfined',
        annotation,
        'localhost/mine',
        'bpf-exclusive/varmor-demo-p',
        'localhost/varmor-demo-p',
        'localhost/varmor-cluster-varmor-p',
        'bpf-exclusive/varmor-cluster-varmor-p',
        'runtime-default/varmor-demo-p',
        'runtime-default/varmor-cluster-varmor-p',
      ),
    ),
    spec: fc.record({
      containers: fc.tuple(arbitraryContainer('c'), arbitraryContainer('d')),
      initContainers: fc.tuple(arbitraryContainer('i')),
      securityContext: arbitraryContext,
    }),
  })
  const clean = (value: unknown) => JSON.parse(JSON.stringify(value))

  it('changes nothing the second time, whatever was there, and can always be applied', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryPolicy, { maxLength: 4 }),
        fc.constantFrom('Deployment', 'Pod'),
        arbitraryShape,
        fc.boolean(),
        fc.boolean(),
        (policies, kind, shape, appArmorField, bpfExclusive) => {
          const index = new PolicyIndex()
          for (const each of policies) index.set(each)
          const options = { ...modern, appArmorField, bpfExclusive: () => bpfExclusive, optIn: undefined }
          const object = kind === 'Pod' ? pod(clean(shape), { app: 'a' }) : deployment(clean(shape), { app: 'a' })
          const once = patched(object, mutate(requestFor(object), index, options))
          expect(mutate(requestFor(once), index, options).patch).to.deep.equal([])
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('never confines a container that says unconfined', () => {
    fc.assert(
      fc.property(arbitraryPolicy, arbitraryShape, fc.boolean(), (some, shape, appArmorField) => {
        const index = new PolicyIndex()
        index.set({ ...some, spec: { ...some.spec, target: { kind: 'Deployment', selector: {} } } })
        const annotations = {
          ...shape.annotations,
          [own('bpf')]: 'unconfined',
          [own('apparmor')]: 'unconfined',
          [own('seccomp')]: 'unconfined',
        }
        const object = deployment(
          clean({
            ...shape,
            annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== kubernetes)),
          }),
        )
        const before: Record<string, { localhostProfile?: string }> = clean(
          templateOf(object).spec.containers[0]!.securityContext ?? {},
        )
        // The user's setting stays. vArmor's profile disappeared together with the annotation that named it.
        for (const field of appArmorField ? ['appArmorProfile', 'seccompProfile'] : ['seccompProfile'])
          if (before[field]?.localhostProfile?.startsWith('varmor-')) delete before[field]
        const { metadata, spec } = mutated(object, index, { ...modern, appArmorField })
        expect(spec.containers[0]!.securityContext ?? {}).to.deep.equal(before)
        for (const kind of ['bpf', 'apparmor', 'seccomp'])
          expect(metadata.annotations![own(kind)]).to.equal('unconfined')
      }),
    )
  })
})
