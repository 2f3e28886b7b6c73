import { expect } from 'chai'
import { MAX_TARGET_TEXT } from '../../../src/api/egress-left-out.ts'
import { targetText } from '../../../src/api/egress-target.ts'
import type { EgressAddresses, NetworkEgressRule } from '../../../src/api/types.ts'
import { compileBpf } from '../../../src/profile/bpf/compile-bpf.ts'
import { lookupEgress } from '../../../src/profile/bpf/egress.ts'
import { targetsOf } from '../../../src/profile/bpf/egress-targets.ts'
import { MAX_EGRESS_TARGETS } from '../../../src/profile/bpf/limits.ts'
import { AUDIT, DENY, flagsAt, portKey } from '../../../src/profile/bpf/port-set.ts'
import type { CompileContext } from '../../../src/profile/context.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'

const egress: NetworkEgressRule = {
  toServices: [
    { qualifiers: ['deny'], namespace: 'default', name: 'kubernetes' },
    { qualifiers: ['audit'], serviceSelector: { matchLabels: { app: 'db' } } },
  ],
  toPods: [
    { qualifiers: ['deny'], namespace: 'demo', podSelector: { matchLabels: { app: 'web' } }, ports: [{ port: 80 }] },
  ],
}
const texts = ['pods of demo: app=web', 'service default/kubernetes', 'services of all namespaces: app=db']
const both = { pods: true, services: true }

function compile(rules: NetworkEgressRule, context: Partial<CompileContext>) {
  const policy = {
    enforcer: 'BPF',
    mode: 'EnhanceProtect' as const,
    enhanceProtect: { privileged: true, bpfRawRules: { network: { egress: rules } } },
  }
  const result = compileBpf(policy, 'spec.policy', { profileName: 'p', appArmor: oldestAppArmor, ...context })
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result
}

describe('rules about the own pod', () => {
  const own = (...ports: number[]) => ({
    qualifiers: ['deny'],
    ip: 'pod-self',
    ports: ports.map((port) => ({ port })),
  })

  it('are ranges of ports, for the addresses that each container has, and for those that lead there', () => {
    const { value, skipped } = compile(
      { toDestinations: [own(80), own(443), { ip: '10.0.0.1', ports: [{ port: 80 }] }] },
      {},
    )
    expect(skipped).to.deep.equal([])
    const { table } = value.egress!
    expect(flagsAt(table.portSets[table.own!]!, portKey(443, 'tcp'))).to.equal(DENY)
    expect(flagsAt(table.portSets[table.own!]!, portKey(81, 'tcp'))).to.equal(0)
    expect(lookupEgress(table, '0.0.0.0', 443, 'tcp')).to.equal(DENY)
  })

  it('are not there where no rule is about it', () => {
    expect(compile({ toDestinations: [{ ip: '10.0.0.1' }] }, {}).value.egress!.table).not.to.have.property('own')
  })
})

