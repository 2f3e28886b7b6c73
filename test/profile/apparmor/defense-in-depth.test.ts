import { expect } from 'chai'
import fc from 'fast-check'
import type { AppArmorProfile } from '../../../src/api/types.ts'
import { abstractions } from '../../../src/profile/apparmor/abstractions.ts'
import { load, needsParser, parse } from './loaded-profile.ts'
import { compiled, defend, errorsOf, loaded, newAppArmor, skippedOf } from './policies.ts'

const NAME = 'varmor-demo-web'
const FIELD = 'spec.policy.defenseInDepth.appArmor'

const profile = `
## written by hand
abi <abi/3.0>,
#include <tunables/global>

profile ${NAME} flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>
  include if exists <abstractions/bash>

  # what the server needs
  /srv/** r,
  /usr/bin/server rix,
  /usr/bin/helper cx -> helper,
  /usr/bin/other px -> ${NAME}//helper,
  network inet stream,
  change_profile -> ${NAME}//worker,

  profile helper flags=(attach_disconnected) {
    /usr/bin/helper rm,
  }
  hat worker { /var/worker/** rw, }
}
`

function custom(customProfile: string, more: Partial<AppArmorProfile> = {}, allowViolations = false) {
  return defend({ appArmor: { profileType: 'Custom', customProfile, ...more }, allowViolations })
}

const bare = (body: string, head = NAME) => `profile ${head} {\n${body}\n}\n`

