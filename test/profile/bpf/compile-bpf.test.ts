import { expect } from 'chai'
import fc from 'fast-check'
import type { FieldError } from '../../../src/api/field-error.ts'
import type { EnhanceProtect, Policy } from '../../../src/api/types.ts'
import {
  AUDIT_SHIFT,
  type Automaton,
  type BpfProfile,
  fileFlags,
  type PatternSets,
} from '../../../src/profile/bpf/bpf-profile.ts'
import { compileBpf } from '../../../src/profile/bpf/compile-bpf.ts'
import { lookupEgress } from '../../../src/profile/bpf/egress.ts'
import { domainNumber } from '../../../src/profile/bpf/network-tables.ts'
import { AUDIT, DENY } from '../../../src/profile/bpf/port-set.ts'
import { walk } from '../../../src/profile/bpf/table.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import type { Result } from '../../../src/profile/result.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'

const context = { profileName: 'varmor-demo-web', appArmor: oldestAppArmor }
const deny = ['deny']

function compile(policy: Omit<Policy, 'enforcer'>, more: object = {}): Result<BpfProfile> {
  return compileBpf({ enforcer: 'BPF', ...policy }, 'spec.policy', { ...context, ...more })
}

function profileOf(policy: Omit<Policy, 'enforcer'>, more: object = {}): BpfProfile {
  const result = compile(policy, more)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

const privileged = (rules: EnhanceProtect): BpfProfile =>
  profileOf({ mode: 'EnhanceProtect', enhanceProtect: { privileged: true, ...rules } })

const raw = (bpfRawRules: NonNullable<EnhanceProtect['bpfRawRules']>, more: EnhanceProtect = {}): BpfProfile =>
  privileged({ bpfRawRules, ...more })

function errorsOf(enhanceProtect: EnhanceProtect): FieldError[] {
  const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
  return result.ok ? [] : result.errors
}

const byteTable = (automaton: Automaton) => ({
  start: automaton.start,
  cellCount: automaton.cells,
  bytes: new Uint8Array(Buffer.from(automaton.table, 'base64')),
})

function marksOf(automaton: Automaton | undefined, path: string): number {
  return automaton === undefined ? 0 : walk(byteTable(automaton), Buffer.from(path))
}

type Word = keyof typeof fileFlags
const words = Object.keys(fileFlags) as Word[]

/** `deny` and `audit` words of a path: `read way | read` is refused read and way, and reported read. */
function flagsAt(profile: BpfProfile, path: string): string {
  const flags = marksOf(profile.files.automaton, path)
  const named = (bits: number) => words.filter((word) => bits & fileFlags[word]).join(' ')
  return `${named(flags)} | ${named(flags >> AUDIT_SHIFT)}`.trim()
}

/** Numbers of the mount rules whose patterns match. */
function mountRulesAt(profile: BpfProfile, source: string, target: string): number[] {
  const numbers = ({ always, sets, automaton }: PatternSets, path: string) => [
    ...always,
    ...sets[marksOf(automaton, path)]!,
  ]
  const { sources, targets } = profile.mounts!
  const atTarget = numbers(targets, target)
  return numbers(sources, source).filter((number) => atTarget.includes(number))
}

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

  it('DefenseInDepth: is an error that says what to do', () => {
    const result = compile({ mode: 'DefenseInDepth' })
    expect(result.ok ? [] : result.errors).to.deep.include({
      code: 'CONFLICT',
      path: 'spec.policy.mode',
      given: 'DefenseInDepth',
      problem: 'the BPF enforcer has no mode DefenseInDepth: leave BPF out of enforcer, or choose another mode',
    })
  })

  it('EnhanceProtect without its section: is an error', () => {
    const result = compile({ mode: 'EnhanceProtect' })
    expect(result.ok ? [] : result.errors.map(({ code, path }) => [code, path])).to.deep.equal([
      ['REQUIRED', 'spec.policy.enhanceProtect'],
    ])
  })
})

