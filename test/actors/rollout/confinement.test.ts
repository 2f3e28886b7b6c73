import { expect } from 'chai'
import { applyPatch } from 'rfc6902'
import type { PodTemplate } from '../../../actors/ports.ts'
import { isAsTemplate, isInProfile, isOptedOut, takeOut } from '../../../actors/rollout/confinement.ts'
import type { WantedRollout } from '../../../actors/rollout/wanted.ts'
import type { KernelEnforcer } from '../../../src/api/enforcer.ts'

const profileName = 'varmor-demo-web'
const ours = `localhost/${profileName}`
const own = 'container.apparmor.security.beta.varmor.org/c'
const chosen = `runtime-default/${profileName}`
const bpf = 'container.bpf.security.beta.varmor.org/c'
const seccomp = 'container.seccomp.security.beta.varmor.org/c'
const kubernetes = 'container.apparmor.security.beta.kubernetes.io/c'

const wanted = (...enforcers: KernelEnforcer[]): WantedRollout => ({
  ...{ change: 'create-1', since: 0, stamp: 0, removing: false, namespace: 'demo', profileName, enforcers },
  mode: 'AlwaysAllow',
  target: { kind: 'Deployment', name: 'web' },
})
const template = (annotations: Record<string, string>, spec: PodTemplate['spec'] = {}): PodTemplate => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'c' }], ...spec },
})

describe('whether the pods of a workload are confined', () => {
  const unconfined = { type: 'Unconfined' }
  for (const [enforcer, field] of [
    ['AppArmor', 'appArmorProfile'],
    ['Seccomp', 'seccompProfile'],
  ] as const)
    it(`is not asked of ${enforcer} where the pod as a whole says unconfined, as admission leaves it out`, () => {
      const pod = template({}, { securityContext: { [field]: unconfined } })
      expect(isOptedOut(pod, wanted(enforcer), false)).to.equal(true)
      expect(isOptedOut(pod, wanted('BPF', enforcer), false)).to.equal(false)
    })

  it('is so in the profile, and in one that will do as well', () => {
    const pod = template({ [own]: 'localhost/varmor-demo-pods' })
    expect(isInProfile(pod, wanted('AppArmor'), false)).to.equal(false)
    expect(isInProfile(pod, wanted('AppArmor'), false, 'varmor-demo-pods')).to.equal(true)
  })

  it('is asked of AppArmor that was switched off for a BPF profile, now that the policy names it, too', () => {
    const off = { [bpf]: ours, [own]: `bpf-exclusive/${profileName}` }
    const byField = template(off, { containers: [{ name: 'c', securityContext: { appArmorProfile: unconfined } }] })
    for (const pod of [byField, template({ ...off, [kubernetes]: 'unconfined' })]) {
      expect(isOptedOut(pod, wanted('AppArmor'), false)).to.equal(false)
      expect(isInProfile(pod, wanted('AppArmor', 'BPF'), false)).to.equal(false)
      expect(isInProfile(pod, wanted('BPF'), false)).to.equal(true)
    }
  })

  const runtimes: {
    title: string
    annotation: string
    type: string
    mode: WantedRollout['mode']
    inProfile: boolean
  }[] = [
    {
      title: 'the mode, and the policy set it',
      annotation: ours,
      type: 'RuntimeDefault',
      mode: 'RuntimeDefault',
      inProfile: true,
    },
    {
      title: 'the mode, and the user chose it',
      annotation: chosen,
      type: 'RuntimeDefault',
      mode: 'RuntimeDefault',
      inProfile: true,
    },
    { title: 'no longer the mode', annotation: ours, type: 'RuntimeDefault', mode: 'EnhanceProtect', inProfile: false },
    {
      title: 'no longer the mode, and the user chose it',
      annotation: chosen,
      type: 'RuntimeDefault',
      mode: 'EnhanceProtect',
      inProfile: false,
    },
    { title: 'not the mode', annotation: ours, type: 'Localhost', mode: 'EnhanceProtect', inProfile: true },
    {
      title: 'whatever, and the policy goes',
      annotation: chosen,
      type: 'RuntimeDefault',
      mode: undefined,
      inProfile: true,
    },
  ]
  for (const { title, annotation, type, mode, inProfile } of runtimes)
    it(`is ${inProfile ? '' : 'not '}so of Seccomp where the runtime’s profile is ${title}`, () => {
      const containers = [{ name: 'c', securityContext: { seccompProfile: { type } } }]
      const pod = template({ [seccomp]: annotation }, { containers })
      expect(isInProfile(pod, { ...wanted('Seccomp'), mode }, false)).to.equal(inProfile)
    })

  const pairs: { title: string; of: Record<string, string>; pod: Record<string, string>; same: boolean }[] = [
    { title: 'has lost the annotation of an old server', of: { [kubernetes]: ours }, pod: {}, same: false },
    { title: 'has it', of: { [kubernetes]: ours }, pod: { [kubernetes]: ours }, same: true },
    {
      title: 'has it from a new server, besides',
      of: { [own]: ours },
      pod: { [own]: ours, [kubernetes]: ours },
      same: true,
    },
    {
      title: 'has it from a new server, of the user’s field',
      of: {},
      pod: { [kubernetes]: 'runtime/default' },
      same: true,
    },
    { title: 'has lost ours', of: { [own]: ours }, pod: { [kubernetes]: ours }, same: false },
  ]
  for (const { title, of, pod, same } of pairs)
    it(`is ${same ? '' : 'not '}as the template says where the pod ${title}`, () =>
      expect(isAsTemplate(template(pod), template(of), wanted('AppArmor'), false)).to.equal(same))
})

describe('what a removal takes out of a template', () => {
  const off = `bpf-exclusive/${profileName}`
  const ofUser = { seccompProfile: { type: 'RuntimeDefault' } }
  const securityContext = { appArmorProfile: { type: 'Unconfined' } }
  const left: [title: string, object: PodTemplate, rest: PodTemplate][] = [
    [
      'AppArmor that was switched off, by its field',
      template({ [bpf]: ours, [own]: off }, { containers: [{ name: 'c', securityContext }] }),
      template({}, { containers: [{ name: 'c', securityContext: {} }] }),
    ],
    [
      'AppArmor that was switched off, by Kubernetes’ annotation',
      template({ [bpf]: ours, [own]: off, [kubernetes]: 'unconfined' }),
      template({}),
    ],
    [
      'the annotation alone where the runtime’s profile was the user’s choice',
      template(
        { [seccomp]: `runtime-default/${profileName}` },
        { containers: [{ name: 'c', securityContext: ofUser }] },
      ),
      template({}, { containers: [{ name: 'c', securityContext: ofUser }] }),
    ],
    [
      'nothing that the user switched off',
      template({ [bpf]: ours, [kubernetes]: 'unconfined' }, { containers: [{ name: 'c', securityContext }] }),
      template({ [kubernetes]: 'unconfined' }, { containers: [{ name: 'c', securityContext }] }),
    ],
  ]
  for (const [title, object, rest] of left)
    it(title, () => {
      const workload = { spec: { template: structuredClone(object) } }
      const failures = applyPatch(workload, takeOut(object, profileName) as never).filter((one) => one !== null)
      expect(failures).to.deep.equal([])
      expect(workload.spec.template).to.deep.equal(rest)
    })
})
