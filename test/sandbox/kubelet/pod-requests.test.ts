import { expect } from 'chai'
import { ConfigError } from '../../../src/sandbox/kubelet/pod-objects.ts'
import { containerConfig, logFolder, sandboxConfig } from '../../../src/sandbox/kubelet/pod-requests.ts'
import { containerOf, podOf } from './pods.ts'

const options = { seccompRoot: '/seccomp', ownNetwork: true, podLogs: '/var/log/pods' }
const image = { id: 'sha256:1', uid: null, username: '' }
const parts = {
  attempt: 2,
  image,
  environment: new Map([['WHO', 'you']]),
  mounts: [{ containerPath: '/a', hostPath: '/b' }],
}

describe('what CRI is asked for', () => {
  const pod = podOf({}, { labels: { app: 'shop' }, annotations: { note: 'n' } })

  it('names a sandbox as the kubelet does, with the labels and annotations of the pod', () => {
    const made = sandboxConfig(pod, 3, options)
    expect(made).to.deep.include({
      metadata: { name: 'web', namespace: 'demo', uid: 'u-1', attempt: 3 },
      hostname: 'web',
      logDirectory: '/var/log/pods/demo_web_u-1',
      labels: {
        app: 'shop',
        'io.kubernetes.pod.name': 'web',
        'io.kubernetes.pod.namespace': 'demo',
        'io.kubernetes.pod.uid': 'u-1',
      },
      annotations: { note: 'n' },
    })
    expect(made.logDirectory).to.equal(logFolder(options.podLogs, pod))
  })

  it('gives no pod labels that say it is another', () => {
    const liar = podOf({}, { labels: { 'io.kubernetes.pod.uid': 'u-2' } })
    expect(sandboxConfig(liar, 0, options).labels['io.kubernetes.pod.uid']).to.equal('u-1')
  })

  it('leaves the host its name on its network', () => {
    expect(sandboxConfig(podOf({ hostNetwork: true }), 0, options)).not.to.have.property('hostname')
    expect(sandboxConfig(pod, 0, { ...options, ownNetwork: false })).not.to.have.property('hostname')
  })

  it('makes a sandbox privileged for a privileged container, and confined by the runtime’s own profile', () => {
    const privileged = podOf({ initContainers: [containerOf({ securityContext: { privileged: true } })] })
    const contextOf = (linux: object) => (linux as { securityContext: object }).securityContext
    expect(contextOf(sandboxConfig(privileged, 0, options).linux)).to.include({ privileged: true })
    expect(contextOf(sandboxConfig(pod, 0, options).linux)).to.deep.include({
      seccomp: { profileType: 'RuntimeDefault' },
    })
  })

  it('makes a container from image, command, environment and mounts', () => {
    const container = containerOf({
      command: ['run', '$(WHO)'],
      args: ['$$(WHO)'],
      workingDir: '/srv',
      tty: true,
    })
    expect(containerConfig(pod, container, parts, options)).to.deep.include({
      metadata: { name: 'main', attempt: 2 },
      image: { image: 'sha256:1', userSpecifiedImage: 'busybox' },
      command: ['run', 'you'],
      args: ['$(WHO)'],
      workingDir: '/srv',
      envs: [{ key: 'WHO', value: Buffer.from('you') }],
      labels: {
        'io.kubernetes.container.name': 'main',
        'io.kubernetes.pod.name': 'web',
        'io.kubernetes.pod.namespace': 'demo',
        'io.kubernetes.pod.uid': 'u-1',
      },
      logPath: 'main/2.log',
      tty: true,
      stdin: false,
      mounts: parts.mounts,
    })
  })
})

const contextOf = (
  pod: object,
  container: object,
  annotations: object = {},
  more: object = {},
): Record<string, unknown> => {
  const { linux } = containerConfig(podOf(pod, { annotations }), containerOf(container), { ...parts, ...more }, options)
  return (linux as { securityContext: Record<string, unknown> }).securityContext
}

const appArmor = 'container.apparmor.security.beta.kubernetes.io/main'
const localhost = (localhostProfile: string): object => ({ type: 'Localhost', localhostProfile })
const appArmorRows: { title: string; own?: object; pod?: object; annotations?: object; text: string | undefined }[] = [
  { title: 'none is the choice of the runtime', text: undefined },
  { title: 'its own field', own: localhost('varmor-a'), text: 'localhost/varmor-a' },
  {
    title: 'its own field before all else',
    own: localhost('a'),
    pod: localhost('b'),
    annotations: { [appArmor]: 'localhost/c' },
    text: 'localhost/a',
  },
  {
    title: 'its annotation before the field of the pod',
    pod: localhost('b'),
    annotations: { [appArmor]: 'localhost/c' },
    text: 'localhost/c',
  },
  { title: 'the field of the pod', pod: localhost('b'), text: 'localhost/b' },
  {
    title: 'not the annotation of another container',
    annotations: { [`${appArmor}2`]: 'localhost/c' },
    text: undefined,
  },
  { title: 'RuntimeDefault', own: { type: 'RuntimeDefault' }, text: 'runtime/default' },
  { title: 'Unconfined', own: { type: 'Unconfined' }, pod: localhost('b'), text: 'unconfined' },
]
const seccompRows: { title: string; own?: object; pod?: object; privileged?: boolean; profile: object }[] = [
  { title: 'none', profile: { profileType: 'Unconfined' } },
  {
    title: 'its own field',
    own: localhost('varmor/a.json'),
    pod: { type: 'RuntimeDefault' },
    profile: { profileType: 'Localhost', localhostRef: '/seccomp/varmor/a.json' },
  },
  { title: 'the field of the pod', pod: { type: 'RuntimeDefault' }, profile: { profileType: 'RuntimeDefault' } },
  {
    title: 'Unconfined over the pod',
    own: { type: 'Unconfined' },
    pod: { type: 'RuntimeDefault' },
    profile: { profileType: 'Unconfined' },
  },
  {
    title: 'none where the container is privileged',
    own: localhost('a'),
    privileged: true,
    profile: { profileType: 'Unconfined' },
  },
]