describe('the default rules', () => {
  const profile = profileOf({ mode: 'RuntimeDefault' })
  // All of /proc is on the way to the `mem` of a process.
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

  it('for some executables only are named as skipped', () => {
    const enhanceProtect = { attackProtectionRules: [{ rules: ['disable-write-etc'], targets: ['/bin/sh'] }] }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
    expect(result.ok && result.skipped).to.deep.equal([
      {
        enforcer: 'BPF',
        path: 'spec.policy.enhanceProtect.attackProtectionRules[0].rules[0]',
        rule: 'disable-write-etc',
        reason: 'rules for some executables only are carried by AppArmor alone',
      },
    ])
  })

  it('that nobody knows are errors', () => {
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
      const nothing = JSON.stringify(profileOf({ mode: 'AlwaysAllow' }))
      expect(JSON.stringify(result.value) === nothing).to.equal(result.skipped.length > 0)
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

  it('against services wait for the cluster to say their addresses', () => {
    const { egress } = privileged({ attackProtectionRules: [{ rules: ['block-access-to-kube-apiserver'] }] })
    expect(egress!.references).to.deep.equal([
      { kind: 'service', namespace: 'default', name: 'kubernetes', ports: [], deny: true, audit: false },
    ])
  })
})

const readKey = { pattern: '/key', permissions: ['read'] }

describe('raw rules', () => {
  it('about files and processes take each access by word or letter, in any case', () => {
    const profile = raw({
      files: [
        { qualifiers: deny, pattern: '/r', permissions: ['READ'] },
        { qualifiers: deny, pattern: '/w', permissions: ['w'] },
        { qualifiers: deny, pattern: '/a', permissions: ['append'] },
        { qualifiers: ['DENY', 'audit'], pattern: '/all', permissions: ['*'] },
      ],
      processes: [{ qualifiers: ['audit'], pattern: '/**/x', permissions: ['exec'] }],
    })
    const flags = ['/r', '/w', '/a', '/all', '/bin/x'].map((path) => flagsAt(profile, path))
    expect(flags).to.deep.equal([
      'read |',
      'write append |',
      'append |',
      'read write append exec | read write append exec',
      '| exec',
    ])
  })

  const withoutQualifiers: { auditViolations: boolean; allowViolations: boolean; flags: string }[] = [
    {
      auditViolations: false,
      allowViolations: false,
      flags: flagsAt(raw({ files: [{ ...readKey, qualifiers: ['deny'] }] }), '/key'),
    },
    {
      auditViolations: true,
      allowViolations: false,
      flags: flagsAt(raw({ files: [{ ...readKey, qualifiers: ['deny', 'audit'] }] }), '/key'),
    },
    {
      auditViolations: true,
      allowViolations: true,
      flags: flagsAt(raw({ files: [{ ...readKey, qualifiers: ['audit'] }] }), '/key'),
    },
  ]
  for (const { flags, ...mode } of withoutQualifiers) {
    it(`without qualifiers do what built-in rules do: ${JSON.stringify(mode)}`, () => {
      expect(flagsAt(raw({ files: [readKey] }, mode), '/key')).to.equal(flags)
    })
  }

  it('about one path add up, and are written once', () => {
    const { files } = raw({
      files: [
        { qualifiers: deny, pattern: '/a/**', permissions: ['write'] },
        { qualifiers: ['audit'], pattern: '/a/***', permissions: ['read'] },
      ],
    })
    expect(files.rules).to.deep.equal([{ pattern: '/a/**', deny: ['write'], audit: ['read'], way: true }])
    expect(files.any).to.equal(
      fileFlags.write | fileFlags.append | fileFlags.way | ((fileFlags.read | fileFlags.way) << AUDIT_SHIFT),
    )
  })

  it('overlap with the default rules without lifting their exceptions', () => {
    const profile = raw(
      { files: [{ qualifiers: deny, pattern: '/proc/7/**', permissions: ['write'] }] },
      { privileged: false },
    )
    expect(flagsAt(profile, '/proc/7/comm')).to.equal('write append way |')
    expect(flagsAt(profile, '/proc/8/comm')).to.equal('way |')
  })

  it('about sockets keep protocols to the families that speak them', () => {
    const { sockets } = raw({
      network: {
        sockets: [
          { qualifiers: deny, protocols: ['tcp'] },
          { qualifiers: ['audit'], domains: ['INET', 'packet'], types: ['raw'] },
          { qualifiers: deny, domains: ['all'] },
        ],
      },
    })
    expect(sockets).to.deep.include.members([
      {
        deny: true,
        audit: false,
        domains: ['inet', 'inet6'],
        protocols: ['tcp'],
        domainMask: [1028, 0],
        typeMask: 0,
        protocolMask: [64, 0],
      },
      {
        deny: false,
        audit: true,
        domains: ['inet', 'packet'],
        types: ['raw'],
        domainMask: [(1 << 2) | (1 << 17), 0],
        typeMask: 8,
        protocolMask: [0, 0],
      },
      { deny: true, audit: false, domainMask: [0, 0], typeMask: 0, protocolMask: [0, 0] },
    ])
    expect(sockets).to.have.length(3)
  })

  it('about sockets know the numbers of the families', () => {
    const numbers = { unspec: 0, inet6: 10, rose: 11, netbeui: 13, netlink: 16, alg: 38, vsock: 40, mctp: 45 } as const
    for (const [name, number] of Object.entries(numbers)) {
      expect(domainNumber(name as keyof typeof numbers), name).to.equal(number)
    }
  })

  it('about protocols of families that have none are named as skipped', () => {
    const bpfRawRules = { network: { sockets: [{ qualifiers: deny, domains: ['netlink'], protocols: ['tcp'] }] } }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { bpfRawRules } })
    expect(result.ok && result.skipped.map(({ path }) => path)).to.deep.equal([
      'spec.policy.enhanceProtect.bpfRawRules.network.sockets[0]',
    ])
  })

  it('about egress take addresses, blocks, words, ports, Services and Pods', () => {
    const { egress } = raw({
      network: {
        egress: {
          toDestinations: [
            { qualifiers: deny, cidr: '10.0.0.0/8', ports: [{ port: 80, endPort: 90 }] },
            { qualifiers: ['audit'], ip: 'pod-self', ports: [{ port: 22 }] },
            { qualifiers: deny, ports: [{ port: 25 }] },
          ],
          toServices: [
            { qualifiers: deny, namespace: 'a', name: 'b' },
            { qualifiers: deny, serviceSelector: { matchLabels: { c: 'd' } } },
          ],
          toPods: [{ qualifiers: deny, namespace: 'e', podSelector: {}, ports: [{ port: 1 }] }],
        },
      },
    })
    const at = (address: string, port: number) => lookupEgress(egress!.table, address, port, 'udp')
    expect([at('10.9.9.9', 85), at('10.9.9.9', 91), at('fd00::1', 25), at('0.0.0.0', 22)]).to.deep.equal([
      DENY,
      0,
      DENY,
      AUDIT,
    ])
    expect(egress!.references.map(({ kind }) => kind).sort()).to.deep.equal(['pod-self', 'pods', 'service', 'services'])
  })

  it('about ptrace: strictMode means the processes of the container, too', () => {
    const masks = (strictMode: boolean) =>
      raw({ ptrace: { qualifiers: deny, permissions: ['trace', 'readby'], strictMode } }).ptrace
    expect(masks(false)).to.deep.include({ denyAll: 0, denyOutside: 6 })
    expect(masks(true)).to.deep.include({ denyAll: 6, denyOutside: 6 })
  })

  it('about mounts match by source, and count without privileged', () => {
    const mounts = [
      { qualifiers: deny, sourcePattern: '/proc**', fstype: 'none', flags: ['bind', 'rw'] },
      { qualifiers: ['audit'], sourcePattern: '**', fstype: '*', flags: ['umount'] },
    ]
    const profile = raw({ mounts }, { privileged: false })
    const matching = mountRulesAt(profile, '/proc/1', '/mnt').map((number) => profile.mounts!.rules[number]!)
    expect(matching).to.deep.include.members([
      { operations: ['umount'], set: 0, clear: 0, source: '**', deny: false, audit: true },
      {
        operations: ['new', 'bind', 'remount', 'propagation'],
        set: 1 << 12,
        clear: 1,
        fstype: 'none',
        source: '/proc**',
        deny: true,
        audit: false,
      },
    ])
    expect(mountRulesAt(profile, '/data', '/mnt')).to.have.length(2)
  })

  it('with mistakes give every error, each at its field', () => {
    const errors = errorsOf({
      bpfRawRules: {
        files: [
          { qualifiers: deny, pattern: 'a/b', permissions: ['read'] },
          { qualifiers: deny, pattern: '/a', permissions: ['reed'] },
        ],
        network: {
          egress: {
            toDestinations: [
              { qualifiers: deny, ip: '10.0.0.0/8' },
              { qualifiers: deny, cidr: '10/8', ports: [{ port: 9, endPort: 8 }] },
            ],
          },
        },
        mounts: [{ qualifiers: deny, sourcePattern: '/x//', fstype: '*', flags: ['bind'] }],
      },
    })
    expect(
      errors.map(({ code, path }) => `${code} ${path.replace('spec.policy.enhanceProtect.bpfRawRules.', '')}`),
    ).to.deep.equal([
      'BAD_PATTERN files[0].pattern',
      'NOT_ALLOWED files[1].permissions[0]',
      'BAD_ADDRESS network.egress.toDestinations[0].ip',
      'BAD_ADDRESS network.egress.toDestinations[1].cidr',
      'BAD_ADDRESS network.egress.toDestinations[1].ports[0]',
      'BAD_PATTERN mounts[0].sourcePattern',
    ])
  })

  it('that are too many for the kernel are refused, the most expensive by their fields', () => {
    const files = Array.from({ length: 60 }, (_, i) => ({
      qualifiers: deny,
      pattern: i < 30 ? `/srv/${i}` : `/**/from-${i}/**/to-${i}`,
      permissions: ['read'],
    }))
    const errors = errorsOf({ privileged: true, bpfRawRules: { files } })
    expect(errors).to.have.length(5)
    for (const { code, path } of errors) {
      expect(code).to.equal('TOO_LARGE')
      expect(Number(/files\[(\d+)\]$/.exec(path)?.[1])).to.be.at.least(30)
    }
  })

  it('about too many different mounts are refused', () => {
    const mounts = Array.from({ length: 1025 }, (_, i) => ({
      qualifiers: deny,
      sourcePattern: `/m/${i}`,
      fstype: '*',
      flags: ['bind'],
    }))
    expect(errorsOf({ privileged: true, bpfRawRules: { mounts } }).map(({ code, path }) => [code, path])).to.deep.equal(
      [['TOO_LARGE', 'spec.policy.enhanceProtect.bpfRawRules.mounts']],
    )
  })

  it('10,000 of them compile', () => {
    const files = Array.from({ length: 10_000 }, (_, i) => ({
      qualifiers: deny,
      pattern: `/srv/${i % 97}/file-${i}`,
      permissions: ['write'],
    }))
    const profile = raw({ files })
    expect(flagsAt(profile, '/srv/7/file-7')).to.equal('write append |')
    expect(profile.files.automaton!.bytes).to.be.below(1_000_000)
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
