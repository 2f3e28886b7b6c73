import { expect } from 'chai'
import fc from 'fast-check'
import type { FieldError } from '../../../src/api/field-error.ts'
import { ipProtocols, socketFamilies, socketTypeNumbers } from '../../../src/api/linux-sockets.ts'
import type { BpfAllowList, ModelBpf } from '../../../src/api/types.ts'
import {
  type BpfProfile,
  CARRY,
  fileFlags,
  type Mask64,
  type SocketRule,
} from '../../../src/profile/bpf/bpf-profile.ts'
import { lookupEgress } from '../../../src/profile/bpf/egress.ts'
import { AUDIT, DENY } from '../../../src/profile/bpf/port-set.ts'
import { readBpfProfile } from '../../../src/profile/bpf/read-profile.ts'
import { parsePathPattern } from '../../../src/profile/path-pattern.ts'
import { capabilities } from '../../../src/rules/capabilities.ts'
import { compile, flagsAt, marksOf, mountRulesAt } from './compiled.ts'

const modelled = (model: ModelBpf, more: object = {}, bpf: BpfAllowList = { profileType: 'BehaviorModel' }) =>
  compile({ mode: 'DefenseInDepth', defenseInDepth: { bpf, ...more } }, { model: { bpf: model } })

function profileOf(model: ModelBpf, more: object = {}): BpfProfile {
  const result = modelled(model, more)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

const errorsOf = (model: ModelBpf): FieldError[] => {
  const result = modelled(model)
  return result.ok ? [] : result.errors
}

const allFlags = 'read write append exec carry'
/** Treats a path with stars as a pattern, like a recorded path with an `oldPath`. */
const file = (path: string, ...permissions: string[]) => ({
  path,
  permissions,
  ...(path.includes('*') && { oldPath: '/one' }),
})

describe('a BPF profile of the mode DefenseInDepth', () => {
  it('refuses and reports all that is not listed', () => {
    const profile = profileOf({})
    for (const path of ['/', '/etc', '/etc/shadow', '/\n', '/ä/\xff'])
      expect(flagsAt(profile, path)).to.equal(`${allFlags} | ${allFlags}`)
    expect(profile).to.deep.include({
      mode: 'enforce',
      unlisted: { deny: true, audit: true },
      userns: { deny: true, audit: true },
    })
    expect(profile.bpf.map(({ command }) => command)).to.deep.equal(['prog_load', 'map_create'])
    expect(profile.capabilities?.denyMask).to.deep.equal([0xffff_ffff, 0xffff_ffff])
    expect(profile.ptrace).to.include({ denyAll: 10, denyOutside: 11, auditAll: 10 })
    expect(profile.blockDevices & 0xff).to.equal(15)
    expect(readBpfProfile(JSON.stringify(profile))).to.deep.equal(profile)
  })

  it('lets all of it through, and reports it, with allowViolations', () => {
    const profile = profileOf({}, { allowViolations: true })
    expect(flagsAt(profile, '/etc/shadow')).to.equal(`| ${allFlags}`)
    expect(profile.capabilities).to.deep.include({ denyMask: [0, 0], auditMask: [0xffff_ffff, 0xffff_ffff] })
    expect(lookupEgress(profile.egress!.table, '10.0.0.1', 80, 'tcp')).to.equal(AUDIT)
    expect(profile.sockets).to.deep.equal([
      { deny: false, audit: true, domainMask: [0, 0], typeMask: 0, protocolMask: [0, 0] },
    ])
  })

  const rows: { what: string; model: ModelBpf; at: string; left: string }[] = [
    {
      what: 'reading',
      model: { files: [file('/etc/passwd', 'read')] },
      at: '/etc/passwd',
      left: 'write append exec carry',
    },
    { what: 'appending', model: { files: [file('/log', 'append')] }, at: '/log', left: 'read write exec carry' },
    { what: 'making', model: { files: [file('/tmp/*', 'create')] }, at: '/tmp/x', left: 'read exec carry' },
    { what: 'a change of its mode', model: { files: [file('/a', 'chmod')] }, at: '/a', left: 'read exec carry' },
    { what: 'another name', model: { files: [file('/a', 'rename')] }, at: '/a', left: 'read exec' },
    { what: 'a program', model: { executions: ['/bin/sh'] }, at: '/bin/sh', left: 'read write append carry' },
    {
      what: 'what two entries say',
      model: { files: [file('/a', 'r'), file('/a', 'x')] },
      at: '/a',
      left: 'write append carry',
    },
    {
      what: 'a mount over it',
      model: { mounts: [{ path: '/mnt', type: 'tmpfs', flags: [] }] },
      at: '/mnt',
      left: 'read exec',
    },
    { what: 'all', model: { files: [file('/**', '*')] }, at: '/x/y', left: '' },
  ]
  for (const { what, model, at, left } of rows)
    it(`allows ${what}, and no more`, () => {
      expect(flagsAt(profileOf(model), at)).to.equal(`${left} | ${left}`.trim())
      expect(flagsAt(profileOf(model), `${at}${at}`)).to.equal(what === 'all' ? '|' : `${allFlags} | ${allFlags}`)
    })

  it('has for each path what the list leaves, whatever the patterns', () => {
    const segment = fc.constantFrom('a', 'b', '*', 'a*', '**')
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((all) => `/${all.join('/')}`)
      .filter((text) => parsePathPattern(text).ok)
    const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'c'), { maxLength: 5 }).map((all) => `/${all.join('/')}`)
    const means: Record<string, number> = {
      read: fileFlags.read,
      write: fileFlags.write | fileFlags.append,
      append: fileFlags.append,
      exec: fileFlags.exec,
      rename: fileFlags.write | fileFlags.append | CARRY,
    }
    const files = fc.array(fc.tuple(pattern, fc.subarray(['read', 'write', 'append', 'exec', 'rename'])), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(files, fc.array(path, { minLength: 1 }), (listed, paths) => {
        const profile = profileOf({ files: listed.map(([text, permissions]) => file(text, ...permissions)) })
        for (const one of paths) {
          let allowed = 0
          for (const [text, permissions] of listed)
            if (matches(text, one)) for (const name of permissions) allowed |= means[name]!
          const left = 47 & ~allowed
          expect(marksOf(profile.files.automaton, one), `${JSON.stringify(listed)} ${one}`).to.equal(left | (left << 8))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('allows capabilities by either name, and BPF by its own', () => {
    const profile = profileOf({ capabilities: ['net_bind_service', 'CAP_BPF'] })
    const [low, high] = profile.capabilities!.denyMask
    expect(low).to.equal((0xffff_ffff & ~(1 << capabilities.indexOf('net_bind_service'))) >>> 0)
    expect(high).to.equal((0xffff_ffff & ~(1 << (capabilities.indexOf('bpf') - 32))) >>> 0)
    expect(profile.bpf).to.deep.equal([])
  })

  it('allows tracing of others only where it was of others, and what ps and the node read in any case', () => {
    const within = profileOf({ ptraces: [{ permissions: ['read'] }] }).ptrace!
    expect(within).to.include({ denyAll: 10, denyOutside: 11 })
    const outside = profileOf({ ptraces: [{ permissions: ['trace'], external: true }] }).ptrace!
    expect(outside).to.include({ denyAll: 8, denyOutside: 9 })
  })

  it('allows sockets of the families, types and protocols that are listed, by the numbers of the kernel', () => {
    const domain = fc.constantFrom(1, 2, 10, 16, 17)
    const type = fc.constantFrom(...Object.values(socketTypeNumbers))
    const protocol = fc.constantFrom(0, 1, 6, 17, 58, 132, 136, 255, 262)
    const name = (number: number) => `IPPROTO_${ipProtocols[number]}`
    const typeName = (number: number) =>
      Object.entries(socketTypeNumbers)
        .find(([, one]) => one === number)![0]
        .toUpperCase()
    const socket = fc.tuple(domain, fc.option(type, { nil: undefined }), fc.option(protocol, { nil: undefined }))
    fc.assert(
      fc.property(fc.array(socket, { maxLength: 6 }), domain, type, protocol, (listed, ...asked) => {
        const profile = profileOf({
          network: {
            sockets: listed.map(([d, t, p]) => ({
              domain: `AF_${socketFamilies[d]!.toUpperCase()}`,
              ...(t !== undefined && { type: `SOCK_${typeName(t)}` }),
              ...(t !== undefined && p !== undefined && { protocol: name(p) }),
            })),
          },
        })
        const [d, t, p] = asked
        const isAllowed = listed.some(
          ([ld, lt, lp]) =>
            ld === d && (lt === undefined || (lt === t && (lp === undefined || kind(lt, lp) === kind(t, p)))),
        )
        const isRefused = profile.sockets.some((rule) => matchesSocket(rule, d, t, p))
        expect(isRefused, JSON.stringify([listed, asked])).to.equal(!isAllowed)
      }),
      { numRuns: 500 },
    )
  })

  it('allows to connect to the addresses and ports that are listed, however they are written', () => {
    const { table } = profileOf({
      network: {
        egresses: [
          { ip: '10.0.0.7', ports: [443, 53] },
          { ip: 'fd00::1', ports: [] },
          { ip: '127.0.0.1', ports: [80] },
          { ip: '10.1.0.0/16', ports: [1] },
        ],
      },
    }).egress!
    const refused = DENY | AUDIT
    const rows: [string, number, number][] = [
      ['10.0.0.7', 443, 0],
      ['10.0.0.7', 53, 0],
      ['10.0.0.7', 80, refused],
      ['10.0.0.8', 443, refused],
      ['::ffff:10.0.0.7', 443, 0],
      ['::ffff:10.0.0.7', 444, refused],
      ['::ffff:10.0.0.8', 443, refused],
      ['64:ff9b::a00:7', 443, 0],
      ['64:ff9b::a00:8', 443, refused],
      ['fd00::1', 9, 0],
      ['fd00::2', 9, refused],
      ['127.0.0.1', 80, 0],
      ['0.0.0.0', 80, 0],
      ['0.0.0.0', 81, refused],
      ['10.1.2.3', 1, 0],
      ['10.1.2.3', 2, refused],
      ['169.254.169.254', 80, refused],
      ['2001:db8::1', 443, refused],
      ['::', 81, refused],
    ]
    for (const [address, port, expected] of rows)
      for (const protocol of ['tcp', 'udp', 'other'] as const)
        expect(lookupEgress(table, address, port, protocol), `${address}:${port}`).to.equal(expected)
  })

  it('allows the mounts that are listed with no other flags, and refuses others there', () => {
    const profile = profileOf({
      mounts: [
        { path: '/mnt/*', type: 'tmpfs', flags: ['nosuid'] },
        { path: '/data', type: 'none', flags: ['rbind', 'ro', 'umount'] },
        { path: '/fuse', type: 'fuse.sshfs', flags: [] },
      ],
    })
    const allowedAt = (target: string) =>
      mountRulesAt(profile, '/s', target)
        .map((number) => profile.mounts!.rules[number]!)
        .flatMap(({ allow, operations, set, clear, fstype }) =>
          allow ? [[...operations, fstype, set, (~clear >>> 0).toString(16)]] : [],
        )
    expect(allowedAt('/mnt/a')).to.deep.equal([['new', 'tmpfs', 0, '2']])
    expect(allowedAt('/data')).to.have.deep.members([
      ['bind', undefined, 0, '5001'],
      ['umount', undefined, 0, '5001'],
    ])
    expect(allowedAt('/fuse')).to.deep.equal([['new', 'fuse', 0, '0']])
    expect(allowedAt('/other')).to.deep.equal([])
    const refused = mountRulesAt(profile, '/s', '/mnt/a').map((number) => profile.mounts!.rules[number]!)
    expect(refused.filter(({ deny }) => deny).map(({ operations }) => operations.length)).to.deep.equal([6])
  })

  it('keeps its hands off disks only where one is listed', () => {
    expect(profileOf({ files: [file('/dev/sda1', 'read')] }).blockDevices).to.equal(0)
    expect(profileOf({ files: [file('/dev/null', 'read')] }).blockDevices & 0xff).to.equal(15)
  })

  const wrong: { what: string; model: ModelBpf; error: Partial<FieldError> }[] = [
    {
      what: 'a pattern',
      model: { files: [file('etc', 'read'), file('//x', 'read')] },
      error: { code: 'BAD_PATTERN', path: 'files[1].path' },
    },
    {
      what: 'an access',
      model: { files: [file('/a', 'eat')] },
      error: { code: 'NOT_ALLOWED', path: 'files[0].permissions[0]' },
    },
    { what: 'a capability', model: { capabilities: ['fly'] }, error: { code: 'NOT_ALLOWED', path: 'capabilities[0]' } },
    {
      what: 'an address',
      model: { network: { egresses: [{ ip: 'home', ports: [] }] } },
      error: { code: 'BAD_ADDRESS', path: 'network.egresses[0].ip' },
    },
    {
      what: 'a family',
      model: { network: { sockets: [{ domain: 'AF_MARS' }] } },
      error: { code: 'NOT_ALLOWED', path: 'network.sockets[0].domain' },
    },
    {
      what: 'a socket without a family',
      model: { network: { sockets: [{ type: 'SOCK_RAW' }] } },
      error: { code: 'REQUIRED', path: 'network.sockets[0].domain' },
    },
    {
      what: 'a flag',
      model: { mounts: [{ path: '/a', flags: ['odd'] }] },
      error: { code: 'NOT_ALLOWED', path: 'mounts[0].flags' },
    },
    {
      what: 'a way to trace',
      model: { ptraces: [{ permissions: ['see'] }] },
      error: { code: 'NOT_ALLOWED', path: 'ptraces[0].permissions[0]' },
    },
  ]
  for (const { what, model, error } of wrong)
    it(`says where ${what} is wrong`, () => {
      const [first] = errorsOf(model)
      expect(first?.code).to.equal(error.code)
      expect(first?.path).to.equal(`ArmorProfileModel/varmor-demo-web: data.dynamicResult.bpf.${error.path}`)
    })

  it('needs a model or a list', () => {
    const codes = (bpf: BpfAllowList | undefined, model?: ModelBpf) => {
      const result = compile(
        { mode: 'DefenseInDepth', defenseInDepth: bpf === undefined ? {} : { bpf } },
        model && { model: { bpf: model } },
      )
      return result.ok ? [] : result.errors.map(({ code, path }) => `${code} ${path}`)
    }
    expect(codes(undefined)).to.deep.equal(['REQUIRED spec.policy.defenseInDepth.bpf'])
    expect(codes({ profileType: 'Custom' })).to.deep.equal(['REQUIRED spec.policy.defenseInDepth.bpf.allow'])
    expect(codes({ profileType: 'BehaviorModel' })).to.deep.equal([
      'MISSING_MODEL spec.policy.defenseInDepth.bpf.profileType',
    ])
    expect(codes({ profileType: 'Custom', allow: {} })).to.deep.equal([])
  })

  it('adds what the policy lists to what was recorded', () => {
    const result = modelled(
      { files: [file('/a', 'read')] },
      {},
      { profileType: 'BehaviorModel', allow: { files: [file('/b', 'read')] } },
    )
    if (!result.ok) throw new Error(JSON.stringify(result.errors))
    for (const path of ['/a', '/b']) expect(flagsAt(result.value, path)).to.not.include('read')
  })

  it('takes 10,000 names in a table that is no larger than theirs', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => file(`/srv/${i % 97}/data-${i}`, 'read'))
    const profile = profileOf({ files: names })
    expect(flagsAt(profile, '/srv/0/data-97')).to.equal('write append exec carry | write append exec carry')
    expect(profile.files.automaton!.bytes).to.be.below(1 << 20)
  })
})

/** A second implementation of patterns, segment by segment, as the documentation describes them. */
function matches(pattern: string, path: string): boolean {
  const [one, other] = [pattern, path].map((text) => text.split('/').slice(1)) as [string[], string[]]
  const at = (i: number, k: number): boolean => {
    if (i === one.length) return k === other.length
    // In the middle, `**` may match nothing. At the end, it matches at least one segment.
    if (one[i] === '**') {
      const last = i === one.length - 1
      if (last) return k < other.length
      for (let next = k; next <= other.length; next++) if (at(i + 1, next)) return true
      return false
    }
    if (k === other.length) return false
    const regex = new RegExp(`^${one[i]!.replaceAll('*', '[^/]*')}$`)
    return regex.test(other[k]!) && at(i + 1, k + 1)
  }
  return at(0, 0)
}

const kind = (type: number, protocol: number): number => {
  if (protocol === 0) return type === 1 ? 6 : type === 2 ? 17 : 0
  if (protocol === 262) return 6
  return protocol === 136 ? 17 : Math.min(protocol, 63)
}

const holds = ([low, high]: Mask64, bit: number): boolean =>
  (low === 0 && high === 0) || (bit < 64 && ((bit < 32 ? low : high) & (1 << (bit % 32))) !== 0)

function matchesSocket(rule: SocketRule, domain: number, type: number, protocol: number): boolean {
  return (
    holds(rule.domainMask, domain) && holds([rule.typeMask, 0], type) && holds(rule.protocolMask, kind(type, protocol))
  )
}
