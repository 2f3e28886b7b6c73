import { expect } from 'chai'
import type { KubeObject } from '../../src/kube/objects.ts'
import { type MutateOptions, type MutateRequest, mutate } from '../../src/manager/admission/mutate.ts'
import { parseOptIn } from '../../src/manager/admission/opt-in.ts'
import { deployment, enabled, modern, type PodShape, pod, requestFor } from './made-up.ts'
import { annotation, indexOf, kubernetes, local, mutated, old, own, patched, type Template } from './mutated.ts'

interface Row {
  title: string
  enforcer?: string
  mode?: string
  options?: Partial<MutateOptions>
  given?: PodShape
  annotations: Record<string, string>
  securityContext?: object
}

const unconfined = { type: 'Unconfined' }
const rows: Row[] = [
  {
    title: 'every enforcer, by field',
    annotations: { [own('bpf')]: annotation, [own('apparmor')]: annotation, [own('seccomp')]: annotation },
    securityContext: { appArmorProfile: local, seccompProfile: local },
  },
  {
    title: 'every enforcer, before 1.30',
    options: old,
    annotations: { [own('bpf')]: annotation, [kubernetes]: annotation, [own('seccomp')]: annotation },
    securityContext: { seccompProfile: local },
  },
  { title: 'BPF alone is an annotation', enforcer: 'BPF', annotations: { [own('bpf')]: annotation } },
  {
    title: 'a profile that the user chose gives way to the policy',
    enforcer: 'AppArmorSeccomp',
    given: {
      spec: {
        containers: [
          {
            name: 'c',
            securityContext: {
              runAsUser: 1,
              appArmorProfile: { type: 'RuntimeDefault' },
              seccompProfile: { type: 'Localhost', localhostProfile: 'x' },
            },
          },
        ],
      },
    },
    annotations: { [own('apparmor')]: annotation, [own('seccomp')]: annotation },
    securityContext: { runAsUser: 1, appArmorProfile: local, seccompProfile: local },
  },
  ...(['bpf', 'apparmor', 'seccomp'] as const).map(
    (kind): Row => ({
      title: `${kind}: unconfined by annotation wins`,
      enforcer: { bpf: 'BPF', apparmor: 'AppArmor', seccomp: 'Seccomp' }[kind],
      given: { annotations: { [own(kind)]: 'unconfined' } },
      annotations: { [own(kind)]: 'unconfined' },
    }),
  ),
  {
    title: 'unconfined by the annotation of Kubernetes wins, before 1.30',
    enforcer: 'AppArmor',
    options: old,
    given: { annotations: { [kubernetes]: 'unconfined' } },
    annotations: { [kubernetes]: 'unconfined' },
  },
  {
    title: 'unconfined by the annotation of Kubernetes wins, from 1.30 on too',
    enforcer: 'AppArmor',
    given: { annotations: { [kubernetes]: 'unconfined' } },
    annotations: { [kubernetes]: 'unconfined' },
  },
  {
    title: 'an old annotation follows the field, or the API server refuses both',
    enforcer: 'AppArmor',
    given: { annotations: { [kubernetes]: 'runtime/default' } },
    annotations: { [kubernetes]: annotation, [own('apparmor')]: annotation },
    securityContext: { appArmorProfile: local },
  },
  {
    title: 'Unconfined by field wins',
    enforcer: 'AppArmorSeccomp',
    given: {
      spec: {
        containers: [{ name: 'c', securityContext: { appArmorProfile: unconfined, seccompProfile: unconfined } }],
      },
    },
    annotations: {},
    securityContext: { appArmorProfile: unconfined, seccompProfile: unconfined },
  },
  {
    title: 'Unconfined for the whole pod wins',
    enforcer: 'AppArmorSeccomp',
    given: { spec: { securityContext: { appArmorProfile: unconfined, seccompProfile: unconfined } } },
    annotations: {},
  },
  {
    title: 'a privileged container gets no seccomp profile',
    enforcer: 'AppArmorSeccomp',
    given: { spec: { containers: [{ name: 'c', securityContext: { privileged: true } }] } },
    annotations: { [own('apparmor')]: annotation },
    securityContext: { privileged: true, appArmorProfile: local },
  },
  {
    title: 'the RuntimeDefault mode uses the profile of the runtime',
    enforcer: 'Seccomp',
    mode: 'RuntimeDefault',
    annotations: { [own('seccomp')]: annotation },
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
  },
  {
    title: 'a RuntimeDefault of the user stays the user’s',
    enforcer: 'Seccomp',
    mode: 'RuntimeDefault',
    given: { spec: { containers: [{ name: 'c', securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }] } },
    annotations: { [own('seccomp')]: 'runtime-default/varmor-demo-web' },
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
  },
  {
    title: 'bpfExclusiveMode frees a container from AppArmor',
    enforcer: 'BPF',
    options: { bpfExclusive: () => true },
    annotations: { [own('bpf')]: annotation, [own('apparmor')]: 'bpf-exclusive/varmor-demo-web' },
    securityContext: { appArmorProfile: unconfined },
  },
  {
    title: 'bpfExclusiveMode does not hide that the user said unconfined',
    enforcer: 'AppArmorBPF',
    options: { bpfExclusive: () => true },
    given: { annotations: { [kubernetes]: 'unconfined' } },
    annotations: { [kubernetes]: 'unconfined', [own('bpf')]: annotation },
  },
  {
    title: 'bpfExclusiveMode before 1.30',
    enforcer: 'BPF',
    options: { ...old, bpfExclusive: () => true },
    annotations: {
      [own('bpf')]: annotation,
      [own('apparmor')]: 'bpf-exclusive/varmor-demo-web',
      [kubernetes]: 'unconfined',
    },
  },
  {
    title: 'bpfExclusiveMode leaves AppArmor to a policy that names it',
    enforcer: 'AppArmorBPF',
    options: { bpfExclusive: () => true },
    annotations: { [own('bpf')]: annotation, [own('apparmor')]: annotation },
    securityContext: { appArmorProfile: local },
  },
]

