import { expect } from 'chai'
import { linuxResources } from '../../../src/sandbox/kubelet/linux-resources.ts'
import { containerConfig, logFolder, sandboxConfig } from '../../../src/sandbox/kubelet/pod-requests.ts'
import { containerOf, podOf } from './pods.ts'

const options = { seccompRoot: '/seccomp', ownNetwork: true, podLogs: '/var/log/pods' }
const GiB = 1024 ** 3

describe('what CRI is asked for', () => {
  const pod = podOf({ terminationGracePeriodSeconds: 5 }, { labels: { app: 'shop' }, annotations: { note: 'n' } })

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
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      tty: true,
    })
    const mounts = [{ containerPath: '/a', hostPath: '/b' }]
    const resources = linuxResources(pod, container, GiB)
    const parts = { attempt: 2, imageRef: 'sha256:1', environment: new Map([['WHO', 'you']]), mounts, resources }
    const { annotations, ...made } = containerConfig(pod, container, parts, options)
    expect(made).to.deep.include({
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
      mounts,
    })
    expect(annotations).to.include({
      'io.kubernetes.container.restartCount': '2',
      'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
      'io.kubernetes.container.terminationMessagePolicy': 'File',
      'io.kubernetes.pod.terminationGracePeriod': '5',
    })
    expect(annotations['io.kubernetes.container.hash']).to.match(/^[0-9a-f]{8}$/)
  })
})

const resourceRows: { title: string; resources?: object; qosClass?: string; made: object }[] = [
  { title: 'nothing', made: { cpuShares: 2, cpuQuota: 0, memoryLimitInBytes: 0, oomScoreAdj: 1000 } },
  {
    title: 'limits alone, which are requests too',
    resources: { limits: { cpu: '500m', memory: '256Mi' } },
    qosClass: 'Guaranteed',
    made: {
      cpuShares: 512,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      memoryLimitInBytes: 256 * 1024 ** 2,
      oomScoreAdj: -997,
    },
  },
  {
    title: 'a request for half of the memory',
    resources: { requests: { cpu: '2', memory: '2Gi' } },
    qosClass: 'Burstable',
    made: { cpuShares: 2048, cpuQuota: 0, memoryLimitInBytes: 0, oomScoreAdj: 500 },
  },
  {
    title: 'a request for all of it, still after what is guaranteed',
    resources: { requests: { memory: '4Gi' } },
    qosClass: 'Burstable',
    made: { oomScoreAdj: 3 },
  },
  {
    title: 'less of a CPU than can be given',
    resources: { limits: { cpu: '1m' } },
    made: { cpuShares: 2, cpuQuota: 1_000 },
  },
]

describe('the resources of a container', () => {
  for (const { title, resources = {}, qosClass = 'BestEffort', made } of resourceRows)
    it(`follow from ${title}`, () =>
      expect(linuxResources(podOf({}, {}, { qosClass }), containerOf({ resources }), 4 * GiB)).to.include(made))
})