describe('rules about Services and Pods', () => {
  it('say whose addresses they need, each target once', () => {
    const twice = { toPods: [...egress.toPods!, ...egress.toPods!], toServices: egress.toServices! }
    expect(targetsOf(compile(twice, {}).value, both).map(targetText)).to.deep.equal(texts)
  })

  for (const { control, targets, flags } of [
    { control: undefined, targets: [], flags: ['Service', 'Service', 'Pod'] },
    { control: { pods: true, services: false }, targets: texts.slice(0, 1), flags: ['Service', 'Service'] },
    { control: { pods: false, services: true }, targets: texts.slice(1), flags: ['Pod'] },
    { control: both, targets: texts, flags: [] },
  ])
    it(`are named with the flag that is missing, of ${JSON.stringify(control)}`, () => {
      const { value, skipped } = compile(egress, control === undefined ? {} : { egressControl: control })
      expect(targetsOf(value, control).map(targetText)).to.deep.equal(targets)
      const reasons = flags.map((what) =>
        control === undefined
          ? `only a manager with --enable${what}EgressControl knows the addresses of ${what}s`
          : `the manager does not look up the addresses of ${what}s: set --enable${what}EgressControl`,
      )
      expect(skipped.map(({ reason }) => reason)).to.deep.equal(reasons)
      expect(skipped.every(({ extent }) => extent === 'all')).to.equal(true)
    })

  it(`beyond ${MAX_EGRESS_TARGETS} different targets are named`, () => {
    const toPods = Array.from({ length: MAX_EGRESS_TARGETS + 2 }, (_, i) => ({
      ...{ qualifiers: ['deny'], namespace: `n${i}`, podSelector: {} },
    }))
    const { value, skipped } = compile({ toPods }, { egressControl: both })
    expect(targetsOf(value, both)).to.have.length(MAX_EGRESS_TARGETS)
    expect(skipped).to.have.length(2)
  })

  it('whose selector is too long are named, and their addresses are not looked up', () => {
    const values = Array.from({ length: MAX_TARGET_TEXT / 4 }, (_, i) => `v${i}`)
    const podSelector = { matchExpressions: [{ key: 'app', operator: 'NotIn' as const, values }] }
    const { value, skipped } = compile(
      { toPods: [{ qualifiers: ['deny'], namespace: 'demo', podSelector }] },
      { egressControl: both },
    )
    expect(targetsOf(value, both)).to.deep.equal([])
    expect(skipped.map(({ reason, extent }) => [reason, extent])).to.deep.equal([
      [`its selector is longer than ${MAX_TARGET_TEXT} characters; split it into several rules`, 'all'],
    ])
  })

  it('for which the manager has no room are named by the node, with what helps', () => {
    const addresses = texts.map((target) => ({ target, groups: [], leftOut: 'conditions' as const }))
    const { skipped } = compile(egress, { addresses })
    expect(skipped).to.have.length(3)
    for (const { reason, extent } of skipped)
      expect([reason, extent]).to.deep.equal([
        'its addresses are left out: too many selectors use the same label, or do not use a label; select by a label that few objects have, or name the namespace or the Service',
        'all',
      ])
  })

  it('hold for the addresses that a node gets, with the ports of the rule or of the endpoints', () => {
    const addresses: EgressAddresses[] = [
      { target: texts[0]!, groups: [{ addresses: ['10.0.0.1', 'fd00::1'] }] },
      { target: texts[1]!, groups: [{ addresses: ['10.96.0.1'] }, { addresses: ['192.168.0.2'], ports: [6443] }] },
      { target: texts[2]!, groups: [{ addresses: ['10.96.0.1', '10.96.0.9'] }] },
    ]
    const { value, skipped } = compile(egress, { addresses })
    expect(skipped).to.deep.equal([])
    const asked: [string, number, number][] = [
      ['10.0.0.1', 80, DENY],
      ['::ffff:10.0.0.1', 80, DENY],
      ['10.0.0.1', 81, 0],
      ['fd00::1', 80, DENY],
      ['10.96.0.1', 5, DENY | AUDIT],
      ['192.168.0.2', 6443, DENY],
      ['192.168.0.2', 443, 0],
      ['10.96.0.9', 1, AUDIT],
      ['10.96.0.10', 1, 0],
    ]
    for (const [address, port, flags] of asked)
      expect(lookupEgress(value.egress!.table, address, port, 'tcp'), `${address} ${port}`).to.equal(flags)
  })

  it('are named by the node that has no addresses, or not all', () => {
    const addresses = [
      { target: texts[0]!, groups: [{ addresses: ['10.0.0.1'] }], omitted: 7 },
      { target: texts[1]!, groups: [] },
    ]
    const { skipped } = compile(egress, { addresses })
    expect(skipped.map(({ rule, extent }) => [rule, extent])).to.deep.equal([
      ['bpfRawRules.network.egress.toServices[1]', 'all'],
      ['bpfRawRules.network.egress.toPods[0]', undefined],
    ])
    expect(skipped[1]!.reason).to.match(/^7 of its addresses are left out/)
  })

  it('with an address that is none are refused, as nothing of theirs may be passed over', () => {
    const addresses = [{ target: texts[0]!, groups: [{ addresses: ['nowhere'] }] }]
    expect(() => compile(egress, { addresses })).to.throw(/BAD_ADDRESS.*nowhere/)
  })
})
