import { expect } from 'chai'
import { ConfigError } from '../../../src/sandbox/kubelet/environment.ts'
import {
  appArmorOf,
  checkNonRoot,
  namespacesOf,
  seccompOf,
  securityContextOf,
} from '../../../src/sandbox/kubelet/security-context.ts'
import { containerOf, podOf } from './pods.ts'

const options = { seccompRoot: '/var/lib/kubelet/seccomp', ownNetwork: false }
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
  {
    title: 'runtime/default of an annotation',
    annotations: { [appArmor]: 'runtime/default' },
    text: 'runtime/default',
  },
  { title: 'unconfined of an annotation', annotations: { [appArmor]: 'unconfined' }, text: 'unconfined' },
]

describe('the AppArmor profile of a container', () => {
  for (const { title, own, pod, annotations = {}, text } of appArmorRows)
    it(`is ${title}`, () => {
      const container = containerOf(own && { securityContext: { appArmorProfile: own } })
      const found = appArmorOf(podOf(pod && { securityContext: { appArmorProfile: pod } }, { annotations }), container)
      expect(found?.text).to.equal(text)
      if (text?.startsWith('localhost/'))
        expect(found?.profile).to.deep.equal({
          profileType: 'Localhost',
          localhostRef: text.slice('localhost/'.length),
        })
    })

  it('is refused without the name of the profile, and for text of no known form', () => {
    const nameless = containerOf({ securityContext: { appArmorProfile: { type: 'Localhost' } } })
    expect(() => appArmorOf(podOf(), nameless)).to.throw(ConfigError, 'missing localhost apparmor profile name')
    const odd = podOf({}, { annotations: { [appArmor]: 'docker-default' } })
    expect(() => appArmorOf(odd, containerOf())).to.throw(ConfigError, 'invalid AppArmor profile name')
  })
})

const seccompRows: { title: string; own?: object; pod?: object; annotations?: object; profile: object }[] = [
  { title: 'none', profile: { profileType: 'Unconfined' } },
  {
    title: 'its own field',
    own: localhost('varmor/a.json'),
    pod: { type: 'RuntimeDefault' },
    profile: { profileType: 'Localhost', localhostRef: '/var/lib/kubelet/seccomp/varmor/a.json' },
  },
  { title: 'the field of the pod', pod: { type: 'RuntimeDefault' }, profile: { profileType: 'RuntimeDefault' } },
  {
    title: 'Unconfined over the pod',
    own: { type: 'Unconfined' },
    pod: { type: 'RuntimeDefault' },
    profile: { profileType: 'Unconfined' },
  },
  {
    title: 'its annotation',
    annotations: { 'container.seccomp.security.alpha.kubernetes.io/main': 'localhost/x' },
    profile: { profileType: 'Localhost', localhostRef: '/var/lib/kubelet/seccomp/x' },
  },
  {
    title: 'the annotation of the pod',
    annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'runtime/default' },
    profile: { profileType: 'RuntimeDefault' },
  },
  {
    title: 'a field before an annotation',
    own: { type: 'RuntimeDefault' },
    annotations: { 'container.seccomp.security.alpha.kubernetes.io/main': 'unconfined' },
    profile: { profileType: 'RuntimeDefault' },
  },
]

describe('the seccomp profile of a container', () => {
  for (const { title, own, pod, annotations = {}, profile } of seccompRows)
    it(`is ${title}`, () => {
      const container = containerOf(own && { securityContext: { seccompProfile: own } })
      const found = seccompOf(
        podOf(pod && { securityContext: { seccompProfile: pod } }, { annotations }),
        container,
        options,
      )
      expect(found).to.deep.equal(profile)
    })

  it('is refused without the name of the profile', () => {
    const nameless = containerOf({ securityContext: { seccompProfile: { type: 'Localhost' } } })
    expect(() => seccompOf(podOf(), nameless, options)).to.throw(ConfigError, 'localhostProfile must be set')
  })
})

describe('the security context of a container', () => {
  it('carries what the spec says', () => {
    const container = containerOf({
      securityContext: {
        privileged: true,
        capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
        runAsUser: 0,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      },
    })
    const pod = podOf({ securityContext: { runAsUser: 7, runAsGroup: 8, fsGroup: 9, supplementalGroups: [10] } })
    expect(securityContextOf(pod, container, options)).to.deep.include({
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
    const made = securityContextOf(podOf(), containerOf(), options) as Record<string, unknown>
    expect(made).not.to.have.any.keys('runAsUser', 'runAsGroup', 'apparmor', 'apparmorProfile')
    expect(made['maskedPaths']).to.include('/proc/kcore')
    expect(made['readonlyPaths']).to.include('/proc/sys')
  })

  const namespaces: [spec: object, ownNetwork: boolean, expected: object][] = [
    [{}, false, { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' }],
    [{}, true, { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }],
    [{ hostNetwork: true, hostPID: true, hostIPC: true }, true, { network: 'NODE', pid: 'NODE', ipc: 'NODE' }],
    [{ shareProcessNamespace: true }, true, { network: 'POD', pid: 'POD', ipc: 'POD' }],
  ]
  for (const [spec, ownNetwork, expected] of namespaces)
    it(`is in ${JSON.stringify(expected)} for ${JSON.stringify(spec)}, own network ${ownNetwork}`, () =>
      expect(namespacesOf(podOf(spec), { ...options, ownNetwork })).to.deep.equal(expected))

  const nonRoot: [title: string, own: object, image: object, says: string | undefined][] = [
    ['nothing said', {}, {}, undefined],
    ['user 0', { runAsNonRoot: true, runAsUser: 0 }, {}, 'runAsUser breaks non-root policy'],
    ['another user', { runAsNonRoot: true, runAsUser: 5 }, {}, undefined],
    ['an image that runs as root', { runAsNonRoot: true }, {}, 'image will run as root'],
    ['an image with a number', { runAsNonRoot: true }, { uid: 5 }, undefined],
    ['an image with a name', { runAsNonRoot: true }, { name: 'web' }, 'non-numeric user (web)'],
  ]
  for (const [title, own, image, says] of nonRoot)
    it(`${says === undefined ? 'lets run' : 'refuses'}: ${title}`, () => {
      const check = (): void => checkNonRoot(podOf(), containerOf({ securityContext: own }), image)
      if (says === undefined) expect(check).not.to.throw()
      else expect(check).to.throw(ConfigError, says)
    })
})
