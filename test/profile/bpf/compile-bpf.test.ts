import { expect } from 'chai'
import fc from 'fast-check'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import { lookupEgress } from '../../../src/profile/bpf/egress.ts'
import { DENY } from '../../../src/profile/bpf/port-set.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'
import { compile, errorsOf, flagsAt, mountRulesAt, privileged, profileOf } from './compiled.ts'

describe('compiling a policy for BPF', () => {
  it('AlwaysAllow: nothing is refused, nothing reported', () => {
    expect(profileOf({ mode: 'AlwaysAllow' })).to.deep.equal({
      mode: 'enforce',
      files: { rules: [], any: 0 },
      sockets: [],
      bpf: [],
      blockDevices: 0,
    })
  })

  it('BehaviorModeling: everything is recorded until the model is complete', () => {
    expect(profileOf({ mode: 'BehaviorModeling' }).mode).to.equal('complain')
    expect(profileOf({ mode: 'BehaviorModeling' }, { modelingComplete: true })).to.deep.equal(
      profileOf({ mode: 'AlwaysAllow' }),
    )
  })

  for (const [mode, section] of [
    ['EnhanceProtect', 'enhanceProtect'],
    ['DefenseInDepth', 'defenseInDepth'],
  ] as const)
    it(`${mode} without its section: is an error`, () => {
      const result = compile({ mode })
      expect(result.ok ? [] : result.errors.map(({ code, path }) => [code, path])).to.deep.equal([
        ['REQUIRED', `spec.policy.${section}`],
      ])
    })
})

describe('the default rules', () => {
  const profile = profileOf({ mode: 'RuntimeDefault' })
  // Every directory in /proc may be a parent of a `mem` file.
  const rows: [path: string, flags: string][] = [
    ['/proc/sysrq-trigger', 'read write append way |'],
    ['/proc/kcore', 'read write append way |'],
    ['/proc/1/mem', 'read write append way |'],
    ['/proc/1/task/7/mem', 'read write append way |'],
    ['/sys/firmware/efi/x', 'read write append |'],
    ['/sys/kernel/security/apparmor/.load', 'read write append |'],
    ['/sys/devices/virtual/powercap/x/energy_uj', 'read write append |'],
    ['/proc/sys/kernel/core_pattern', 'write append way |'],
    ['/proc/sys/vm/drop_caches', 'write append way |'],
    ['/proc/irq/1/smp_affinity', 'write append way |'],
    ['/sys/kernel/mm/x', 'write append |'],
    ['/proc/sys/kernel/shmmax', 'way |'],
    ['/proc/1/oom_score_adj', 'way |'],
    ['/proc/4242/attr/current', 'way |'],
    ['/sys/fs/cgroup/pids/x', '|'],
    ['/sys/firmware', 'write append way |'],
    ['/sys', 'way |'],
    ['/', 'way |'],
    ['/etc/passwd', '|'],
  ]
  for (const [path, flags] of rows) it(`${path}: ${flags}`, () => expect(flagsAt(profile, path)).to.equal(flags))

  it('refuse mounting, but not unmounting', () => {
    const [rule] = profile.mounts!.rules
    expect(rule).to.deep.include({
      operations: ['new', 'bind', 'move', 'remount', 'propagation'],
      deny: true,
      audit: false,
    })
    expect(mountRulesAt(profile, '/dev/sda', '/mnt')).to.deep.equal([0])
  })

  it('refuse tracing and reading processes outside the container', () => {
    expect(profile.ptrace).to.deep.include({ denyAll: 0, denyOutside: 3, auditAll: 0, auditOutside: 0 })
  })

  it('hold in EnhanceProtect for containers that are not privileged', () => {
    const result = profileOf({ mode: 'EnhanceProtect', enhanceProtect: {} })
    expect(result).to.deep.equal(profile)
    expect(privileged({})).to.deep.equal(profileOf({ mode: 'AlwaysAllow' }))
  })
})