describe('DefenseInDepth', () => {
  it('takes a whole profile with children, hats and abstractions', function () {
    needsParser(this)
    const profiles = load(compiled(custom(profile)))
    expect([...profiles.keys()]).to.have.members([NAME, `${NAME}//helper`, `${NAME}//worker`])
    const main = profiles.get(NAME)!
    expect(main.file('/srv/x').allow).to.equal('r')
    expect(main.file('/etc/shadow').allow).to.equal('')
    expect(profiles.get(`${NAME}//worker`)!.file('/var/worker/x').allow).to.equal('wra')
  })

  it('keeps its comments', () => expect(compiled(custom(profile))).to.include('  # what the server needs\n'))

  it('adds raw rules at the end of the profile, not of a child', function () {
    needsParser(this)
    const more = { appArmorRawRules: [{ rules: '/added/** rw,\ndeny /srv/secret r,' }] }
    expect(loaded(custom(profile, more)).file('/added/x').allow).to.equal('wra')
    expect(loaded(custom(profile, more)).file('/srv/secret').allow).to.equal('')
    expect(loaded(custom(profile, more), 'helper').file('/added/x').allow).to.equal('')
  })

  it('gives programs with raw rules a child that may do nothing else', function () {
    needsParser(this)
    const more = { appArmorRawRules: [{ rules: '/backup/** rw,', targets: ['/usr/bin/backup', '/opt/odd "name"'] }] }
    const policy = custom(profile, more)
    expect(loaded(policy).execIndex('/usr/bin/backup')).to.be.greaterThan(0)
    expect(loaded(policy).execIndex('/opt/odd "name"')).to.equal(loaded(policy).execIndex('/bin/backup'))
    const child = loaded(policy, 'child_0')
    expect(child.file('/backup/x').allow).to.equal('wra')
    expect(child.file('/srv/x').allow).to.equal('')
    expect(child.file('/usr/bin/backup').allow).to.equal('xrm')
  })

  it('lets everything pass when the policy says so, in children as well', () => {
    const heads = compiled(custom(profile, {}, true)).match(/^ *(?:profile|hat) .*$/gm)
    expect(heads).to.have.length(3)
    expect(heads!.every((head) => /flags=\(.*complain\) \{$/.test(head))).to.equal(true)
    const enforced = profile.replace('(attach_disconnected)', '(enforce)')
    expect(compiled(custom(enforced, {}, true))).not.to.include('enforce')
  })

  it('reports and lets pass what deny rules name, in each part of the profile, when the policy says so', function () {
    needsParser(this)
    const text = bare('file,\ndeny /a r,\ndeny capability sys_admin,\nprofile helper { deny /b r, }\n/h cx -> helper,')
    const more = {
      appArmorRawRules: [{ rules: 'deny /c w,\naudit deny /d r,' }, { rules: 'deny /e r,', targets: ['/opt/t'] }],
    }
    const observed = compiled(custom(text, more, true))
    expect(observed.match(/^ *deny .*$/gm)).to.equal(null)
    expect(observed.match(/audit deny /g)).to.have.length(6)
    expect(loaded(custom(text, more, true)).file('/a').quiet).to.equal('')
    expect(loaded(custom(text, more)).file('/a').quiet).to.equal('r')
    const model = defend({ appArmor: { profileType: 'BehaviorModel' }, allowViolations: true })
    expect(compiled(model, { model: { appArmor: text } })).to.include('audit deny "/a" r,')
  })

  it('takes no profile that lets violations pass of itself, unless the policy says so', () => {
    for (const text of [
      bare('/srv/** r,', `${NAME} flags=(complain)`),
      bare('/h cx -> helper,\nprofile helper flags=(attach_disconnected,complain) { /h r, }'),
      bare('hat worker flags=(complain) { /h r, }'),
    ]) {
      const [error, ...more] = errorsOf(custom(text))
      expect(more).to.deep.equal([])
      expect(error).to.include({ code: 'CONFLICT', path: `${FIELD}.customProfile`, given: 'complain' })
      expect(error!.problem).to.match(/^flags=\(complain\) of .*allowViolations/)
      expect(errorsOf(custom(text, {}, true))).to.deep.equal([])
    }
  })

  it('says what an included file keeps refusing when violations are let through', () => {
    const text = bare('include <abstractions/private-files>')
    expect(skippedOf(custom(text))).to.deep.equal([])
    expect(skippedOf(custom(text, {}, true))[0]).to.include({
      path: `${FIELD}.customProfile`,
      rule: 'include <abstractions/private-files>',
    })
  })

  it('includes abstractions that hold no transition out of the profile, on this node', function () {
    needsParser(this)
    const text = compiled(custom(bare(abstractions.map((name) => `include <abstractions/${name}>`).join('\n'))))
    const { status, stdout, stderr } = parse([text], ['-p'])
    expect(status, stderr).to.equal(0)
    const flat = stdout.toString().replace(/#.*$/gm, '')
    expect(flat).to.match(/ld\.so\.cache/, 'the files were included')
    expect(
      flat.match(
        /^.*(?:\s[rwmlka]*(?:[PCUpcu]+i?|[pPcC]u|[pPcC]U)x\b|change_profile|^\s*(?:profile|hat)\s+(?!varmor)).*$/gm,
      ),
    ).to.equal(null)
  })

  it('says in its head what happens with an operation that no rule allows', () => {
    expect(compiled(custom(profile))).to.include('What no rule allows is refused and reported.')
    expect(compiled(custom(profile, {}, true))).to.include('What no rule allows is allowed and reported.')
  })

  it('takes the profile of a behaviour model, and says when there is none', () => {
    const policy = defend({ appArmor: { profileType: 'BehaviorModel' } })
    expect(compiled(policy, { model: { appArmor: profile } })).to.include('"/srv/**" r,')
    expect(errorsOf(policy)[0]).to.include({ code: 'MISSING_MODEL', path: `${FIELD}.profileType` })
  })

  it('needs a profile', () => {
    expect(errorsOf(defend({}))[0]).to.include({ code: 'REQUIRED', path: FIELD })
    expect(errorsOf(custom(''))[0]).to.include({ code: 'REQUIRED', path: `${FIELD}.customProfile` })
  })

  it('loads a profile of another name as the one that workloads are given, and says so', () => {
    const policy = custom(
      bare('signal peer=old,\nptrace peer=old//x,\nsignal peer=older,\n/x px -> old//x,\nprofile x { /a r, }', 'old'),
    )
    const text = compiled(policy)
    expect(text)
      .to.include('profile varmor-demo-web {')
      .and.include('peer="varmor-demo-web",')
      .and.include('peer="older",')
    expect(text).to.include('peer="varmor-demo-web//x",').and.include('"/x" px -> "varmor-demo-web//x",')
    expect(skippedOf(policy)[0]).to.include({ rule: 'profile old', path: `${FIELD}.customProfile` })
  })

  it('writes the ABI that the node has, and says so', () => {
    const newer = custom(`abi <abi/4.0>,\n${bare('file,\nuserns,')}`)
    expect(compiled(newer, { appArmor: newAppArmor })).to.include('abi <abi/4.0>,')
    expect(compiled(newer)).to.include('abi <abi/3.0>,').and.include('# left out: userns')
    expect(skippedOf(newer).map(({ rule }) => rule)).to.deep.equal(['abi <abi/4.0>', 'userns'])
    const idle = custom(`abi <abi/3.0>,\n${bare('file,\ndeny userns,\nprofile x { deny io_uring, }')}`)
    expect(skippedOf(idle, { appArmor: newAppArmor }).map(({ rule }) => rule)).to.deep.equal([
      'deny userns',
      'deny io_uring',
    ])
    expect(skippedOf(custom(`abi <abi/4.0>,\n${bare('deny userns,')}`), { appArmor: newAppArmor })).to.deep.equal([])
  })

  const refused: [text: string, line: number, problem: string][] = [
    [`${bare('file,')}profile second { file, }`, 4, 'one profile'],
    [bare('file,', `${NAME} /usr/sbin/sshd`), 1, 'on the whole node'],
    [bare('file,', `${NAME} flags=(unconfined)`), 1, 'is not a supported flag'],
    [bare('file,', `${NAME} flags=(kill complain)`), 1, 'exclude each other'],
    [bare('file,', `${NAME} xattrs=(a=b)`), 1, 'on the whole node'],
    [`/usr/bin/x { file, }`, 1, 'must begin with "profile NAME"'],
    [`@{X}=/a\n${bare('file,')}`, 1, 'variables cannot be set'],
    [`alias /a -> /b,\n${bare('file,')}`, 1, 'must begin with "profile NAME"'],
    [`include <tunables/home>\n${bare('file,')}`, 1, 'only <tunables/global>'],
    [bare('include "/etc/shadow"'), 2, '<abstractions/NAME>'],
    [bare('#include /etc/shadow'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/../../passwd>'), 2, '<abstractions/NAME>'],
    [bare('include <local/x>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/ubuntu-browsers>'), 2, 'keep programs inside the profile'],
    [bare('include <abstractions/opencl>'), 2, 'keep programs inside the profile'],
    [bare('include <abstractions/opencl-nvidia>'), 2, 'keep programs inside the profile'],
    [bare('include <abstractions/base.d>'), 2, 'keep programs inside the profile'],
    [bare('include <abstractions/bass>'), 2, 'did you mean <abstractions/base>?'],
    [bare('include <abstractions/./ubuntu-helpers>'), 2, '<abstractions/NAME>'],
    [bare('#include <abstractions/./ubuntu-helpers>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/.>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/..>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions//base>'), 2, '<abstractions/NAME>'],
    [bare('include <abstractions/ubuntu-browsers.d/java>'), 2, '<abstractions/NAME>'],
    [bare('/bin/x cx -> helper,\n#profile\n#helper'), 2, 'not a child of this profile'],
    [bare('/bin/x px -> varmor-demo-web//helper,\n#profile\n#helper'), 2, 'outside of this profile'],
    [bare('change_profile -> varmor-demo-web//helper,\n#hat\n#helper'), 2, 'leave this profile'],
    [
      bare('/profile r,\n/bin/x cx -> helper,\n/bin/y px -> profile,\n/profile//helper r,'),
      4,
      'outside of this profile',
    ],
    [bare('profile a { /bin/x cx -> b, }\nprofile b { }'), 2, 'not a child of this profile'],
    [bare('profile a { profile b { } }'), 2, 'a child profile cannot have children'],
    [bare('profile a { hat b { } }'), 2, 'a child profile cannot have children'],
    [bare('/bin/x ux,'), 2, 'outside of this profile'],
    [bare('/bin/x px,'), 2, 'outside of this profile'],
    [bare('/bin/x px -> unconfined,'), 2, 'outside of this profile'],
    [bare('/bin/x cux,'), 2, 'outside of this profile'],
    [bare('/bin/x cx -> nowhere,'), 2, 'not a child of this profile'],
    [bare('change_profile,'), 2, 'leave this profile'],
    [bare('/bin/x px -> x,\nprofile x { /a r, }'), 2, 'outside of this profile'],
    [bare('/bin/x px -> varmor-demo-web//x//&y,\nprofile x { /a r, }'), 2, 'outside of this profile'],
    [bare('change_profile -> x,\nprofile x { /a r, }'), 2, 'leave this profile'],
    [bare('/bin/x px -> other//x,\nprofile x { /a r, }'), 2, 'outside of this profile'],
    [bare('change_profile -> **,'), 2, 'leave this profile'],
    [bare('profile child { /bin/x Ux, }'), 2, 'outside of this profile'],
    [bare('profile child { /a r, '), 3, '"}" is missing'],
    [bare('/a r,\n}'), 4, 'one profile'],
    [bare('hat h { }\nprofile h { }'), 4, 'two children have the name h'],
    [bare('/{usr/,}bin/x ix,\n/bin/x cx,'), 3, 'another rule executes'],
    [bare('deny /a r'), 2, 'a comma is missing after the rule, before "}"'],
    ['', 0, 'needs the text'],
    ['# nothing', 1, 'the text does not contain a profile'],
  ]
  for (const [text, line, problem] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const [error] = errorsOf(custom(text))
      expect(error).to.include({ path: `${FIELD}.customProfile` })
      expect(error!.problem).to.include(problem)
      if (line > 0) expect(error!.problem).to.match(new RegExp(`^line ${line}: `))
    })
  }

  it('does not contradict itself about how a program runs', () => {
    const raw = (target: string) => ({ appArmorRawRules: [{ rules: '/x r,', targets: [target] }] })
    expect(errorsOf(custom(profile, raw('/usr/bin/server')))[0]).to.include({ code: 'CONFLICT' })
    expect(errorsOf(custom(bare('profile child_0 { }'), raw('/usr/bin/x')))[0]).to.include({ code: 'CONFLICT' })
  })

  it('keeps any text to one profile of the right name, which apparmor_parser accepts', function () {
    needsParser(this)
    const words = fc.constantFrom(
      ...[
        'profile x { /a r, }',
        'hat h { /b w, }',
        '}',
        '{',
        'include <abstractions/base>\n',
        '#include <abstractions/bash>\n',
        '/c rw,',
      ],
      ...[
        '/bin/x cx,',
        '/bin/y cix,',
        '/bin/z px -> x,',
        `/bin/w px -> ${NAME}//x,`,
        'deny /d x,',
        '# c\n',
        'flags=(audit)',
        ',',
        '"',
      ],
      ...[
        'profile',
        'profile y /bin/q {',
        'network,',
        'capability,',
        'change_profile -> x,',
        '(',
        ')',
        '@{V}=1\n',
        '/bin/x ix,',
      ],
    )
    const cut = fc
      .tuple(fc.array(words, { maxLength: 8 }), fc.nat(profile.length), fc.nat(4))
      .map(([list, at, length]) => {
        const where = list.length > 0 && at % 3 > 0 ? profile.lastIndexOf('}') : at
        return profile.slice(0, where) + list.join(' ') + profile.slice(where + (where === at ? length : 0))
      })
    const policies = fc.sample(cut, { numRuns: 4000, seed: 5 }).map((text) => custom(text))
    const good = policies.filter((policy) => errorsOf(policy).length === 0).slice(0, 80)
    expect(good.length).to.be.greaterThan(50)
    const texts = good.map((policy) => compiled(policy))
    for (const text of texts) expect(text.match(/^profile .*$/gm)).to.have.length(1)
    const { status, stderr } = parse(texts)
    expect(stderr.split('\n').filter((line) => /error|conflict|invalid|failed/i.test(line))).to.deep.equal([])
    expect(status, stderr.slice(0, 2000)).to.equal(0)
  })
})
