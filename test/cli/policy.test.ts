import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { varmor } from './run.ts'

const policy = (section: object, name = 'web') =>
  JSON.stringify({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name, namespace: 'demo' },
    spec: {
      target: { kind: 'Deployment', name: 'web' },
      policy: { enforcer: 'AppArmorBPFSeccomp', mode: 'EnhanceProtect', enhanceProtect: section },
    },
  })

const model = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfileModel',
  metadata: { name: 'varmor-demo-web', namespace: 'demo' },
  data: {
    dynamicResult: {
      appArmor: {
        executions: ['/usr/sbin/nginx', '/usr/bin/bash'],
        files: [{ path: '/etc/nginx/nginx.conf', permissions: ['r'], owner: true }],
        capabilities: ['net_bind_service'],
      },
      seccomp: { syscalls: ['read', 'clone'] },
    },
  },
}

describe('varmor policy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-policy-'))
  const file = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  after(() => rmSync(folder, { recursive: true }))
  const strict = file(
    'strict.yaml',
    policy({ attackProtectionRules: [{ rules: ['mitigate-sa-leak', 'disable-shell'] }] }),
  )
  const loose = file('loose.yaml', policy({ attackProtectionRules: [{ rules: ['mitigate-sa-leak'] }] }))
  const recorded = file('model.json', JSON.stringify(model))

  describe('test', () => {
    it('says what a policy would have refused, by which rule, and what would allow it', async () => {
      const { status, stdout, stderr } = await varmor(['policy', 'test', '-f', strict, '--model', recorded])
      expect(stderr).to.equal('')
      expect(status).to.equal(1)
      expect(stdout).to.match(/^VarmorPolicy demo\/web: 1 operation would have been refused; 5 let through/)
      expect(stdout).to.match(/Refused by AppArmor and BPF: 1 operation/)
      expect(stdout).to.match(/disable-shell\n +at spec.policy.enhanceProtect.attackProtectionRules\[0\].rules\[1\]/)
      expect(stdout).to.match(/1 × file exec \/usr\/bin\/bash/)
      expect(stdout).to.match(/to allow: remove spec.policy.enhanceProtect.attackProtectionRules\[0\].rules\[1\]/)
    })

    it('is content where nothing would be refused, and reads YAML, lists and standard input', async () => {
      const input = `${JSON.stringify({ kind: 'List', items: [model] })}`
      const { status, stdout } = await varmor(['policy', 'test', '-f', loose, '--model', '-', '-o', 'json'], input)
      expect(status).to.equal(0)
      expect(JSON.parse(stdout)).to.deep.equal([
        { policy: 'VarmorPolicy demo/web', refused: [], answered: [], allowed: 6, reported: 0, unjudged: [] },
      ])
    })

    const line = (event: object, more: object = {}) =>
      JSON.stringify({
        enforcer: 'BPF',
        action: 'AUDIT',
        podNamespace: 'demo',
        podName: 'web-1',
        eventTimestamp: 1,
        event,
        ...more,
      })

    it('replays a log, and says what of it could not be judged', async () => {
      const shell = line({ operation: 'Bprm', permissions: ['exec'], path: '/bin/sh' })
      const log = [
        shell,
        shell,
        line({ operation: 'Bprm', permissions: ['exec'], path: '/bin/ls' }),
        line({ operation: 'Network', type: 'listen', address: { ip: '::', port: 80 } }),
        line({ operation: 'Bprm', permissions: ['exec'], path: '/bin/bash' }, { podNamespace: 'other' }),
        line({}, { lost: { events: 5 } }),
        'no JSON',
      ]
      const events = file('violations.log', `${log.join('\n')}\n`)
      const { status, stdout } = await varmor([
        'policy',
        'test',
        '-f',
        strict,
        '--events',
        events,
        '-n',
        'demo',
        '-o',
        'yaml',
      ])
      expect(status).to.equal(1)
      const [result] = parse(stdout)
      expect(result.refused).to.have.length(1)
      expect(result.refused[0]).to.deep.include({ enforcers: ['AppArmor', 'BPF'], count: 2, different: 1 })
      expect(result.allowed).to.equal(1)
      expect(result.unjudged.map(({ why, count }: { why: string; count: number }) => [count, why])).to.deep.equal([
        [1, 'rules do not cover bind, listen and accept'],
        [1, 'events were lost here'],
        [1, 'the line is not a violation'],
      ])
    })

    it('reads what varmor decode makes of an audit log', async () => {
      const record =
        'type=1400 audit(1700000000.123:7): apparmor="ALLOWED" operation="open" class="file" profile="varmor-demo-web" ' +
        'name="/run/secrets/kubernetes.io/serviceaccount/token" pid=4242 comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0'
      const decoded = await varmor(['decode'], `${record}\n`)
      const events = file('decoded.log', decoded.stdout)
      const { status, stdout } = await varmor(['policy', 'test', '-f', loose, '--events', events])
      expect(stdout).to.match(/Refused by AppArmor and BPF: 1 operation, 1 ×\n {2}mitigate-sa-leak/)
      expect(status).to.equal(1)
    })

    it('takes the profiles of the model for a policy that builds on it', async () => {
      const defended = file(
        'defended.json',
        JSON.stringify({
          ...JSON.parse(policy({})),
          spec: {
            target: { kind: 'Deployment', name: 'web' },
            policy: {
              enforcer: 'AppArmor',
              mode: 'DefenseInDepth',
              defenseInDepth: { appArmor: { profileType: 'BehaviorModel' } },
            },
          },
        }),
      )
      const appArmor =
        'profile varmor-demo-web { /usr/sbin/nginx ix, /etc/nginx/nginx.conf r, capability net_bind_service, }'
      const withProfile = {
        ...model,
        data: { ...model.data, profile: { name: 'varmor-demo-web', enforcer: 'AppArmor', mode: 'enforce', appArmor } },
      }
      const own = file('own.json', JSON.stringify(withProfile))
      const { status, stdout, stderr } = await varmor(['policy', 'test', '-f', defended, '--model', own])
      expect(stderr).to.equal('')
      expect(stdout).to.match(
        /1 × file exec \/usr\/bin\/bash\n +to allow: add \{"rules":"\\"\/usr\/bin\/bash\\" ix,"\} to spec.policy.defenseInDepth.appArmor.appArmorRawRules/,
      )
      expect(status).to.equal(1)
    })

    const empty = file('empty.log', '')
    const other = file('other.log', `${line({ operation: 'Bprm', permissions: ['exec'], path: '/bin/ls' })}\n`)
    const unjudged: [what: string, args: string[]][] = [
      ['an empty log', ['--events', empty]],
      ['a log of something else', ['--events', file('garbage.log', 'hello\nworld\n')]],
      ['a pod of which the log says nothing', ['--events', other, '--pod', 'nope']],
    ]
    for (const [what, args] of unjudged)
      it(`does not pass for ${what}: 2`, async () => {
        const { status, stdout, stderr } = await varmor(['policy', 'test', '-f', loose, ...args])
        expect(stdout).to.match(/^VarmorPolicy demo\/web: nothing could be judged; 0 let through/)
        expect(stderr).to.match(/^VarmorPolicy demo\/web: nothing could be judged: the input has no operation/)
        expect(status).to.equal(2)
      })

    const misused: [what: string, args: string[], says: RegExp][] = [
      ['without anything recorded', ['-f', loose], /give either --model or --events/],
      ['with both', ['-f', loose, '--model', recorded, '--events', 'x'], /give either --model or --events/],
      [
        'with a policy that is not there',
        ['-f', 'nowhere.yaml', '--model', recorded],
        /nowhere.yaml: there is no such file/,
      ],
      [
        'with a policy that has errors',
        ['-f', file('bad.yaml', policy({ hardeningRules: ['disable-nothing'] })), '--model', recorded],
        /no built-in rule has this name/,
      ],
      [
        'with a model that is not there',
        ['-f', loose, '--model', 'nowhere.json'],
        /nowhere.json: there is no such file/,
      ],
      ['with something else as a model', ['-f', loose, '--model', loose], /does not contain an ArmorProfileModel/],
      [
        'with a model that is none',
        ['-f', loose, '--model', file('odd.json', JSON.stringify({ ...model, data: { dynamicResult: { bpf: 7 } } }))],
        /data.dynamicResult.bpf/,
      ],
      ['with a log that is not there', ['-f', loose, '--events', 'nowhere.log'], /nowhere.log: there is no such file/],
      ['with a folder as a log', ['-f', loose, '--events', tmpdir()], /: is not a regular file; name a log file/],
      [
        'with a model of no cluster',
        ['-f', loose, '--model', 'demo/web', '--kubeconfig', '/nonexistent/file'],
        /kubeconfig \/nonexistent\/file: ENOENT/,
      ],
    ]
    for (const [what, args, says] of misused)
      it(`${what}: 2`, async () => {
        const { status, stdout, stderr } = await varmor(['policy', 'test', ...args])
        expect(stderr).to.match(says)
        expect(stdout).to.equal('')
        expect(status).to.equal(2)
      })
  })

  describe('advise', () => {
    it('writes a policy that is valid, and refuses nothing of what was recorded', async () => {
      const advised = await varmor([
        'policy',
        'advise',
        '--model',
        recorded,
        '--enforcers',
        'AppArmor,BPF',
        '--target',
        'StatefulSet/db',
      ])
      expect(advised.stderr).to.equal('')
      expect(advised.status).to.equal(0)
      expect(advised.stdout).to.match(/# Left out: disable-shell: the rule would refuse file exec \/usr\/bin\/bash/)
      expect(parse(advised.stdout)).to.deep.include({ metadata: { name: 'web', namespace: 'demo' } })
      expect(parse(advised.stdout).spec.target).to.deep.equal({ kind: 'StatefulSet', name: 'db' })
      const valid = await varmor(['validate', '-f', '-'], advised.stdout)
      expect(valid.stdout).to.match(/VarmorPolicy demo\/web: valid/)
      const replayed = await varmor(['policy', 'test', '-f', '-', '--model', recorded], advised.stdout)
      expect(replayed.stdout).to.match(/nothing would have been refused/)
      expect(replayed.status).to.equal(0)
    })

    it('takes features and capabilities as upstream does, and prints each reason as JSON', async () => {
      const args = [
        'policy',
        'advise',
        '-f',
        'share-containers-pid-ns',
        '-c',
        'sys_admin,net_admin,CAP_KILL',
        '-e',
        'AppArmorBPF',
        '-o',
        'json',
      ]
      const { status, stdout } = await varmor(args)
      expect(status).to.equal(0)
      const { policy: written, rules } = JSON.parse(stdout)
      expect(written.spec.policy.enforcer).to.equal('AppArmorBPF')
      expect(written.spec.policy.enhanceProtect.hardeningRules).to.include('disallow-access-procfs-root')
      expect(rules.find(({ rule }: { rule: string }) => rule === 'disable-cap-kill')).to.deep.include({ in: false })
    })

    const wrong: [what: string, args: string[], says: RegExp][] = [
      ['a feature that is none', ['-f', 'require-as'], /"require-as" is not a feature. Did you mean require-sa\?/],
      ['a capability that is none', ['-c', 'sys_admn'], /Did you mean sys_admin/],
      ['an enforcer that is none', ['-e', 'NetworkProxy'], /It must be AppArmor, BPF or Seccomp/],
      ['a workload that is none', ['--target', 'web'], /KIND\/NAME|is not a kind of workload/],
      ['a model that is not there', ['-m', 'nowhere'], /nowhere: there is no such file/],
    ]
    for (const [what, args, says] of wrong)
      it(`${what}: 2`, async () => {
        const { status, stdout, stderr } = await varmor(['policy', 'advise', ...args])
        expect(stderr).to.match(says)
        expect(stdout).to.equal('')
        expect(status).to.equal(2)
      })
  })

  describe('diff', () => {
    it('says what becomes allowed and forbidden, with paths', async () => {
      const { status, stdout, stderr } = await varmor(['policy', 'diff', loose, strict])
      expect(stderr).to.equal('')
      expect(status).to.equal(1)
      expect(stdout).to.match(/^VarmorPolicy demo\/web: \d+ differences\n\nbecomes forbidden\n/)
      expect(stdout).to.match(/BPF: files: exec\n +\/nu\n/)
      expect(stdout).not.to.match(/becomes allowed/)
    })

    it('says the same the other way round as JSON', async () => {
      const { status, stdout } = await varmor(['policy', 'diff', strict, loose, '-o', 'json'])
      expect(status).to.equal(1)
      const [{ policy: name, differences, incomplete }] = JSON.parse(stdout)
      expect(name).to.equal('VarmorPolicy demo/web')
      expect(incomplete).to.deep.equal([])
      const exec = differences.find(
        ({ enforcer, what }: { enforcer: string; what: string }) => enforcer === 'BPF' && what === 'files: exec',
      )
      expect(exec.becomes).to.equal('allowed')
      expect(exec.examples).to.include('/proc/1/nu')
    })

    it('says that nothing changes for the kernel where only words do', async () => {
      const other = file(
        'other.yaml',
        policy({ attackProtectionRules: [{ rules: ['MITIGATE_SA_LEAK'] }], hardeningRules: [] }, 'renamed'),
      )
      const { status, stdout } = await varmor(['policy', 'diff', loose, other])
      expect(stdout).to.equal('VarmorPolicy demo/web and VarmorPolicy demo/renamed: the same for the kernel\n')
      expect(status).to.equal(0)
    })

    it('pairs several policies by their names', async () => {
      const [both, one] = [
        file('both.yaml', `${policy({}, 'a')}\n---\n${policy({}, 'b')}`),
        file('one.yaml', policy({}, 'a')),
      ]
      const { status, stdout } = await varmor(['policy', 'diff', both, one])
      expect(stdout).to.equal(
        'VarmorPolicy demo/a: the same for the kernel\n\nVarmorPolicy demo/b: is only in the old file\n',
      )
      expect(status).to.equal(1)
    })

    it('misuse: 2', async () => {
      for (const args of [[loose], [loose, 'nowhere.yaml'], ['nowhere.yaml', loose]]) {
        const { status, stdout } = await varmor(['policy', 'diff', ...args])
        expect(stdout).to.equal('')
        expect(status).to.equal(2)
      }
    })
  })
})
