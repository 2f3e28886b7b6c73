import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { bpfProfileOf, describeContainer } from '../../../src/agent/containers/describe-container.ts'
import type { NodeContainer, RuntimeContainer } from '../../../src/agent/containers/runtime.ts'
import { dockerNames } from '../../../src/agent/standalone/docker-names.ts'
import type { HeldPolicy } from '../../../src/agent/standalone/policy-set.ts'
import { seccompRules } from '../../../src/agent/standalone/seccomp-rules.ts'
import { StandaloneConfinement } from '../../../src/agent/standalone/standalone-confinement.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { turn } from '../../audit/manual-clock.ts'
import { sandbox } from '../containers/made-containers.ts'
import { held } from './made-policies.ts'

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex')

const container = (name: string, more: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  ...{ id: idOf(name), name, namespace: 'default', image: 'img', labels: {}, annotations: {}, appArmorProfile: '' },
  ...more,
})

describe('containers without a cluster', () => {
  const warned: string[] = []
  let confinement: StandaloneConfinement
  const enforce = (...policies: HeldPolicy[]): void => confinement.set(policies)
  const described = (
    one: RuntimeContainer,
    pod = one.labels['pod'] === undefined ? undefined : sandbox,
  ): NodeContainer => describeContainer(one, 7, { mntNsID: 5 }, confinement.podOf(one, pod))
  const bpfOf = (one: RuntimeContainer): string => {
    const { containerName, podAnnotations } = described(one)
    return bpfProfileOf(containerName, podAnnotations)
  }

  beforeEach(() => {
    warned.length = 0
    confinement = new StandaloneConfinement({
      seccompFolder: '/s',
      problems: () => [],
      logger: { ...noLogger, warn: (fields) => void warned.push((fields as { reason: string }).reason) },
    })
  })

  const web = { kind: 'Pod', selector: { matchLabels: { app: 'web' } } }
  const dev = { kind: 'Pod', selector: { matchLabels: { app: 'dev' } } }
  const targets: [title: string, policies: HeldPolicy[], one: RuntimeContainer, profile: string][] = [
    ['by name', [held('a', 'web')], container('web'), 'varmor-default-web'],
    ['not by another name', [held('a', 'web')], container('web2'), ''],
    ['not in another namespace', [held('a', 'web')], container('web', { namespace: 'moby' }), ''],
    [
      'in the namespace of the policy',
      [held('a', 'web', { namespace: 'moby' })],
      container('web', { namespace: 'moby' }),
      'varmor-moby-web',
    ],
    [
      'in any namespace by a cluster policy, which comes first',
      [held('a', 'web'), held('b', 'all', { kind: 'VarmorClusterPolicy', target: { kind: 'Pod', name: 'web' } })],
      container('web'),
      'varmor-cluster-varmor-all',
    ],
    ['by label', [held('a', 'p', { target: web })], container('x', { labels: { app: 'web' } }), 'varmor-default-p'],
    ['not by another label', [held('a', 'p', { target: web })], container('x', { labels: { app: 'db' } }), ''],
    [
      'by label and the names of containers',
      [held('a', 'p', { target: { ...web, containers: ['x'] } })],
      container('y', { labels: { app: 'web' } }),
      '',
    ],
    [
      'by the names of pods where there are some',
      [held('a', 'p', { namespace: 'demo', target: { kind: 'Pod', name: 'pod' } })],
      container('x', {
        labels: { pod: '' },
        namespace: 'k8s.io',
        annotations: { 'io.kubernetes.cri.sandbox-id': 's1' },
      }),
      'varmor-demo-p',
    ],
    [
      'by name, whatever pod and name the image claims in its labels',
      [held('a', 'web', { namespace: 'moby' })],
      container('web', {
        namespace: 'moby',
        labels: { 'io.kubernetes.container.name': 'innocent', 'io.kubernetes.pod.name': 'payments-0' },
      }),
      'varmor-moby-web',
    ],
    [
      'by the labels of pods, whatever labels the image has',
      [held('a', 'p', { namespace: 'demo', target: web }), held('b', 'q', { namespace: 'demo', target: dev })],
      container('x', {
        labels: { pod: '', app: 'dev' },
        namespace: 'k8s.io',
        annotations: { 'io.kubernetes.cri.sandbox-id': 's1' },
      }),
      'varmor-demo-p',
    ],
    ['not for another enforcer', [held('a', 'web', { enforcer: 'AppArmor' })], container('web'), ''],
    ['not by an id that BPF cannot find', [held('a', 'web')], container('web', { id: 'web' }), ''],
  ]
  for (const [title, policies, one, profile] of targets)
    it(`are put into BPF profiles ${title}`, () => {
      enforce(...policies)
      expect(bpfOf(one)).to.equal(profile)
      const { containerName, podName, podNamespace, podLabels, podAnnotations } = described(one, undefined)
      if (one.labels['pod'] === undefined && one.id !== 'web')
        expect(
          bpfProfileOf(
            containerName,
            confinement.annotationsOf({
              ...{ containerName, podName, podNamespace, podLabels, podAnnotations },
            }),
          ),
        ).to.equal(profile)
    })

  it('are not known to be free before their policies are known', async () => {
    let known = false
    void confinement.known.then(() => {
      known = true
    })
    await turn()
    expect(known).to.equal(false)
    enforce()
    await turn()
    expect(known).to.equal(true)
  })

  it('are checked again when policies change', () => {
    let times = 0
    confinement.subscribe(() => times++)
    enforce(held('a', 'web'))
    expect(bpfOf(container('web'))).to.equal('varmor-default-web')
    enforce()
    expect(bpfOf(container('web'))).to.equal('')
    expect(times).to.equal(2)
  })

  it('are named when they run without what their policy says, once, with what to do', () => {
    const policy = held('a', 'web', { enforcer: 'AppArmorBPFSeccomp', rules: ['disallow-create-user-ns'] })
    enforce(policy)
    const filter = JSON.parse(policy.document.spec.profile.seccomp!)
    const good = {
      appArmorProfile: 'varmor-default-web',
      seccomp: seccompRules({ ...filter, architectures: ['SCMP_ARCH_X86_64'] })!,
    }
    const poll = (more: Partial<RuntimeContainer>): readonly string[] => {
      confinement.check([described(container('web', more)), described(container('other'))])
      return confinement.problems()
    }
    const who = (id: string): string => `container web (${id.slice(0, 12)}) runs without`
    expect(poll(good)).to.deep.equal([])
    const { seccomp, ...unfiltered } = good
    const expected = [
      `${who(idOf('web'))} the AppArmor profile of VarmorPolicy default/web: start it with --security-opt apparmor=varmor-default-web (nerdctl, docker), --apparmor-profile varmor-default-web (ctr), or with localhost_ref varmor-default-web in the container's security context (CRI)`,
      `${who(idOf('web'))} the Seccomp profile of VarmorPolicy default/web: start it with --security-opt seccomp=/s/varmor-default-web (nerdctl, docker), or as ctr run --seccomp --seccomp-profile /s/varmor-default-web, or with localhost_ref /s/varmor-default-web in the container's security context (CRI)`,
    ]
    expect(poll({ appArmorProfile: 'docker-default', seccomp: seccompRules({ defaultAction: 'x' })! })).to.deep.equal(
      expected,
    )
    poll(unfiltered)
    expect(warned).to.deep.equal(expected)
    expect(poll({ ...good, id: 'web' })).to.deep.equal([
      `${who('web')} the BPF profile of VarmorPolicy default/web: BPF confines only containers whose id has 64 hexadecimal digits, as nerdctl, Docker and CRI create them`,
    ])
    // The container's violations are attributed to the policy.
    expect(described(container('web', good)).profileName).to.equal('varmor-default-web')
  })

  it('are named when two policies mean them', () => {
    enforce(held('a', 'web'), held('b', 'also', { target: { kind: 'Pod', name: 'web' } }))
    confinement.check([described(container('web'))])
    expect(confinement.problems()).to.deep.equal([
      `container web (${idOf('web').slice(0, 12)}) matches the targets of VarmorPolicy default/also and VarmorPolicy default/web; the first confines it: change one target`,
    ])
  })
})

