import { expect } from 'chai'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { PolicyMode } from '../../src/api/types.ts'
import { type ConfiningPolicy, confinementsOf } from '../../src/confinement/confinements.ts'
import type { ConfinementFacts } from '../../src/confinement/exemption.ts'
import { podParts } from '../../src/confinement/pod-parts.ts'

const profile = 'varmor-demo-web'
const ours = `localhost/${profile}`
const local = { type: 'Localhost', localhostProfile: profile }
const unconfined = { type: 'Unconfined' }
const runtimeDefault = { type: 'RuntimeDefault' }
const mine = { type: 'Localhost', localhostProfile: 'mine' }
const kubernetes = 'container.apparmor.security.beta.kubernetes.io/c'
const own = (kind: string, container = 'c') => `container.${kind}.security.beta.varmor.org/${container}`

const policy: ConfiningPolicy = { profile, enforcers: ['AppArmor'], mode: 'AlwaysAllow', containers: [] }
const facts: ConfinementFacts = { appArmorField: true, confineInitContainers: false, sandboxedRuntimes: ['gvisor'] }

interface Row {
  title: string
  enforcer?: KernelEnforcer
  /** The minor version of Kubernetes. Default: both. */
  minor?: 29 | 30
  mode?: PolicyMode | undefined
  annotations?: Record<string, string>
  /** The container's securityContext. */
  container?: object
  /** The pod's securityContext. */
  pod?: object
  spec?: object
  /** The state, and the reason. */
  is: string
}

/**
 * Fields and annotation have the order of Kubernetes 1.37 (`GetProfile` in pkg/security/apparmor, the version skew in
 * pkg/registry/core/pod) and of 1.29, which has the annotation alone.
 */