describe('built-in rules', () => {
  const writeEtc = { attackProtectionRules: [{ rules: ['disable-write-etc'] }] }
  const verdicts: [auditViolations: boolean, allowViolations: boolean, flags: string][] = [
    [false, false, 'write append |'],
    [true, false, 'write append | write append'],
    [true, true, '| write append'],
    [false, true, '|'],
  ]
  for (const [auditViolations, allowViolations, flags] of verdicts) {
    it(`auditViolations ${auditViolations}, allowViolations ${allowViolations}: ${flags}`, () => {
      expect(flagsAt(privileged({ ...writeEtc, auditViolations, allowViolations }), '/etc/x')).to.equal(flags)
    })
  }

  it('that neither refuse nor report say so', () => {
    const enhanceProtect = { ...writeEtc, allowViolations: true }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
    expect(result.ok && result.skipped.map(({ path }) => path)).to.deep.equal([
      'spec.policy.enhanceProtect.allowViolations',
    ])
  })

  it('protect the way to what they protect, unless protectAncestors is false', () => {
    expect(flagsAt(privileged(writeEtc), '/etc')).to.equal('way |')
    expect(flagsAt(privileged({ ...writeEtc, protectAncestors: false }), '/etc')).to.equal('|')
    expect(flagsAt(privileged({ ...writeEtc, auditViolations: true }), '/')).to.equal('way | way')
  })

  it('that need a hook in part only are named, and enforced for the rest', () => {
    const policy = {
      mode: 'EnhanceProtect' as const,
      enhanceProtect: { hardeningRules: ['disallow-userfaultfd-creation'] },
    }
    const without = compile(policy, { absentHooks: ['lsm/inode_init_security_anon'] })
    expect(without.ok && [without.value.userfaultfd, without.value.files.rules.length > 0]).to.deep.equal([
      undefined,
      true,
    ])
    expect(without.ok && without.skipped.map(({ rule, extent }) => [rule, extent])).to.deep.equal([
      ['disallow-userfaultfd-creation', undefined],
    ])
    const other = compile(policy)
    expect(other.ok && [other.value.userfaultfd, other.skipped]).to.deep.equal([{ deny: true, audit: false }, []])
  })

  it('for some executables only are named as skipped', () => {
    const enhanceProtect = { attackProtectionRules: [{ rules: ['disable-write-etc'], targets: ['/bin/sh'] }] }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
    expect(result.ok && result.skipped).to.deep.equal([
      {
        enforcer: 'BPF',
        path: 'spec.policy.enhanceProtect.attackProtectionRules[0].rules[0]',
        rule: 'disable-write-etc',
        reason: 'only AppArmor can limit rules to certain executables',
        extent: 'all',
      },
    ])
  })

  it('about user namespaces are of all kernels', () => {
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] } })
    expect(result.ok && [result.value.userns, result.skipped]).to.deep.equal([{ deny: true, audit: false }, []])
  })

  it('that are unknown are errors', () => {
    expect(errorsOf({ hardeningRules: ['disallow-moun'] })[0]).to.include({
      code: 'UNKNOWN_RULE',
      nearest: 'disallow-mount',
    })
  })

  for (const rule of catalogue) {
    it(`${rule.name}: compiles to something, or is skipped with a reason`, () => {
      const list = { hardening: 'hardeningRules', 'vulnerability-mitigation': 'vulMitigationRules' } as const
      const rules: EnhanceProtect =
        rule.category === 'attack-protection'
          ? { attackProtectionRules: [{ rules: [rule.name] }] }
          : { [list[rule.category]]: [rule.name] }
      const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { privileged: true, ...rules } })
      if (!result.ok) throw new Error(JSON.stringify(result.errors))
      const { egress, ...others } = result.value
      const { egress: _, ...nothing } = profileOf({ mode: 'AlwaysAllow' })
      const isNothing = JSON.stringify(others) === JSON.stringify(nothing) && !egress?.destinations.length
      expect(isNothing).to.equal(result.skipped.length > 0)
    })
  }

  it('give capabilities as names and as the bits of their numbers', () => {
    expect(privileged({ hardeningRules: ['disable-cap-chown', 'disable-cap-bpf'] }).capabilities).to.deep.equal({
      deny: ['chown', 'bpf'],
      audit: [],
      denyMask: [1, 1 << 7],
      auditMask: [0, 0],
    })
  })

  it('against metadata services hold for IPv6 sockets, too', () => {
    const { egress } = privileged({ attackProtectionRules: [{ rules: ['block-access-to-metadata-service'] }] })
    expect(lookupEgress(egress!.table, '::ffff:169.254.169.254', 80, 'tcp')).to.equal(DENY)
  })

  it('against services wait for the cluster to say their addresses, and are named until then', () => {
    const enhanceProtect = { attackProtectionRules: [{ rules: ['block-access-to-kube-apiserver'] }] }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
    expect(result.ok && result.skipped).to.deep.equal([
      {
        enforcer: 'BPF',
        path: 'spec.policy.enhanceProtect.attackProtectionRules[0].rules[0]',
        rule: 'block-access-to-kube-apiserver',
        reason: 'only a manager with --enableServiceEgressControl knows the addresses of Services',
        extent: 'all',
      },
    ])
    const { egress } = privileged(enhanceProtect)
    expect(egress!.references).to.deep.equal([
      { kind: 'service', namespace: 'default', name: 'kubernetes', ports: [], deny: true, audit: false },
    ])
  })
})

describe('a compiled profile', () => {
  const all = (privilegedToo: boolean): EnhanceProtect => {
    const named = (category: string) => catalogue.filter((rule) => rule.category === category).map(({ name }) => name)
    return {
      privileged: privilegedToo,
      hardeningRules: named('hardening'),
      attackProtectionRules: [{ rules: named('attack-protection') }],
      vulMitigationRules: named('vulnerability-mitigation'),
    }
  }

  it('says everything in JSON', () => {
    const profile = profileOf({ mode: 'EnhanceProtect', enhanceProtect: all(false) })
    expect(JSON.parse(JSON.stringify(profile))).to.deep.equal(profile)
  })

  it('of all built-in rules together is far below the bounds', () => {
    expect(privileged(all(true)).files.automaton!.bytes).to.be.below(400_000)
  })

  it('is the same JSON whatever the order of the rules', () => {
    const names = all(true).hardeningRules!
    const rules = fc.shuffledSubarray(names, { minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(rules, (chosen) => {
        const [one, other] = [chosen, [...chosen].reverse()].map((hardeningRules) =>
          JSON.stringify(privileged({ hardeningRules })),
        )
        expect(one).to.equal(other)
      }),
      { numRuns: 20 },
    )
  })
})
