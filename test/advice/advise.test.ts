import { expect } from 'chai'
import fc from 'fast-check'
import { parse } from 'yaml'
import { type AdviceQuestion, advise, judgesFor, sectionWith } from '../../src/advice/advise.ts'
import { againstRule } from '../../src/advice/contradiction.ts'
import { type Feature, featureNames, operationsOf } from '../../src/advice/features.ts'
import { modelOperations } from '../../src/advice/model-operations.ts'
import { Replay } from '../../src/advice/replay.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { DynamicResult } from '../../src/api/types.ts'
import { validatePolicy } from '../../src/api/validate.ts'
import { advisedPolicy, advisedYaml } from '../../src/cli/policy/advise-text.ts'
import { newestAppArmor, oldestAppArmor } from '../../src/profile/context.ts'
import { capabilities } from '../../src/rules/capabilities.ts'
import { arbitraryModel } from './arbitrary-model.ts'
import { compiledOf } from './policies.ts'

const place = { name: 'web', namespace: 'demo', target: { kind: 'Deployment' as const, name: 'web' } }
const all: KernelEnforcer[] = ['AppArmor', 'BPF', 'Seccomp']
const question = (more: Partial<AdviceQuestion>): AdviceQuestion => ({
  features: [],
  capabilities: [],
  enforcers: all,
  label: 'varmor-demo-web',
  ...more,
})

const questions: fc.Arbitrary<AdviceQuestion> = fc
  .record({
    result: fc.option(arbitraryModel, { nil: undefined }),
    features: fc.subarray(featureNames, { maxLength: 2 }),
    capabilities: fc.subarray([...capabilities], { maxLength: 2 }),
    enforcers: fc.subarray(all, { minLength: 1 }),
    appArmor: fc.constantFrom(oldestAppArmor, newestAppArmor),
  })
  .map(({ result, appArmor, ...rest }) =>
    question({ ...rest, options: { appArmor }, ...(result !== undefined && { result }) }),
  )

const namesIn = (asked: Partial<AdviceQuestion>): string[] =>
  advise(question(asked))
    .rules.filter(({ isIn }) => isIn)
    .map(({ rule }) => rule.name)
const whyOf = (name: string, asked: Partial<AdviceQuestion>): string =>
  advise(question(asked)).rules.find(({ rule }) => rule.name === name)!.why

