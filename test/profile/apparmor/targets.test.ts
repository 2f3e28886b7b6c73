import { expect } from 'chai'
import { needsParser } from './loaded-profile.ts'
import { compiled, enhance, errorsOf, loaded, skippedOf } from './policies.ts'

const shells = ['/bin/bash', '/bin/dash']

describe('rules for given programs', () => {
  const policy = enhance({
    hardeningRules: ['disallow-insmod'],
    attackProtectionRules: [{ rules: ['disable-write-etc'] }, { rules: ['mitigate-sa-leak'], targets: shells }],
    appArmorRawRules: [{ rules: 'deny /etc/hosts r,', targets: ['/bin/bash'] }],
  })
  const token = '/run/secrets/kubernetes.io/serviceaccount/token'

  it('hold in the child alone, beside those of its parent', function () {
    needsParser(this)
    const [parent, bash, dash] = [loaded(policy), loaded(policy, 'child_0'), loaded(policy, 'child_1')]
    expect([parent, bash, dash].map((each) => each.file(token).allow.includes('r'))).to.deep.equal([true, false, false])
    expect([parent, bash, dash].map((each) => each.file('/etc/hosts').allow)).to.deep.equal(['xrkm', 'xkm', 'xrkm'])
  })

  it('send the program to its child, by its path on a merged /usr too', function () {
    needsParser(this)
    const parent = loaded(policy)
    const [bash, plain] = [parent.execIndex('/bin/bash'), parent.execIndex('/bin/true')]
    expect(bash).not.to.equal(plain)
    expect(parent.execIndex('/usr/bin/bash')).to.equal(bash)
    expect(parent.execIndex('/usr/bin/dash')).not.to.equal(bash)
    expect(parent.execIndex('/usr/bin/bashful')).to.equal(plain)
    expect(parent.link('/tmp/b', '/bin/bash'), 'a link to the program').to.equal(false)
  })

  it('hold also where another program with rules of its own starts them', function () {
    needsParser(this)
    const groups = [
      { rules: ['mitigate-sa-leak'], targets: ['/usr/bin/worker'] },
      { rules: ['disable-write-etc'], targets: ['/usr/bin/tool', '/opt/a tool'] },
    ]
    const policy = enhance({ attackProtectionRules: groups })
    const [worker, tool] = [loaded(policy, 'child_0'), loaded(policy, 'child_1')]
    const plain = worker.execIndex('/bin/true')
    expect(worker.execIndex('/usr/bin/tool')).not.to.equal(plain)
    expect(worker.execIndex('/opt/a tool')).to.equal(worker.execIndex('/usr/bin/tool'))
    expect(worker.execIndex('/bin/tool'), 'on a merged /usr').to.equal(worker.execIndex('/usr/bin/tool'))
    expect(worker.execIndex('/usr/bin/worker'), 'itself').to.equal(plain)
    expect(tool.execIndex('/usr/bin/worker')).not.to.equal(tool.execIndex('/bin/true'))
    expect(compiled(policy).match(/px -> .*/g)).to.deep.equal([
      'px -> varmor-demo-web//child_1,',
      'px -> varmor-demo-web//child_1,',
      'px -> varmor-demo-web//child_0,',
    ])
    expect(compiled(policy).match(/signal \(send,receive\) peer=varmor-demo-web\/\/child_\*,/g)).to.have.length(2)
    expect(tool.ptrace('varmor-demo-web//child_0'), 'no tracing of one another').to.equal(tool.ptrace('other'))
  })

  it('do not contradict a rule of another program that says how they run', () => {
    const raw = (rules: string) =>
      enhance({
        appArmorRawRules: [
          { rules, targets: ['/usr/bin/worker'] },
          { rules: 'deny /etc/** w,', targets: ['/usr/bin/tool'] },
        ],
      })
    expect(errorsOf(raw('/usr/bin/tool ix,'))[0]).to.include({
      code: 'CONFLICT',
      path: 'spec.policy.enhanceProtect.appArmorRawRules[0].rules',
    })
    expect(errorsOf(raw('/usr/bin/worker ix,\n/usr/bin/* ix,'))).to.deep.equal([])
  })

  it('load with as many different sets of them as are taken', function () {
    needsParser(this)
    const policy = (count: number) => {
      const rules = (i: number) => ({ rules: `deny /secret-${i} r,`, targets: [`/opt/tool-${i}`] })
      return enhance({ privileged: true, appArmorRawRules: Array.from({ length: count }, (_, i) => rules(i)) })
    }
    const last = loaded(policy(12), 'child_11')
    expect(last.execIndex('/opt/tool-0')).not.to.equal(last.execIndex('/bin/true'))
    expect(last.file('/secret-11').allow).not.to.include('r')
    expect(errorsOf(policy(13))).to.have.length(1)
    expect(errorsOf(policy(13))[0]).to.include({ code: 'TOO_LARGE' })
  })

  it('share a child where they are the same', () => {
    const text = compiled(enhance({ attackProtectionRules: [{ rules: ['mitigate-sa-leak'], targets: shells }] }))
    expect(text.match(/^ {2}profile child_\d+ /gm)).to.deep.equal(['  profile child_0 '])
  })

  it('are merged for one program from several groups', () => {
    const groups = [
      { rules: ['mitigate-sa-leak'], targets: ['/bin/bash'] },
      { rules: ['disable-curl'], targets: ['/bin/bash'] },
    ]
    const text = compiled(enhance({ attackProtectionRules: groups }))
    expect(text.match(/^ {2}profile child_\d+ /gm)).to.have.length(1)
    expect(text).to.include('# mitigate-sa-leak:').and.include('# disable-curl:')
  })

  it('let the parent signal and trace the child', function () {
    needsParser(this)
    expect(compiled(policy)).to.include('signal (send) peer=varmor-demo-web//child_0,')
    expect(loaded(policy).ptrace('varmor-demo-web//child_0')).to.be.greaterThan(loaded(policy).ptrace('other'))
  })

  it('allow names with spaces, quotes, braces, newlines and bytes above 127', function () {
    needsParser(this)
    const odd = [
      '/opt/my app/"run"',
      '/opt/{a,b}[c]^?@{x}',
      '/opt/new\nline',
      '/opt/données/é',
      '/opt/back\\',
      '/opt/#include <x>',
    ]
    const strange = enhance({ appArmorRawRules: [{ rules: 'deny /secret r,', targets: odd }] })
    const [parent, child] = [loaded(strange), loaded(strange, 'child_0')]
    for (const name of odd) expect(parent.execIndex(name), name).not.to.equal(parent.execIndex('/bin/true'))
    expect(parent.execIndex('/opt/a')).to.equal(parent.execIndex('/bin/true'))
    expect(child.file('/secret').allow).not.to.include('r')
  })

  it('do not contradict a rule that says how the program runs', function () {
    needsParser(this)
    const raw = (rules: string) =>
      enhance({ appArmorRawRules: [{ rules }, { rules: 'deny /secret r,', targets: ['/bin/bash'] }] })
    for (const rules of [
      '/bin/bash rix,',
      '/{usr/,}bin/bash ix,',
      '"/bin/\\142ash" ix,',
      '/bin/bas[h-j] ix,',
      '/b[^x]n/bash ix,',
    ]) {
      expect(errorsOf(raw(rules))[0], rules).to.include({ code: 'CONFLICT' })
    }
    for (const rules of [
      '/bin/* ix,',
      'audit /bin/bash r,',
      'deny /bin/bash x,',
      '/bin/bas? ix,',
      '/bin/[ab]ash2 ix,',
    ]) {
      expect(loaded(raw(rules), 'child_0').file('/secret').allow, rules).not.to.include('r')
    }
  })

  it('are all AppArmor can do for them: nothing is skipped', () => expect(skippedOf(policy)).to.deep.equal([]))
})