const rows: Row[] = [
  { title: 'nothing', is: 'unconfined NotSet' },
  { title: 'the field of the container', minor: 30, container: { appArmorProfile: local }, is: 'confined' },
  { title: 'a field that the server drops', minor: 29, container: { appArmorProfile: local }, is: 'unconfined NotSet' },
  { title: 'the annotation', annotations: { [kubernetes]: ours }, is: 'confined' },
  { title: 'the annotation without a name', annotations: { [kubernetes]: 'localhost/' }, is: 'unconfined NotSet' },
  { title: 'the annotation with nonsense', annotations: { [kubernetes]: profile }, is: 'unconfined NotSet' },
  { title: 'the field of the pod', minor: 30, pod: { appArmorProfile: local }, is: 'confined' },
  {
    title: 'the pod’s field that the server drops',
    minor: 29,
    pod: { appArmorProfile: local },
    is: 'unconfined NotSet',
  },
  { title: 'our own annotation alone', annotations: { [own('apparmor')]: ours }, is: 'unconfined NotSet' },
  {
    title: 'the container’s field before the annotation',
    minor: 30,
    annotations: { [kubernetes]: ours, [own('apparmor')]: ours },
    container: { appArmorProfile: runtimeDefault },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'another profile in the field before our annotations',
    minor: 30,
    annotations: { [kubernetes]: ours, [own('apparmor')]: ours },
    container: { appArmorProfile: mine },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'the annotation without the field that a server of 1.30 does not know',
    minor: 29,
    annotations: { [kubernetes]: ours },
    container: { appArmorProfile: runtimeDefault },
    is: 'confined',
  },
  {
    title: 'the annotation before the field of the pod',
    minor: 30,
    annotations: { [kubernetes]: ours },
    pod: { appArmorProfile: runtimeDefault },
    is: 'confined',
  },
  {
    title: 'nonsense in the annotation, and the field of the pod',
    minor: 30,
    annotations: { [kubernetes]: 'x' },
    pod: { appArmorProfile: runtimeDefault },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'the container’s field before the field of the pod',
    minor: 30,
    container: { appArmorProfile: local },
    pod: { appArmorProfile: mine },
    is: 'confined',
  },
  { title: 'the runtime’s profile', annotations: { [kubernetes]: 'runtime/default' }, is: 'unconfined OtherProfile' },
  { title: 'another profile', annotations: { [kubernetes]: 'localhost/mine' }, is: 'unconfined OtherProfile' },
  { title: 'a longer name', annotations: { [kubernetes]: `${ours}-2` }, is: 'unconfined OtherProfile' },
  { title: 'another container’s', annotations: { [`${kubernetes}c`]: ours }, is: 'unconfined NotSet' },
  { title: 'unconfined by the annotation', annotations: { [kubernetes]: 'unconfined' }, is: 'unconfined OptedOut' },
  {
    title: 'unconfined by our annotation',
    annotations: { [own('apparmor')]: 'unconfined' },
    is: 'unconfined OptedOut',
  },
  {
    title: 'unconfined by our annotation, which no webhook has acted on yet',
    minor: 30,
    annotations: { [own('apparmor')]: 'unconfined' },
    container: { appArmorProfile: local },
    is: 'confined',
  },
  { title: 'Unconfined by field', minor: 30, container: { appArmorProfile: unconfined }, is: 'unconfined OptedOut' },
  { title: 'Unconfined for the pod', minor: 30, pod: { appArmorProfile: unconfined }, is: 'unconfined OptedOut' },
  {
    title: 'Unconfined for the pod, by a server that drops it',
    minor: 29,
    pod: { appArmorProfile: unconfined },
    is: 'unconfined NotSet',
  },
  {
    title: 'AppArmor that we switched off for BPF, by field',
    minor: 30,
    annotations: { [own('apparmor')]: `bpf-exclusive/${profile}` },
    container: { appArmorProfile: unconfined },
    is: 'unconfined ReplacedByBpf',
  },
  {
    title: 'AppArmor that we switched off for BPF, by annotation',
    annotations: { [own('apparmor')]: `bpf-exclusive/${profile}`, [kubernetes]: 'unconfined' },
    is: 'unconfined ReplacedByBpf',
  },
  {
    title: 'AppArmor that we switched off, and the user for the pod',
    minor: 30,
    annotations: { [own('apparmor')]: `bpf-exclusive/${profile}` },
    container: { appArmorProfile: unconfined },
    pod: { appArmorProfile: unconfined },
    is: 'unconfined OptedOut',
  },
  {
    title: 'the profile of a privileged container, which containerd sets',
    annotations: { [kubernetes]: ours },
    container: { privileged: true },
    is: 'confined',
  },
  {
    title: 'the namespace of the node’s processes, which changes nothing',
    annotations: { [kubernetes]: ours },
    spec: { hostPID: true },
    is: 'confined',
  },
  { title: 'a recording', annotations: { [kubernetes]: ours }, mode: 'BehaviorModeling', is: 'observed' },

  { title: 'BPF: nothing', enforcer: 'BPF', is: 'unconfined NotSet' },
  { title: 'BPF: the annotation', enforcer: 'BPF', annotations: { [own('bpf')]: ours }, is: 'confined' },
  {
    title: 'BPF: another profile',
    enforcer: 'BPF',
    annotations: { [own('bpf')]: 'localhost/varmor-demo-db' },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'BPF: unconfined',
    enforcer: 'BPF',
    annotations: { [own('bpf')]: 'unconfined' },
    is: 'unconfined OptedOut',
  },
  {
    title: 'BPF: whatever the other enforcers’ fields say',
    enforcer: 'BPF',
    annotations: { [own('bpf')]: ours },
    container: { appArmorProfile: unconfined, seccompProfile: unconfined, privileged: true },
    is: 'confined',
  },

  { title: 'Seccomp: nothing', enforcer: 'Seccomp', is: 'unconfined NotSet' },
  { title: 'Seccomp: the field', enforcer: 'Seccomp', container: { seccompProfile: local }, is: 'confined' },
  { title: 'Seccomp: the field of the pod', enforcer: 'Seccomp', pod: { seccompProfile: local }, is: 'confined' },
  {
    title: 'Seccomp: the container’s field before the pod’s',
    enforcer: 'Seccomp',
    container: { seccompProfile: runtimeDefault },
    pod: { seccompProfile: local },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'Seccomp: our annotation alone',
    enforcer: 'Seccomp',
    annotations: { [own('seccomp')]: ours },
    is: 'unconfined NotSet',
  },
  {
    title: 'Seccomp: another profile',
    enforcer: 'Seccomp',
    annotations: { [own('seccomp')]: ours },
    container: { seccompProfile: mine },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'Seccomp: the runtime’s profile',
    enforcer: 'Seccomp',
    container: { seccompProfile: runtimeDefault },
    is: 'unconfined OtherProfile',
  },
  {
    title: 'Seccomp: the runtime’s profile, from the former mode',
    enforcer: 'Seccomp',
    annotations: { [own('seccomp')]: ours },
    container: { seccompProfile: runtimeDefault },
    is: 'unconfined OtherMode',
  },
  {
    title: 'Seccomp: the runtime’s profile, which the user chose, from the former mode',
    enforcer: 'Seccomp',
    annotations: { [own('seccomp')]: `runtime-default/${profile}` },
    container: { seccompProfile: runtimeDefault },
    is: 'unconfined OtherMode',
  },
  {
    title: 'Seccomp: the runtime’s profile in its mode',
    enforcer: 'Seccomp',
    mode: 'RuntimeDefault',
    container: { seccompProfile: runtimeDefault },
    is: 'confined',
  },
  {
    title: 'Seccomp: our profile in that mode, which allows everything',
    enforcer: 'Seccomp',
    mode: 'RuntimeDefault',
    annotations: { [own('seccomp')]: ours },
    container: { seccompProfile: local },
    is: 'unconfined OtherMode',
  },
  ...[local, runtimeDefault].map(
    (seccompProfile): Row => ({
      title: `Seccomp: ${seccompProfile.type}, whatever the mode`,
      enforcer: 'Seccomp',
      mode: undefined,
      container: { seccompProfile },
      is: 'confined',
    }),
  ),
  {
    title: 'Seccomp: a privileged container, which gets no filter',
    enforcer: 'Seccomp',
    container: { privileged: true, seccompProfile: local },
    is: 'unconfined Privileged',
  },
  {
    title: 'Seccomp: Unconfined',
    enforcer: 'Seccomp',
    container: { seccompProfile: unconfined },
    is: 'unconfined OptedOut',
  },
  {
    title: 'Seccomp: Unconfined for the pod',
    enforcer: 'Seccomp',
    pod: { seccompProfile: unconfined },
    is: 'unconfined OptedOut',
  },

  ...(['AppArmor', 'BPF', 'Seccomp'] as const).flatMap((enforcer): Row[] => {
    const annotations = { [kubernetes]: ours, [own('bpf')]: ours, [own('seccomp')]: ours }
    const confined = { enforcer, annotations, container: { seccompProfile: local } }
    return [
      {
        ...confined,
        title: `${enforcer}: the copy of a static pod, which runs by its file`,
        annotations: { ...annotations, 'kubernetes.io/config.mirror': 'c0ffee' },
        is: 'unconfined StaticPod',
      },
      { ...confined, title: `${enforcer}: Windows`, spec: { os: { name: 'windows' } }, is: 'unconfined Windows' },
      {
        ...confined,
        title: `${enforcer}: a RuntimeClass with its own kernel`,
        spec: { runtimeClassName: 'gvisor' },
        is: 'unconfined SandboxedRuntime',
      },
      {
        ...confined,
        title: `${enforcer}: another RuntimeClass`,
        spec: { runtimeClassName: 'nvidia' },
        is: 'confined',
      },
    ]
  }),
]

