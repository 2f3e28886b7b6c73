import { expect } from 'chai'
import { AUDIT_SHIFT, CARRY, fileFlags } from '../../../src/profile/bpf/bpf-profile.ts'
import { lookupEgress } from '../../../src/profile/bpf/egress.ts'
import { domainNumber } from '../../../src/profile/bpf/network-tables.ts'
import { AUDIT, DENY } from '../../../src/profile/bpf/port-set.ts'
import { compile, deny, errorsOf, flagsAt, mountRulesAt, raw } from './compiled.ts'

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

  it('without qualifiers are named where violations pass in silence, since then they do nothing', () => {
    const bpfRawRules = {
      files: [readKey, { ...readKey, qualifiers: ['deny'] }],
      network: { sockets: [{ domains: ['netlink'] }], egress: { toDestinations: [{ ip: 'pod-self' }] } },
      mounts: [{ sourcePattern: '/x', fstype: '*', flags: ['all'] }],
    }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { allowViolations: true, bpfRawRules } })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    const at = 'spec.policy.enhanceProtect.bpfRawRules'
    expect(result.skipped.map(({ enforcer, path }) => `${enforcer} ${path}`)).to.deep.equal([
      `BPF ${at}.files[0]`,
      `BPF ${at}.mounts[0]`,
      `BPF ${at}.network.sockets[0]`,
      `BPF ${at}.network.egress.toDestinations[0]`,
    ])
    for (const { reason } of result.skipped) expect(reason).to.match(/write qualifiers/)
    const observed = compile({
      mode: 'EnhanceProtect',
      enhanceProtect: { allowViolations: true, auditViolations: true, bpfRawRules },
    })
    expect(observed.ok && observed.skipped).to.deep.equal([])
  })

  it('about Services and Pods are named if their addresses are not given', () => {
    const toPods = [{ namespace: 'db', podSelector: {} }]
    const toServices = [
      { namespace: 'web', name: 'front' },
      { serviceSelector: {}, qualifiers: ['audit'] },
    ]
    const toDestinations = [{ ip: '10.0.0.1' }, { ip: 'pod-self' }]
    const bpfRawRules = { network: { egress: { toPods, toServices, toDestinations } } }
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { bpfRawRules } })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    const at = 'bpfRawRules.network.egress'
    expect(result.skipped.map(({ rule, extent }) => [rule, extent])).to.deep.equal([
      [`${at}.toServices[0]`, 'all'],
      [`${at}.toServices[1]`, 'all'],
      [`${at}.toPods[0]`, 'all'],
    ])
  })

  it('about links of procfs are named, since the kernel judges what is behind them', () => {
    const files = ['/proc/self/environ', '/proc/*/environ'].map((pattern) => ({ pattern, permissions: ['read'] }))
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { bpfRawRules: { files } } })
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    expect(result.skipped).to.have.length(1)
    expect(result.skipped[0]).to.include({ rule: '/proc/self/environ' })
    expect(result.skipped[0]!.path).to.match(/bpfRawRules\.files\[0\]$/)
  })

  it('about one path add up, and are written once', () => {
    const { files } = raw({
      files: [
        { qualifiers: deny, pattern: '/a/**', permissions: ['write'] },
        { qualifiers: ['audit'], pattern: '/a/***', permissions: ['read'] },
      ],
    })
    expect(files.rules).to.deep.equal([{ pattern: '/a/**', deny: ['write'], audit: ['read'], way: true }])
    expect(files.any).to.equal(
      fileFlags.write |
        fileFlags.append |
        fileFlags.way |
        CARRY |
        ((fileFlags.read | fileFlags.way | CARRY) << AUDIT_SHIFT),
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

  it('about protocols of families that have none are named as skipped, wholly or in part', () => {
    const sockets = [['netlink'], ['inet', 'unix'], ['inet6']].map((domains) => ({ domains, protocols: ['tcp'] }))
    const result = compile({ mode: 'EnhanceProtect', enhanceProtect: { bpfRawRules: { network: { sockets } } } })
    expect(result.ok && result.skipped.map(({ path, rule, extent }) => [path, rule, extent])).to.deep.equal([
      ['spec.policy.enhanceProtect.bpfRawRules.network.sockets[0]', 'netlink', 'all'],
      ['spec.policy.enhanceProtect.bpfRawRules.network.sockets[1]', 'unix', undefined],
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
      { operations: ['umount'], set: 0, clear: 0, deny: false, audit: true },
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

  it('about a type mean it whatever name stands behind its dot, which the one who mounts chooses', () => {
    const typesOf = (...types: string[]) =>
      raw(
        { mounts: types.map((fstype) => ({ sourcePattern: '**', fstype, flags: ['all'] })) },
        { privileged: true },
      ).mounts!.rules.map(({ fstype }) => fstype)
    expect(typesOf('fuse.sshfs', 'fuseblk', 'ext4')).to.have.members(['fuse', 'fuseblk', 'ext4'])
    expect(typesOf('fuse', 'fuse.a', 'fuse.b.c')).to.deep.equal(['fuse'])
    expect(typesOf('.x', '*')).to.have.members(['.x', undefined])
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

  it('about ports that each address has beside all those of a block around it are refused, with what to do about it', () => {
    const wide = Array.from({ length: 255 }, (_, i) => ({ port: 2 * i + 1 }))
    const toDestinations = [
      { cidr: '0.0.0.0/0', ports: wide },
      ...Array.from({ length: 83 }, (_, i) => ({ ip: `10.0.0.${i}`, ports: [{ port: 2000 + 2 * i }] })),
    ]
    const errors = errorsOf({ privileged: true, bpfRawRules: { network: { egress: { toDestinations } } } })
    const path = 'spec.policy.enhanceProtect.bpfRawRules.network.egress.toDestinations[0]'
    expect(errors[0]).to.include({ code: 'TOO_LARGE', path })
    expect(errors[0]!.problem).to.match(/16384 ranges of ports.*smaller block.*same ports/)
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
