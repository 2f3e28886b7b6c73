import { expect } from 'chai'
import fc from 'fast-check'
import { readRawRules } from '../../../src/profile/apparmor/raw-rules.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { load, needsParser, parse } from './loaded-profile.ts'
import { compiled, enhance, newAppArmor } from './policies.ts'

const AT = 'spec.policy.enhanceProtect.appArmorRawRules[0].rules'
const read = (text: string) => readRawRules(AT, text, oldestAppArmor)

describe('raw AppArmor rules', () => {
  const taken: [text: string, lines: string[]][] = [
    [
      'audit deny /etc/hosts r,\n  audit deny /etc/shadow r,',
      ['audit deny "/etc/hosts" r,', 'audit deny "/etc/shadow" r,'],
    ],
    ['deny /a r, # why\n# and more\n/b w,', ['deny "/a" r,', '# why', '# and more', '"/b" w,']],
    ['r /a,', ['"/a" r,']],
    ['/a,b rw,/c r,', ['"/a\\054b" rw,', '"/c" r,']],
    ['deny "/with space/{a,b,}/[a-z0-9]*" wl,', ['deny "/with space/{a,b,}/[a-z0-9]*" wl,']],
    ['deny /with\\ space/\\"q\\"\\*\\041 r,', ['deny "/with space/\\042q\\042\\052\\041" r,']],
    ['deny @{PROC}/sys/** w,', ['deny "@{PROC}/sys/**" w,']],
    ['owner /home/** rwk,', ['owner "/home/**" rwk,']],
    ['capability\n  net_admin sys_admin,', ['capability net_admin sys_admin,']],
    ['network inet6 stream,network,', ['network inet6 stream,', 'network,']],
    ['mount options=(ro, bind) /a -> /b/,', ['mount options=(ro,bind) "/a" -> "/b/",']],
    ['deny mount fstype=(proc,sysfs),\numount /x/,', ['deny mount fstype=("proc","sysfs"),', 'umount "/x/",']],
    ['ptrace (read, trace) peer=other,', ['ptrace (read,trace) peer="other",']],
    ['signal send set=(kill term) peer={a,b},', ['signal (send) set=(kill,term) peer="{a,b}",']],
    ['dbus send bus=session path=/x peer=(name=org.y),', ['dbus (send) bus="session" path="/x" peer=(name="org.y"),']],
    ['unix (connect) type=stream peer=(addr=@x),', ['unix (connect) type=stream peer=(addr="\\100x"),']],
    ['set rlimit nofile <= 1024,', ['set rlimit nofile <= 1024,']],
    ['set rlimit as <= 2G,', ['set rlimit as <= 2 G,']],
    ['link subset /a -> /b,', ['link subset "/a" -> "/b",']],
    ['deny /bin/x x,\n/opt/** mrix,', ['deny "/bin/x" x,', '"/opt/**" rmix,']],
    ['deny change_profile,', ['deny change_profile,']],
    ['file,', ['file,']],
    ['deny //etc//shadow r,\ndeny /a/./b/. r,', ['deny "/etc/shadow" r,', 'deny "/a/b" r,']],
    ['/proc/self/** r,', ['"/proc/self/**" r,']],
    ['deny /proc/selfish r,\ndeny /a/..b r,', ['deny "/proc/selfish" r,', 'deny "/a/..b" r,']],
  ]
  for (const [text, lines] of taken) {
    it(`takes ${JSON.stringify(text)}`, () => expect(read(text)).to.deep.include({ lines, errors: [], skipped: [] }))
  }

  it('loads all of these', function () {
    needsParser(this)
    const { status, stderr } = parse(taken.map(([rules]) => compiled(enhance({ appArmorRawRules: [{ rules }] }))))
    expect(status, stderr).to.equal(0)
  })

  const never: [text: string, reason: RegExp][] = [
    ['deny /proc/self/environ r,', /\/proc\/self is a link.*write \/proc\/\*$/],
    ['deny @{PROC}/thread-self/{mem,maps} rw,', /write \/proc\/\*\/task\/\*$/],
    ['audit deny "/proc/net/tcp" r,', /write \/proc\/\*\/net$/],
    ['deny /proc/mounts r,', /write \/proc\/\*\/mounts$/],
    ['deny /a/../etc/shadow r,', /segment "\.\."/],
    ['deny mount -> /proc/self/fd/,', /is a link/],
  ]
  for (const [text, reason] of never) {
    it(`says of ${JSON.stringify(text)} that it would never apply, and what is meant`, () => {
      const { skipped, errors, lines } = read(text)
      expect(errors).to.deep.equal([])
      expect(skipped).to.have.length(1)
      expect(skipped[0]).to.include({ enforcer: 'AppArmor', path: AT })
      expect(skipped[0]!.reason).to.match(reason)
      expect(lines.every((line) => line.startsWith('# left out: '))).to.equal(true)
    })
  }

  const refused: [text: string, line: number, problem: string][] = [
    ['deny /a r,\n}\nprofile x { file,', 2, 'would close the profile'],
    ['deny /a r,\nprofile x { file, }', 2, 'raw rules open no profile'],
    ['owner { /a r, }', 1, 'opens a block'],
    ['^hat { }', 1, 'opens a block'],
    ['hat x {}', 1, 'raw rules open no hat'],
    ['#include <tunables/global>\n', 1, 'is no comment'],
    ['#includes are fine, or are they', 1, 'is no comment'],
    ['include "/etc/shadow"\n', 1, 'not included'],
    ['/a r,\ninclude if exists <x>', 2, 'not included'],
    ['@{PROC} = /\n/a r,', 1, 'variables are not set'],
    ['$x = true\n/a r,', 1, 'variables'],
    ['alias / -> /x,', 1, 'change no path'],
    ['abi <kernel>,', 1, 'chosen for the node'],
    ['flags=(complain),', 1, 'flags belong'],
    ['if defined @{X} { /a r, }', 1, 'conditions'],
    ['/bin/sh px,', 1, 'outside of this profile'],
    ['/bin/sh Px -> unconfined,', 1, 'outside of this profile'],
    ['/bin/sh ux,', 1, 'outside of this profile'],
    ['/bin/sh rPUx,', 1, 'outside of this profile'],
    ['/bin/sh cix,', 1, 'outside of this profile'],
    ['/bin/sh cx -> child_0,', 1, 'outside of this profile'],
    ['change_profile -> unconfined,', 1, 'leaves this one'],
    ['pivot_root /a -> unconfined,', 1, 'would leave'],
    ['deny /a r', 1, 'not ended by a comma'],
    ['deny /a r\ndeny /b r,', 1, 'not ended by a comma before line 2'],
    ['deny /x{a r,', 1, '"{" is not closed'],
    ['deny /x}a r,', 1, 'closes no "{"'],
    ['deny /{a} r,', 1, 'closes no "{" with a comma'],
    ['deny /x[ r,', 1, 'between "[" and "]"'],
    ['deny /x[*] r,', 1, 'between "[" and "]"'],
    ['deny /x\\\n r,', 1, 'is no escape'],
    ['deny "/x\n" r,', 1, 'not closed in its line'],
    ['deny @{UNKNOWN}/x r,', 1, 'the variables that every node knows'],
    ['deny etc/x r,', 1, 'begins no rule'],
    ['netwrk inet,', 1, 'did you mean "network"?'],
    ['capability net_admn,', 1, 'did you mean "net_admin"?'],
    ['/a rz,', 1, 'are no permissions'],
    ['/a wa,', 1, 'exclude each other'],
    ['/a rx,', 1, 'use "ix"'],
    ['deny /a ix,', 1, 'a deny rule says "x"'],
    ['owner capability chown,', 1, 'is for rules about files'],
    ['mount options=bind fstype=ext4 /a -> /b,', 1, 'no mount has these options'],
    ['mount options=(rw,ro) /a -> /b,', 1, 'exclude each other'],
    ['priority=1 network,', 1, 'takes no priority'],
    ['/a r,\u0007', 1, 'control character'],
    ['constructor,', 1, 'begins no rule'],
    [',', 1, 'a comma without a rule'],
    ['# only a comment', 0, 'there is no rule'],
  ]
  for (const [text, line, problem] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const { errors } = read(text)
      expect(errors[0]).to.include({ code: 'BAD_APPARMOR_RULE', path: AT })
      expect(errors[0]!.problem).to.include(problem)
      if (line > 0) expect(errors[0]!.problem).to.match(new RegExp(`^line ${line}: `))
    })
  }

  it('reports every mistake, each with its line', () => {
    const lines = read('/a q,\n/b r,\n/c ux,\n').errors.map(({ problem }) => problem.split(':')[0])
    expect(lines).to.deep.equal(['line 1', 'line 3'])
  })

  it('leaves out what the node cannot say, and names it', () => {
    const text = 'userns,\nio_uring,\nmqueue (read) type=posix /q,\npriority=5 deny /x r,\ndeny /a r,'
    const { skipped, lines } = read(text)
    expect(skipped.map(({ rule }) => rule)).to.deep.equal([
      'userns',
      'io_uring',
      'mqueue (read) type=posix "/q"',
      'priority=5 deny "/x" r',
    ])
    expect(lines.filter((line) => !line.startsWith('#'))).to.deep.equal(['deny "/a" r,'])
    expect(readRawRules(AT, text, newAppArmor).skipped).to.deep.equal([])
  })

  it('leaves out rules about queues where the kernel has none, whatever the parser', () => {
    const { skipped } = readRawRules(AT, 'deny mqueue,\nall,', { ...newAppArmor, mqueue: false })
    expect(skipped.map(({ rule }) => rule)).to.deep.equal(['deny mqueue'])
  })

  it('mean the same written anew', function () {
    needsParser(this)
    const rules = 'deny /a\\ b/{c,d}*/[xy]?/** rw,\ndeny "/q\\"\\101" r,\ndeny /e//f r,'
    const wrap = (name: string, body: string) => `abi <abi/3.0>,\nprofile ${name} { file,\n${body}\n}\n`
    const profiles = load(wrap('given', rules), wrap('anew', read(rules).lines.join('\n')))
    const paths = ['/a b/c/x1/z', '/a b/dd/y2/z/z', '/a b/e/x1/z', '/a b/c/z1/z', '/q"A', '/q"B', '/e/f', '/e/g']
    for (const path of paths)
      expect(profiles.get('anew')!.file(path), path).to.deep.equal(profiles.get('given')!.file(path))
  })

  describe('whatever is written', () => {
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
    /** Rules of the right form whose parts may not go together. */
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

    /** Braces and directives outside of quotes and comments: what makes the structure of a profile. */
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
      const failed = [...stderr.matchAll(/p0*(\d+)\b.*(?:error|Error).*|.*error.*p0*(\d+)\b.*/g)].map(
        ([line, a, b]) => [line, accepted[Number(a ?? b)]],
      )
      expect(failed).to.deep.equal([])
      expect(status, stderr.slice(0, 2000)).to.equal(0)
    })
  })
})