function claimsDeletion<T extends KubeObject>(object: T): T {
  object.metadata!.deletionTimestamp = '2026-01-01T00:00:00Z'
  return object
}

describe('mutation', () => {
  for (const kind of ['Deployment', 'Pod'] as const)
    for (const { title, enforcer, mode, options, given, annotations, securityContext } of rows)
      it(`${kind}: ${title}`, () => {
        const index = indexOf({
          ...(enforcer !== undefined && { enforcer }),
          ...(mode !== undefined && { mode }),
          target: { kind, selector: { matchLabels: { app: 'web' } } },
        })
        const object = kind === 'Pod' ? pod(given) : deployment(given)
        const { metadata, spec } = mutated(object, index, { ...modern, ...options })
        const { 'webhook.varmor.org/mutatedAt': _, ...rest } = metadata.annotations ?? {}
        expect(rest).to.deep.equal(annotations)
        expect(spec.containers[0]!.securityContext).to.deep.equal(securityContext)
      })

  const containers = {
    containers: [{ name: 'c' }, { name: 'd' }],
    initContainers: [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }],
  }
  const confined = ({ spec }: Template): string[] =>
    [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]
      .filter(({ securityContext }) => securityContext?.seccompProfile !== undefined)
      .map(({ name }) => name)
  const selections: { title: string; named: string[]; options?: Partial<MutateOptions>; confined: string[] }[] = [
    { title: 'all but init containers, where none is named', named: [], confined: ['c', 'd', 's'] },
    {
      title: 'init containers too, where that is wanted',
      named: [],
      options: { confineInitContainers: true },
      confined: ['c', 'd', 'i', 's'],
    },
    { title: 'only those that are named', named: ['d'], confined: ['d'] },
    { title: 'init containers and sidecars that are named', named: ['i', 's'], confined: ['i', 's'] },
  ]
  for (const { title, named, options, confined: wanted } of selections)
    it(`confines ${title}`, () => {
      const target = { kind: 'Deployment' as const, name: 'web', containers: named }
      const index = indexOf({ enforcer: 'Seccomp', target })
      expect(confined(mutated(deployment({ spec: containers }), index, { ...modern, ...options }))).to.deep.equal(
        wanted,
      )
    })

  describe('ephemeral containers', () => {
    const debugged = (name: string) => pod({ spec: { ephemeralContainers: [{ name: 'first' }, { name }] } })
    const before = pod({ spec: { ephemeralContainers: [{ name: 'first' }] } })
    const request = { operation: 'UPDATE' as const, subResource: 'ephemeralcontainers', oldObject: before }

    it('confines the new one by its fields and touches nothing else', () => {
      const index = indexOf({ target: { kind: 'Pod', name: 'web-1', containers: ['debug'] } })
      const { patch, warnings } = mutate(requestFor(debugged('debug'), request), index, modern)
      expect(patch.map(({ path }) => path)).to.deep.equal(['/spec/ephemeralContainers/1/securityContext'])
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.match(/debug runs without the BPF profile of VarmorPolicy\/demo\/web/)
    })

    it('knows the policy of a Deployment by the profiles of its pod', () => {
      const index = indexOf({ enforcer: 'Seccomp' })
      const object = debugged('debug')
      object.metadata!.annotations = { [own('seccomp')]: annotation }
      expect(mutate(requestFor(object, request), index, modern).patch).to.have.length(1)
    })

    it('confines it whatever time of deletion the request claims', () => {
      const index = indexOf({ enforcer: 'Seccomp', target: { kind: 'Pod', selector: {} } })
      const object = claimsDeletion(debugged('debug'))
      expect(mutate(requestFor(object, request), index, modern).patch).to.have.length(1)
    })

    it('confines one in a pod of which the policy names other containers, and none in a pod that it does not confine', () => {
      const patchOf = (named: string) =>
        mutate(
          requestFor(debugged('debug'), request),
          indexOf({ enforcer: 'Seccomp', target: { kind: 'Pod', name: 'web-1', containers: [named] } }),
          modern,
        ).patch
      expect(patchOf('c')).to.have.length(1)
      expect(patchOf('elsewhere')).to.deep.equal([])
    })
  })

  for (const object of [deployment(), pod()])
    it(`confines a ${object.kind} that is made with a time of deletion, which the server drops after admission`, () => {
      const index = indexOf({ enforcer: 'Seccomp', target: { kind: object.kind as 'Pod', selector: {} } })
      const { spec } = mutated(claimsDeletion(object), index)
      expect(spec.containers[0]!.securityContext).to.deep.equal({ seccompProfile: local })
    })

  const untouched: {
    title: string
    object: KubeObject
    more?: Partial<MutateRequest>
    options?: Partial<MutateOptions>
  }[] = [
    { title: 'a workload without the label', object: deployment({}, { app: 'web' }) },
    {
      title: 'a workload with another value of the label',
      object: deployment({}, { app: 'web', 'sandbox.varmor.org/enable': 'false' }),
    },
    { title: 'a workload of another namespace', object: deployment(), more: { namespace: 'other' } },
    { title: 'a workload that the selector misses', object: deployment({}, { app: 'db', ...enabled }) },
    { title: 'an update of a running pod', object: pod(), more: { operation: 'UPDATE' } },
    { title: 'a change of scale', object: deployment(), more: { operation: 'UPDATE', subResource: 'scale' } },
    {
      title: 'a Deployment of another group',
      object: deployment(),
      more: { kind: { group: 'x', version: 'v1', kind: 'Deployment' } },
    },
    {
      title: 'a kind that no policy targets',
      object: deployment(),
      more: { kind: { group: 'apps', version: 'v1', kind: 'ReplicaSet' } },
    },
    { title: 'a pod for Windows', object: deployment({ spec: { os: { name: 'windows' } } }) },
    {
      title: 'the mirror of a static pod, which the kubelet runs by its file',
      object: pod({ annotations: { 'kubernetes.io/config.mirror': 'c0ffee' } }),
    },
    {
      title: 'the mirror of a static pod that names a profile that is gone',
      object: pod({
        annotations: { 'kubernetes.io/config.mirror': 'c0ffee', [own('bpf')]: 'localhost/varmor-demo-gone' },
      }),
    },
    { title: 'an object without a pod', object: { ...deployment(), spec: {} } as KubeObject },
    { title: 'a deletion', object: deployment(), more: { operation: 'DELETE' } },
    {
      title: 'a workload that is being deleted',
      object: deployment(),
      more: { operation: 'UPDATE', oldObject: claimsDeletion(deployment()) },
    },
  ]
  for (const { title, object, more, options } of untouched)
    it(`leaves alone: ${title}`, () => {
      const index = indexOf({}, { name: 'pods', target: { kind: 'Pod', selector: {} } })
      expect(mutate(requestFor(object, more), index, { ...modern, ...options }).patch).to.deep.equal([])
    })

  it('considers every workload where no label is asked for', () => {
    const object = deployment({}, { app: 'web' })
    expect(mutate(requestFor(object), indexOf({}), { ...modern, optIn: undefined }).patch).to.not.deep.equal([])
    expect(parseOptIn('')).to.equal(undefined)
    expect(parseOptIn('a/b=c')).to.deep.equal({ key: 'a/b', value: 'c' })
    for (const wrong of ['a', '=b', 'a=', 'a=b=c']) expect(() => parseOptIn(wrong)).to.throw(TypeError)
  })

  it('lets a cluster policy win', () => {
    const index = indexOf({ enforcer: 'BPF' }, { cluster: true, name: 'all', enforcer: 'BPF' })
    expect(mutated(deployment(), index).metadata.annotations).to.deep.equal({
      [own('bpf')]: 'localhost/varmor-cluster-varmor-all',
    })
  })

  it('says when it changed a workload, on the workload', () => {
    const result = patched(deployment(), mutate(requestFor(deployment()), indexOf({}), modern))
    expect(result.metadata!.annotations).to.deep.equal({ 'webhook.varmor.org/mutatedAt': '2026-01-02T00:00:00.000Z' })
  })

  it('makes what is missing on the way, and takes null for missing', () => {
    const bare = {
      ...deployment(),
      spec: { template: { spec: { containers: [{ name: 'c', securityContext: null }] } } },
    }
    const nulls = { ...deployment(), metadata: { ...deployment().metadata, annotations: null } }
    for (const object of [bare, nulls] as unknown as KubeObject[])
      expect(mutated(object, indexOf({ enforcer: 'Seccomp' })).spec.containers[0]!.securityContext).to.deep.equal({
        seccompProfile: local,
      })
  })
})