const said = ({ state, reason }: { state: string; reason?: string }) =>
  reason === undefined ? state : `${state} ${reason}`

describe('whether a container is confined', () => {
  for (const { title, enforcer = 'AppArmor', minor, annotations = {}, container, pod, spec, is, ...row } of rows)
    for (const version of minor === undefined ? [29, 30] : [minor])
      it(`1.${version}, ${title}: ${is}`, () => {
        const object = {
          metadata: { annotations },
          spec: { containers: [{ name: 'c', securityContext: container }], securityContext: pod, ...spec },
        }
        const mode = 'mode' in row ? row.mode : policy.mode
        const asked = { ...policy, enforcers: [enforcer], mode }
        for (const parts of [podParts(object, ''), podParts({ spec: { template: object } }, '/spec/template')])
          expect(confinementsOf(parts!, asked, { ...facts, appArmorField: version >= 30 }).map(said)).to.deep.equal([
            is,
          ])
      })

  const containers = {
    containers: [{ name: 'c' }, { name: 'd' }],
    initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }],
    ephemeralContainers: [{ name: 'e' }],
  }
  const targets: [title: string, named: string[], initToo: boolean, targeted: string[]][] = [
    ['all but init containers, where the policy names none', [], false, ['c', 'd', 's', 'e']],
    ['init containers too, where that is wanted', [], true, ['c', 'd', 'i', 's', 'e']],
    ['a named one, and ephemeral ones beside it', ['d'], false, ['d', 'e']],
    ['a named ephemeral one alone', ['e'], false, ['e']],
    ['none', ['elsewhere'], true, []],
  ]
  for (const [title, named, confineInitContainers, targeted] of targets)
    it(`is said of ${title}`, () => {
      const asked = { ...policy, containers: named }
      const found = confinementsOf(podParts({ spec: containers }, '')!, asked, { ...facts, confineInitContainers })
      expect(found.map(({ container }) => container.name)).to.deep.equal(targeted)
    })

  it('is said for each enforcer of the kernel', () => {
    const asked = { ...policy, enforcers: ['AppArmor', 'BPF', 'Seccomp', 'NetworkProxy'] as const }
    const found = confinementsOf(podParts({ spec: { containers: [{ name: 'c' }] } }, '')!, asked, facts)
    expect(found.map(({ enforcer }) => enforcer)).to.deep.equal(['AppArmor', 'BPF', 'Seccomp'])
  })
})