describe('the security context of a container', () => {
  for (const { title, own, pod, annotations = {}, text } of appArmorRows)
    it(`has as AppArmor profile ${title}`, () => {
      const made = contextOf(
        pod ? { securityContext: { appArmorProfile: pod } } : {},
        own ? { securityContext: { appArmorProfile: own } } : {},
        annotations,
      )
      expect(made['apparmorProfile']).to.equal(text)
      if (text?.startsWith('localhost/'))
        expect(made['apparmor']).to.deep.equal({ profileType: 'Localhost', localhostRef: text.slice(10) })
    })

  for (const { title, own, pod, privileged, profile } of seccompRows)
    it(`has as seccomp profile ${title}`, () => {
      const made = contextOf(pod ? { securityContext: { seccompProfile: pod } } : {}, {
        securityContext: { ...(own && { seccompProfile: own }), ...(privileged && { privileged }) },
      })
      expect(made['seccomp']).to.deep.equal(profile)
    })

  const nameless: [title: string, own: object, annotations: object][] = [
    ['seccomp without a name', { seccompProfile: { type: 'Localhost' } }, {}],
    ['AppArmor without a name', { appArmorProfile: { type: 'Localhost' } }, {}],
    ['AppArmor of no known form', {}, { [appArmor]: 'docker-default' }],
  ]
  for (const [title, securityContext, annotations] of nameless)
    it(`is refused: ${title}`, () =>
      expect(() => contextOf({}, { securityContext }, annotations)).to.throw(ConfigError, 'is no'))

  it('carries what the spec says', () => {
    const own = {
      privileged: true,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      runAsUser: 0,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    }
    const ofPod = { runAsUser: 7, runAsGroup: 8, fsGroup: 9, supplementalGroups: [10] }
    expect(contextOf({ securityContext: ofPod }, { securityContext: own })).to.deep.include({
      privileged: true,
      capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
      runAsUser: { value: 0 },
      runAsGroup: { value: 8 },
      supplementalGroups: [9, 10],
      readonlyRootfs: true,
      noNewPrivs: true,
    })
  })

  it('leaves user and AppArmor to image and runtime where nothing is said, and hides what the kubelet hides', () => {
    const made = contextOf({}, {})
    expect(made).not.to.have.any.keys('runAsUser', 'runAsGroup', 'apparmor', 'apparmorProfile')
    expect(made['maskedPaths']).to.include('/proc/kcore')
    expect(made['readonlyPaths']).to.include('/proc/sys')
  })

  const namespaces: [spec: object, expected: object][] = [
    [{}, { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }],
    [
      { hostNetwork: true, hostPID: true, hostIPC: true },
      { network: 'NODE', pid: 'NODE', ipc: 'NODE' },
    ],
    [{ shareProcessNamespace: true }, { network: 'POD', pid: 'POD', ipc: 'POD' }],
  ]
  for (const [spec, expected] of namespaces)
    it(`is in ${JSON.stringify(expected)} for ${JSON.stringify(spec)}`, () =>
      expect(contextOf(spec, {})['namespaceOptions']).to.deep.equal(expected))

  const nonRoot: [title: string, own: object, uid: string | undefined, isRefused: boolean][] = [
    ['nothing said', {}, undefined, false],
    ['user 0', { runAsNonRoot: true, runAsUser: 0 }, undefined, true],
    ['another user', { runAsNonRoot: true, runAsUser: 5 }, undefined, false],
    ['an image that runs as root, or as a user by name', { runAsNonRoot: true }, undefined, true],
    ['an image with a number', { runAsNonRoot: true }, '5', false],
  ]
  for (const [title, securityContext, uid, isRefused] of nonRoot)
    it(`${isRefused ? 'refuses' : 'lets run'}: ${title}`, () => {
      const more = { image: { ...image, uid: uid === undefined ? null : { value: uid } } }
      const make = (): object => contextOf({}, { securityContext }, {}, more)
      if (isRefused) expect(make).to.throw(ConfigError, 'runAsNonRoot')
      else expect(make).not.to.throw()
    })
})
