import { expect } from 'chai'
import fc from 'fast-check'
import { isPlain, plainJobs } from '../../../actors/compiler/plain.ts'
import { ruleNames } from '../../../src/rules/catalogue.ts'
import { policy } from '../../manager/made-up.ts'

const enhanced = (enhanceProtect: object, enforcer = 'AppArmorBPFSeccomp') =>
  policy({ enforcer, mode: 'EnhanceProtect', spec: { enhanceProtect } })
const names = (count: number) => Array.from({ length: count }, (_, i) => `rule-${i}`)
const usual = enhanced({
  hardeningRules: ruleNames('hardening').slice(0, 8),
  attackProtectionRules: [
    { rules: ruleNames('attack-protection').slice(0, 4) },
    { rules: ['disable-write-etc'], targets: ['/bin/bash'] },
  ],
  vulMitigationRules: ruleNames('vulnerability-mitigation').slice(0, 2),
  auditViolations: true,
  protectAncestors: false,
})
const withMetadata = (metadata: object) => ({ ...usual, metadata: { ...usual.metadata, ...metadata } })
const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)

describe('a plain policy', () => {
  for (const [what, object, expected] of [
    ['AlwaysAllow', policy(), true],
    ['RuntimeDefault', policy({ mode: 'RuntimeDefault' }), true],
    ['some built-in rules', usual, true],
    ['built-in rules of the cluster', policy({ cluster: true, mode: 'EnhanceProtect' }), true],
    ['rules that do not exist', enhanced({ hardeningRules: names(20) }), true],
    ['an annotation of some length', withMetadata({ annotations: { note: 'x'.repeat(20_000) } }), true],
    ['a mode that does not exist', policy({ mode: 'enhanceProtect' }), false],
    ['a model', policy({ mode: 'BehaviorModeling', spec: { modelingOptions: { duration: 1 } } }), false],
    ['a profile of its own', policy({ mode: 'DefenseInDepth', spec: { defenseInDepth: {} } }), false],
    ['a profile of its own for another mode', policy({ spec: { defenseInDepth: {} } }), false],
    ['AppArmor rules of its own', enhanced({ appArmorRawRules: [] }), false],
    ['BPF rules of its own', enhanced({ bpfRawRules: {} }), false],
    ['Seccomp rules of its own', enhanced({ syscallRawRules: [] }), false],
    ['rules of a proxy', enhanced({ networkProxyRawRules: {} }), false],
    ['a proxy', policy({ spec: { networkProxyConfig: {} } }), false],
    ['an unknown field', enhanced({ more: 1 }), false],
    ['many rules', enhanced({ hardeningRules: names(80) }), false],
    ['a long name', enhanced({ hardeningRules: ['x'.repeat(3_000)] }), false],
    ['many labels', withMetadata({ labels: Object.fromEntries(names(1_000).map((name) => [name, ''])) }), false],
    ['a long annotation', withMetadata({ annotations: { note: 'x'.repeat(40_000) } }), false],
    ['deeply nested metadata', withMetadata({ annotations: deep(100_000) }), false],
    ['a text in place of rules', enhanced('x' as unknown as object), true],
    ['no spec', { ...usual, spec: undefined }, false],
    ['nothing', undefined, false],
    ['null', null, false],
    ['a text', 'text', false],
  ] as const)
    it(`${expected ? 'may have' : 'does not have'} ${what}`, () => {
      expect(isPlain(object)).to.equal(expected)
    })

  it('is recognised with bounded work, whatever the object is', () => {
    fc.assert(fc.property(fc.jsonValue(), (spec) => !isPlain({ ...usual, spec }) && !isPlain(spec)))
    let reads = 0
    const endless: object = new Proxy({} as Record<string, unknown>, {
      ownKeys: () => names(5_000),
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
      get: () => (reads++ % 2 === 0 ? '' : endless),
    })
    expect(isPlain({ ...usual, metadata: endless })).to.equal(false)
    expect(reads).to.be.below(1_100)
    const list = new Proxy(Array(100_000).fill(''), { ownKeys: () => expect.fail('the places are looked at') })
    expect(isPlain({ ...usual, spec: list })).to.equal(false)
  })

  it('is judged only if the previous object is plain, too, and compiled only without a model', () => {
    const raw = enhanced({ appArmorRawRules: [{ rules: 'file,' }] })
    const judged = (object: unknown, before: unknown) =>
      plainJobs.judgePolicy?.(object, before, {
        installNamespace: 'varmor',
        egressControl: { pods: false, services: false },
      })
    expect(judged(usual, undefined)).to.equal(true)
    expect(judged(usual, policy())).to.equal(true)
    expect(judged(raw, usual)).to.equal(false)
    expect(judged(usual, raw)).to.equal(false)
    const options = { installNamespace: 'varmor', modeling: { state: 'none' } } as const
    expect(plainJobs.desiredProfile?.(usual, options)).to.equal(true)
    expect(plainJobs.desiredProfile?.(raw, options)).to.equal(false)
    expect(plainJobs.desiredProfile?.(usual, { ...options, model: {} })).to.equal(false)
  })
})
