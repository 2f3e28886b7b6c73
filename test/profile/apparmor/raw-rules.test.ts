import { expect } from 'chai'
import { readRawRules } from '../../../src/profile/apparmor/raw-rules.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { load, needsParser, parse } from './loaded-profile.ts'
import { compiled, enhance, newAppArmor } from './policies.ts'
import { taken } from './taken-rules.ts'

const AT = 'spec.policy.enhanceProtect.appArmorRawRules[0].rules'
const read = (text: string) => readRawRules(AT, text, oldestAppArmor)

describe('raw AppArmor rules', () => {
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
    ['deny /a r,\nprofile x { file, }', 2, 'raw rules cannot open a profile'],
    ['owner { /a r, }', 1, 'opens a block'],
    ['^hat { }', 1, 'opens a block'],
    ['hat x {}', 1, 'raw rules cannot open a hat'],
    ['#include <tunables/global>\n', 1, 'is not a comment'],
    ['#includes are fine, or are they', 1, 'is not a comment'],
    ['include "/etc/shadow"\n', 1, 'cannot include files'],
    ['/a r,\ninclude if exists <x>', 2, 'cannot include files'],
    ['@{PROC} = /\n/a r,', 1, 'variables cannot be set'],
    ['$x = true\n/a r,', 1, 'variables'],
    ['alias / -> /x,', 1, 'cannot change paths'],
    ['abi <kernel>,', 1, 'chooses it for the node'],
    ['flags=(complain),', 1, 'flags belong'],
    ['if defined @{X} { /a r, }', 1, 'conditions'],
    ['/bin/sh px,', 1, 'outside of this profile'],
    ['/bin/sh Px -> unconfined,', 1, 'outside of this profile'],
    ['/bin/sh ux,', 1, 'outside of this profile'],
    ['/bin/sh rPUx,', 1, 'outside of this profile'],
    ['/bin/sh cix,', 1, 'outside of this profile'],
    ['/bin/sh cx -> child_0,', 1, 'outside of this profile'],
    ['change_profile -> unconfined,', 1, 'leave this profile'],
    ['pivot_root /a -> unconfined,', 1, 'cannot change the profile'],
    ['deny /a r', 1, 'a comma is missing'],
    ['deny /a r\ndeny /b r,', 1, 'a comma is missing after the rule, before line 2'],
    ['deny /x{a r,', 1, '"{" is not closed'],
    ['deny /x}a r,', 1, 'must close a "{"'],
    ['deny /{a} r,', 1, 'must close a "{" that contains a comma'],
    ['deny /x[ r,', 1, '"[…]" may contain'],
    ['deny /x[*] r,', 1, '"[…]" may contain'],
    ['deny /x\\\n r,', 1, 'is not an escape'],
    ['deny "/x\n" r,', 1, 'not closed on its line'],
    ['deny @{UNKNOWN}/x r,', 1, 'only these variables are defined on every node'],
    ['deny etc/x r,', 1, 'a rule cannot begin with'],
    ['netwrk inet,', 1, 'did you mean "network"?'],
    ['capability net_admn,', 1, 'did you mean "net_admin"?'],
    ['/a rz,', 1, 'are not permissions'],
    ['/a wa,', 1, 'exclude each other'],
    ['/a rx,', 1, 'use "ix"'],
    ['deny /a ix,', 1, 'a deny rule must use "x"'],
    ['owner capability chown,', 1, 'is supported only in rules about files'],
    ['mount options=bind fstype=ext4 /a -> /b,', 1, 'a mount with these options cannot'],
    ['mount options=(rw,ro) /a -> /b,', 1, 'exclude each other'],
    ['priority=1 network,', 1, 'cannot have a priority'],
    ['/a r,\u0007', 1, 'control character'],
    ['constructor,', 1, 'a rule cannot begin with'],
    [',', 1, 'no rule precedes this comma'],
    ['# only a comment', 0, 'the text does not contain a rule'],
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

  it('mean the same when they are written again', function () {
    needsParser(this)
    const rules = 'deny /a\\ b/{c,d}*/[xy]?/** rw,\ndeny "/q\\"\\101" r,\ndeny /e//f r,'
    const wrap = (name: string, body: string) => `abi <abi/3.0>,\nprofile ${name} { file,\n${body}\n}\n`
    const profiles = load(wrap('given', rules), wrap('again', read(rules).lines.join('\n')))
    const paths = ['/a b/c/x1/z', '/a b/dd/y2/z/z', '/a b/e/x1/z', '/a b/c/z1/z', '/q"A', '/q"B', '/e/f', '/e/g']
    for (const path of paths)
      expect(profiles.get('again')!.file(path), path).to.deep.equal(profiles.get('given')!.file(path))
  })
})
