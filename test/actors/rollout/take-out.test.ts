import { expect } from 'chai'
import { applyPatch } from 'rfc6902'
import type { PodTemplate } from '../../../actors/ports.ts'
import { takeOut } from '../../../actors/rollout/take-out.ts'

const profileName = 'varmor-demo-web'
const ours = `localhost/${profileName}`
const own = 'container.apparmor.security.beta.varmor.org/c'
const bpf = 'container.bpf.security.beta.varmor.org/c'
const seccomp = 'container.seccomp.security.beta.varmor.org/c'
const kubernetes = 'container.apparmor.security.beta.kubernetes.io/c'

const template = (annotations: Record<string, string>, spec: PodTemplate['spec'] = {}): PodTemplate => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'c' }], ...spec },
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