describe('what a seccomp filter does', () => {
  const rule = { names: ['a', 'b'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] }
  const filter = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }

  it('is the same however runtimes write it', () => {
    const [arg] = rule.args
    const same = {
      ...{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86'] },
      syscalls: ['b', 'a'].map((name) => ({ ...rule, names: [name], errnoRet: 0, args: [{ ...arg, valueTwo: 0 }] })),
    }
    expect(seccompRules(same)).to.equal(seccompRules(filter))
  })

  const others: [string, unknown][] = [
    ['another action', { ...filter, defaultAction: 'SCMP_ACT_LOG' }],
    ['another call', { ...filter, syscalls: [{ ...rule, names: ['a'] }] }],
    ['another argument', { ...filter, syscalls: [{ ...rule, args: [] }] }],
    ['another error', { ...filter, syscalls: [{ ...rule, errnoRet: 38 }] }],
    ['no filter', undefined],
  ]
  for (const [title, other] of others)
    it(`is something else with ${title}`, () => expect(seccompRules(other)).not.to.equal(seccompRules(filter)))
})

describe("Docker's names of containers", () => {
  let root: string
  const id = idOf('web')
  const put = (text: string): void => {
    mkdirSync(join(root, 'containers', id), { recursive: true })
    writeFileSync(join(root, 'containers', id, 'config.v2.json'), text)
  }
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'varmor-docker-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('come with their labels', async () => {
    put(JSON.stringify({ Name: '/web', Config: { Labels: { 'com.docker.compose.service': 'web' } } }))
    expect(await dockerNames(root, id)).to.deep.equal({
      name: 'web',
      labels: { 'com.docker.compose.service': 'web' },
    })
  })

  it('are not there for a container of another Docker, or one that is no container', async () => {
    expect(await dockerNames(root, id)).to.equal(undefined)
    expect(await dockerNames(root, '../../etc')).to.equal(undefined)
    put('{')
    expect(await dockerNames(root, id)).to.equal(undefined)
  })
})