describe('advice', () => {
  it('is a sound policy that refuses nothing of what was recorded, said or asked for', function () {
    this.timeout(600_000)
    fc.assert(
      fc.property(questions, (asked) => {
        const advice = advise(asked)
        const policy = advisedPolicy(advice, place)
        expect(validatePolicy(policy)).to.deep.equal([])
        const options = asked.options!
        const { operations, programs } = modelOperations(asked.result ?? {}, 'varmor-demo-web')
        const replay = new Replay(policy, compiledOf(policy, options), options, programs)
        for (const one of operations) replay.add(one)
        for (const operation of asked.features.flatMap((feature) => operationsOf[feature]))
          replay.add({ by: 'BPF', operation })
        for (const name of asked.capabilities) replay.add({ by: 'BPF', operation: { kind: 'capability', name } })
        expect(replay.end().refused, JSON.stringify([asked, policy])).to.deep.equal([])
      }),
      { numRuns: 60 },
    )
  })

  it('leaves no rule out without a reason that holds', function () {
    this.timeout(600_000)
    fc.assert(
      fc.property(questions, (asked) => {
        const advice = advise(asked)
        const { operations } = modelOperations(asked.result ?? {}, 'varmor-demo-web')
        for (const { rule, isIn, why } of advice.rules) {
          expect(why).not.to.equal('')
          if (isIn || !/^it (?:would|may) refuse/.test(why)) continue
          const judges = judgesFor(sectionWith(rule, true), asked.enforcers, asked.options!)
          const causes = [
            ...operations.map(({ operation }) => operation),
            ...asked.features.flatMap((feature) => operationsOf[feature]),
            ...asked.capabilities.map((name) => ({ kind: 'capability' as const, name })),
          ]
          const isCaused = causes.some((operation) => againstRule(judges, operation) !== undefined)
          const isImplied = /file exec|userns|userfaultfd|bpf prog_load/.test(why)
          expect(isCaused || isImplied, `${rule.name}: ${why}`).to.equal(true)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('is the same as YAML with comments', function () {
    this.timeout(600_000)
    fc.assert(
      fc.property(questions, (asked) => {
        const advice = advise(asked)
        const text = advisedYaml(advice, place, ['About.'])
        expect(parse(text)).to.deep.equal(advisedPolicy(advice, place))
        for (const { rule } of advice.rules) expect(text).to.include(rule.name)
      }),
      { numRuns: 20 },
    )
  })

  const quiet: DynamicResult = {
    appArmor: { executions: ['/usr/bin/app'] },
    bpf: {},
    seccomp: { syscalls: ['read', 'clone', 'clone3'] },
  }

  it('takes nearly all rules for a workload that does next to nothing', () => {
    const names = namesIn({ result: quiet })
    for (const name of [
      'disable-cap-all',
      'disallow-mount',
      'disable-network',
      'disable-shell',
      'mitigate-sa-leak',
      'disallow-create-user-ns',
      'disable-chmod-s-bit',
    ])
      expect(names).to.include(name)
    expect(names).not.to.include('disable-cap-kill')
    expect(names).not.to.include('dirty-pipe-mitigation')
  })

  const rows: [what: string, rule: string, asked: Partial<AdviceQuestion>, why: RegExp][] = [
    [
      'a capability that was recorded',
      'disable-cap-all',
      { result: { ...quiet, bpf: { capabilities: ['chown'] } } },
      /would refuse capability chown/,
    ],
    ['one that is named', 'disable-cap-all', { result: quiet, capabilities: ['kill'] }, /would refuse capability kill/],
    [
      'a port below 1024',
      'disable-cap-all',
      { features: ['bind-privileged-socket-port'] },
      /capability net_bind_service/,
    ],
    [
      'a shell',
      'disable-shell',
      { result: { appArmor: { executions: ['/bin/sh'] } } },
      /would refuse file exec \/bin\/sh/,
    ],
    [
      'a script of a shell',
      'disable-shell',
      { result: { appArmor: { executions: ['/docker-entrypoint.sh'] } } },
      /would refuse file exec/,
    ],
    [
      'a pattern that may be it',
      'mitigate-sa-leak',
      { result: { bpf: { files: [{ path: '/run/**', oldPath: '/run/x', permissions: ['read'] }] } } },
      /such as \/run\/secrets/,
    ],
    [
      'an application of the API server',
      'block-access-to-kube-apiserver',
      { result: quiet, features: ['require-sa'] },
      /require-sa/,
    ],
    [
      'an address that may be its',
      'block-access-to-kube-apiserver',
      { result: { bpf: { network: { egresses: [{ ip: '10.96.0.1', ports: [443] }] } } } },
      /only the cluster knows/,
    ],
    [
      'calls that were not recorded',
      'disable-chmod-x-bit',
      { result: { appArmor: {} } },
      /system calls were not recorded/,
    ],
    ['no model', 'disable-write-etc', {}, /record a model/],
    ['no privileges', 'disallow-mount-procfs', { result: quiet }, /the rule is needed only with privileged-container/],
    ['no enforcer for it', 'dirty-pipe-mitigation', { enforcers: ['BPF'] }, /none of the enforcers/],
    ['eBPF', 'disallow-load-all-bpf-prog', { features: ['load-bpf'] }, /would refuse/],
    [
      'unshare by name alone',
      'disallow-create-user-ns',
      { result: { seccomp: { syscalls: ['unshare'] } } },
      /may refuse syscall unshare/,
    ],
    [
      'unshare where BPF judges',
      'disallow-create-user-ns',
      { result: { seccomp: { syscalls: ['unshare'] } }, enforcers: ['BPF'] },
      /would refuse userns/,
    ],
  ]
  for (const [what, rule, asked, why] of rows)
    it(`leaves out ${rule} for ${what}`, () => {
      expect(namesIn(asked)).not.to.include(rule)
      expect(whyOf(rule, asked)).to.match(why)
    })

  it('keeps a rule that a pattern of a model seems to need, and does not mean', () => {
    const files = (path: string, oldPath?: string): DynamicResult => ({
      bpf: { files: [{ path, permissions: ['read'], ...(oldPath !== undefined && { oldPath }) }] },
      appArmor: { files: [{ path, permissions: ['r'], ...(oldPath !== undefined && { oldPath }) }] },
    })
    const ssh = 'disable-access-ssh-dir'
    expect(namesIn({ result: files('/data/*/id', '/data/0a1b2c3d4e5f6071/id') })).to.include(ssh)
    expect(namesIn({ result: files('/data/.ssh/id') })).not.to.include(ssh)
  })

  it('starts from AlwaysAllow where what was recorded is refused by default, and says why', () => {
    const advice = advise(question({ result: { bpf: { mounts: [{ path: '/mnt', type: 'tmpfs', flags: [] }] } } }))
    expect(advice).to.deep.include({
      privileged: true,
      whyPrivileged: 'containers may not do this by default: mount new /mnt type=tmpfs',
    })
    expect(advice.enforcers).to.deep.equal(['AppArmor', 'BPF'])
    const names = advice.rules.filter(({ isIn }) => isIn).map(({ rule }) => rule.name)
    expect(names).not.to.include('disallow-mount')
    expect(names).to.include('disallow-mount-procfs')
  })

  it('knows the features of upstream', () => {
    const upstream: Feature[] = [
      ...([
        'privileged-container',
        'mount-sth',
        'umount-sth',
        'share-containers-pid-ns',
        'share-host-pid-ns',
        'dind',
      ] as const),
      ...(['require-sa', 'bind-privileged-socket-port', 'load-bpf'] as const),
    ]
    expect(featureNames).to.have.members(upstream)
  })
})
