import { expect } from 'chai'
import fc from 'fast-check'
import { readRawRules } from '../../../src/profile/apparmor/raw-rules.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { needsParser, parse } from './loaded-profile.ts'
import { compiled, enhance } from './policies.ts'
import { taken } from './taken-rules.ts'

const AT = 'spec.policy.enhanceProtect.appArmorRawRules[0].rules'
const read = (text: string) => readRawRules(AT, text, oldestAppArmor)
describe('raw AppArmor rules, whatever is written', () => {
  const words = fc.constantFrom(
    ...[
      'audit',
      'deny',
      'allow',
      'owner',
      'file',
      'link',
      'capability',
      'network',
      'mount',
      'umount',
      'remount',
      'pivot_root',
    ],
    ...[
      'ptrace',
      'signal',
      'dbus',
      'unix',
      'set',
      'rlimit',
      'change_profile',
      'profile',
      'hat',
      'include',
      '#include',
      'if',
      'abi',
    ],
    ...[
      'inet',
      'stream',
      'tcp',
      'chown',
      'read',
      'send',
      'bind',
      'kill',
      'nofile',
      '<=',
      '100',
      'peer=',
      'set=',
      'options=',
      'in',
    ],
    ...[
      'fstype=',
      'bus=',
      'name=',
      'label=',
      'type=',
      'addr=',
      'flags=',
      '(',
      ')',
      '{',
      '}',
      ',',
      ',\n',
      '\n',
      ' ',
      '->',
      '=',
      '"',
    ],
    ...[
      '/a',
      '/b/**',
      '/{a,b}',
      '/[a-c]',
      '"/q q"',
      '@{PROC}/x',
      '\\',
      '\\"',
      '\\042',
      '\\\n',
      '# c\n',
      '#',
      '^h',
      '@x',
      '$y',
      'é',
    ],
    ...[
      'r',
      'rw',
      'rix',
      'x',
      'px',
      'ux',
      'Cx',
      'wl',
      'k',
      'm',
      'ro',
      'rbind',
      'child_0',
      '<abstractions/base>',
      '*',
      '?',
      '!',
      '&',
    ],
  )
  const soup = fc
    .array(fc.tuple(words, fc.constantFrom('', ' ', ' ', '\n')), { maxLength: 24 })
    .map((parts) => parts.flat().join(''))
  const good = fc.constantFrom(...taken.map(([text]) => text))
  const mutated = fc.tuple(good, fc.nat(), fc.nat(3), words).map(([text, at, cut, word]) => {
    const where = at % (text.length + 1)
    return text.slice(0, where) + word + text.slice(where + cut)
  })
  const some = (...words: string[]) => fc.subarray(words, { maxLength: 3 }).map((list) => list.join(','))
  const one = fc.constantFrom
  const said = (...parts: fc.Arbitrary<string>[]) =>
    fc.tuple(...parts).map((list) => `${list.filter((part) => part !== '').join(' ')},`)
  const listed = (name: string, list: fc.Arbitrary<string>) =>
    list.map((text) => (text === '' ? '' : `${name}(${text})`))
  const place = one('', '', '/a', '/b/**', '"/q q"', 'tmpfs', '/{c,d}/')
  /** Rules with a valid form, although a combination of their parts may be invalid. */
  const formed = fc.oneof(
    said(
      one('mount', 'deny mount', 'remount', 'umount'),
      listed(
        'options=',
        some('ro', 'rw', 'bind', 'rbind', 'move', 'remount', 'rshared', 'private', 'noexec', 'user', 'verbose'),
      ),
      listed('options in ', some('nosuid', 'bind', 'loud', 'acl', 'iversion')),
      listed('fstype=', some('ext4', 'proc', '"f q"')),
      place,
      place.map((text) => (text === '' ? '' : `-> ${text}`)),
    ),
    said(
      one('dbus'),
      listed('', some('send', 'receive', 'bind', 'eavesdrop', 'rw')),
      one('', 'bus=session', 'bus=system'),
      one('', 'path=/x/*', 'interface=a.b member=C', 'name=org.x'),
      one('', 'peer=(name=a)', 'peer=(label=b)', 'peer=(name=a label=b)', 'name=org.y'),
    ),
    said(
      one('unix', 'deny unix'),
      listed('', some('create', 'bind', 'listen', 'connect', 'send', 'receive', 'getattr', 'accept')),
      one('', 'type=stream', 'type=raw', 'addr=@a', 'addr=none', 'addr=auto', 'label=x'),
      one('', 'peer=(addr=@b)', 'peer=(label=c)', 'peer=(addr=none label=c)', 'peer=(addr=x)', 'peer=(type=dgram)'),
    ),
    said(
      one('network', 'audit deny network'),
      one('', 'inet', 'inet6', 'unix', 'netlink', 'unspec', 'mctp', 'smc', 'ib', 'mpls', 'stream', 'tcp'),
      one('', 'stream', 'dgram', 'raw', 'rdm', 'seqpacket', 'packet', 'dccp', 'tcp', 'udp', 'icmp'),
    ),
    said(
      one('set rlimit'),
      one(
        'cpu',
        'nofile',
        'nice',
        'as',
        'rttime',
        'rtprio',
        'core',
        'locks',
        'ofile',
        'nproc',
        'sigpending',
        'msgqueue',
      ),
      one('<='),
      one('0', '1', '-5', '30', '19', 'infinity', '99999999999', '100M', '5 min', '2 KB', '10 s', '3 weeks'),
    ),
    said(
      one('', 'deny', 'audit', 'owner', 'audit deny owner', 'deny other'),
      one('', 'file'),
      one('/a', '"/b c"', '/**', '@{HOME}/x', '/d\\052', '/[^a]e', 'foo'),
      fc
        .array(one('r', 'w', 'a', 'l', 'k', 'm', 'ix', 'x', 'W', 'X', 'iX', 'px'), { minLength: 1, maxLength: 4 })
        .map((list) => list.join('')),
      one('', '-> /z', '-> zed'),
    ),
    said(
      one('signal', 'deny signal'),
      listed('', some('send', 'receive', 'r')),
      listed('set=', some('kill', 'rtmin+3', 'exists', 'rtmin+40')),
      one('', 'peer=/x', 'peer="a b"'),
    ),
    said(
      one('ptrace', 'audit ptrace'),
      listed('', some('read', 'trace', 'readby', 'tracedby', 'w')),
      one('', 'peer=@{profile_name}', 'peer=x//y'),
    ),
    said(one('pivot_root', 'deny pivot_root'), one('', 'oldroot=/o'), place),
    said(one('link', 'deny link', 'owner link subset'), one('/a', '/**'), one('->'), one('/b', '"/c d"')),
    said(one('change_profile', 'deny change_profile'), one('', '-> a', '-> unconfined')),
  )
  const texts = fc.oneof(
    formed,
    formed,
    formed,
    soup,
    mutated,
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.tuple(good, soup).map((two) => two.join(' ')),
  )

  /** Braces and directives outside of quotes and comments, which determine the structure of a profile. */
  function structure(text: string): string {
    const bare = text.replace(/"[^"\n]*"/g, '""').replace(/^ *#(?!include).*$/gm, '')
    return [...bare.matchAll(/[{}]|#?\binclude\b[^\n]*|\bprofile\b|\bhat\b|\bflags\b|@\{?\w+\}? *\+?=/g)]
      .map(([mark]) => mark)
      .join(' ')
  }

  const rule = (rules: string) => compiled(enhance({ appArmorRawRules: [{ rules }, { rules, targets: ['/opt/x'] }] }))
  const expected = structure(rule('deny /a r,'))

  it('the profile keeps its structure, or the text is refused', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { errors } = read(text)
        if (errors.length > 0) expect(errors.every(({ code }) => code === 'BAD_APPARMOR_RULE')).to.equal(true)
        else expect(structure(rule(text))).to.equal(expected)
      }),
      { numRuns: 3000, seed: 11 },
    )
  })

  it('apparmor_parser accepts what was not refused', function () {
    needsParser(this)
    const accepted = fc.sample(texts, { numRuns: 4000, seed: 12 }).filter((text) => read(text).errors.length === 0)
    expect(accepted.length).to.be.greaterThan(300)
    const wrap = (text: string, i: number) =>
      `abi <abi/3.0>,\ninclude <tunables/global>\nprofile p${i} {\n${read(text).lines.join('\n')}\n}\n`
    const { stderr, status } = parse(accepted.map(wrap))
    const failed = [...stderr.matchAll(/p0*(\d+)\b.*(?:error|Error).*|.*error.*p0*(\d+)\b.*/g)].map(([line, a, b]) => [
      line,
      accepted[Number(a ?? b)],
    ])
    expect(failed).to.deep.equal([])
    expect(status, stderr.slice(0, 2000)).to.equal(0)
  })
})
