import { expect } from 'chai'
import type { Pod, PodTemplate } from '../../../actors/ports.ts'
import { lacksProfile, type PodCheck, podLacksProfile } from '../../../actors/rollout/profile-gaps.ts'
import type { WantedRollout } from '../../../actors/rollout/wanted.ts'
import { defaultRolloutSettings as facts } from '../../../actors/rollout.ts'
import type { KernelEnforcer } from '../../../src/api/enforcer.ts'

const profileName = 'varmor-demo-web'
const local = (localhostProfile: string) => ({ type: 'Localhost', localhostProfile })
const unconfined = { type: 'Unconfined' }
const own = (kind: string) => `container.${kind}.security.beta.varmor.org/c`

const wanted = (...enforcers: KernelEnforcer[]): WantedRollout => ({
  ...{ change: 'create-1', since: 0, stamp: 0, removing: false, namespace: 'demo', profileName, enforcers },
  mode: 'AlwaysAllow',
  target: { kind: 'Deployment', name: 'web' },
})
const template = (securityContext: object, annotations: Record<string, string> = {}): PodTemplate => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'c', securityContext }] },
})
const podOf = (template: PodTemplate, more: object = {}): Pod => ({
  metadata: { ...template.metadata, name: 'web-1' },
  spec: { ...template.spec, ...more },
})
const inProfile = template({ appArmorProfile: local(profileName) })

describe('whether a restart would bring a container into the profile', () => {
  const rows: [title: string, template: PodTemplate, enforcers: KernelEnforcer[], lacks: boolean][] = [
    ['in it', inProfile, ['AppArmor'], false],
    ['in none', template({}), ['AppArmor'], true],
    ['in it for one enforcer of two', inProfile, ['AppArmor', 'Seccomp'], true],
    ['free by the user’s word', template({ appArmorProfile: unconfined }), ['AppArmor'], false],
    [
      'free for one enforcer, in none for the other',
      template({ appArmorProfile: unconfined }),
      ['AppArmor', 'BPF'],
      true,
    ],
    ['privileged, and the enforcer is Seccomp', template({ privileged: true }), ['Seccomp'], false],
    ['without a pod', {}, ['AppArmor'], false],
  ]
  for (const [title, of, enforcers, lacks] of rows)
    it(`${lacks ? 'is so' : 'is not so'} for one ${title}`, () =>
      expect(lacksProfile(of, wanted(...enforcers), facts)).to.equal(lacks))
})

describe('whether a pod of a restarted workload lacks the profile', () => {
  const check: PodCheck = { wanted: wanted('AppArmor'), facts, other: undefined, template: inProfile, isOurs: true }
  const sidecar = (securityContext: object) => ({
    containers: [...inProfile.spec!.containers!, { name: 'istio-proxy', securityContext }],
  })
  const mine = template({ appArmorProfile: local('mine') })
  const byPods = { profile: 'varmor-demo-pods', mode: 'AlwaysAllow' } as const
  const ofDefault = { ...byPods, mode: 'RuntimeDefault' } as const
  const bySeccomp = wanted('Seccomp')
  const ofRuntime = template({ seccompProfile: { type: 'RuntimeDefault' } })

  const rows: { title: string; pod: Pod; check?: Partial<PodCheck>; lacks: boolean }[] = [
    { title: 'as its template', pod: podOf(inProfile), lacks: false },
    {
      title: 'in the profile by annotations, and in the runtime’s by its field',
      pod: podOf(
        template({ appArmorProfile: { type: 'RuntimeDefault' } }, { [own('apparmor')]: `localhost/${profileName}` }),
      ),
      lacks: true,
    },
    {
      title: 'in the profile by our annotation, and in none by its fields',
      pod: podOf(template({}, { [own('apparmor')]: `localhost/${profileName}` })),
      lacks: true,
    },
    { title: 'in its user’s profile, as the template', pod: podOf(mine), check: { template: mine }, lacks: false },
    {
      title: 'in its user’s profile, which admission would replace',
      pod: podOf(mine),
      check: { template: undefined },
      lacks: true,
    },
    { title: 'in another profile than its template', pod: podOf(mine), lacks: true },
    {
      title: 'in the profile of a policy for pods',
      pod: podOf(template({ appArmorProfile: local('varmor-demo-pods') })),
      check: { other: byPods },
      lacks: false,
    },
    {
      title: 'in neither profile',
      pod: podOf(mine),
      check: { other: byPods },
      lacks: true,
    },
    {
      title: 'in the runtime’s profile, by a policy for pods',
      pod: podOf(ofRuntime),
      check: { wanted: bySeccomp, other: ofDefault },
      lacks: false,
    },
    {
      title: 'in the runtime’s profile, beside a policy for pods of another mode',
      pod: podOf(ofRuntime),
      check: { wanted: bySeccomp, other: byPods },
      lacks: true,
    },
    { title: 'with another webhook’s sidecar in no profile', pod: podOf(inProfile, sidecar({})), lacks: true },
    {
      title: 'with another webhook’s sidecar in the profile',
      pod: podOf(inProfile, sidecar({ appArmorProfile: local(profileName) })),
      lacks: false,
    },
    {
      title: 'with another webhook’s sidecar, and the policy names other containers',
      pod: podOf(inProfile, sidecar({})),
      check: { wanted: { ...wanted('AppArmor'), target: { kind: 'Deployment', name: 'web', containers: ['c'] } } },
      lacks: false,
    },
    {
      title: 'with another webhook’s sidecar in a workload of another policy',
      pod: podOf(mine, { containers: [...mine.spec!.containers!, { name: 'istio-proxy' }] }),
      check: { template: mine, isOurs: false },
      lacks: false,
    },
    {
      title: 'with a debugger in no profile',
      pod: podOf(inProfile, { ephemeralContainers: [{ name: 'debug' }] }),
      lacks: false,
    },
    { title: 'of another form', pod: { metadata: { name: 'web-1' } }, lacks: false },
  ]
  for (const { title, pod, check: more, lacks } of rows)
    it(`${lacks ? 'is so' : 'is not so'} for one ${title}`, () =>
      expect(podLacksProfile(pod, { ...check, ...more })).to.equal(lacks))
})
