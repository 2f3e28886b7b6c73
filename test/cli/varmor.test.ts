import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse, stringify } from 'yaml'
import { FIXTURES, ROOT, VARMOR, varmor } from './run.ts'

const usage = join(FIXTURES, 'usage-example.yaml')
const fixture = (name: string) => readFileSync(join(FIXTURES, name), 'utf8')

const broken = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolicy
metadata: {name: one, namespace: demo}
spec:
  target: {kind: Deployment, name: web}
  policy:
    enforcer: AppArmorSeccomp
    mode: EnhanceProtect
    enhanceProtect:
      hardeningRules:
        - disallow-mount
        - disalow-mount
      auditViolations: maybe
---
apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolcy
`

describe('varmor compile', () => {
  it('prints for a person what each enforcer loads, then what was skipped and why', async () => {
    const { status, stdout, stderr } = await varmor(['compile', '-f', usage, '--enforcer', 'AppArmorSeccomp,bpf'])
    expect(status).to.equal(0)
    expect(stderr).to.equal('')
    for (const part of [
      'VarmorPolicy default/deployment-policy  profile varmor-default-deployment-policy  mode EnhanceProtect',
      'profile varmor-default-deployment-policy',
      '"defaultAction": "SCMP_ACT_ALLOW"',
      'paths: automaton of',
      '--- Skipped ---',
    ]) {
      expect(stdout).to.include(part)
    }
    expect(stdout).to.not.include('\u001b')
  })

  it('names the descriptors that a BPF profile refuses', async () => {
    const policy = parse(fixture('enhance-seccomp.yaml'))
    policy.spec.policy.enhanceProtect.hardeningRules = ['disallow-userfaultfd-creation']
    const { stdout } = await varmor(['compile', '-f', '-', '--enforcer', 'bpf'], JSON.stringify(policy))
    expect(stdout).to.match(/^userfaultfd descriptors: /m)
  })

  it('prints the same as JSON and as YAML', async () => {
    const [json, yaml] = await Promise.all([
      varmor(['compile', '-f', usage, '-o', 'json']),
      varmor(['compile', '--file', usage, '--output', 'yaml']),
    ])
    const value = JSON.parse(json.stdout)
    expect(value).to.have.length(1)
    expect(value[0]).to.have.all.keys('kind', 'namespace', 'name', 'profileName', 'mode', 'enforcers', 'skipped')
    expect(value[0].enforcers).to.have.all.keys('AppArmor')
    expect(parse(yaml.stdout)).to.deep.equal(value)
  })

  it('reads standard input, several files and several documents, and JSON', async () => {
    const list = { kind: 'VarmorPolicyList', items: [parse(fixture('enhance-seccomp.yaml'))] }
    const input = `\ufeff${fixture('always-allow-seccomp.yaml').replaceAll('\n', '\r\n')}---\n${JSON.stringify(list)}`
    const { status, stdout, stderr } = await varmor(['compile', '-f', usage, '-f', '-', '-o', 'json'], input)
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).to.deep.equal([
      'deployment-policy',
      'always-allow-seccomp',
      'enhance-seccomp',
    ])
  })

  it('takes the model for a policy from among the documents', async () => {
    const model = {
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'ArmorProfileModel',
      metadata: { name: 'varmor-demo-defense-model', namespace: 'demo' },
      data: {
        profile: {
          seccomp: JSON.stringify({
            defaultAction: 'SCMP_ACT_ERRNO',
            syscalls: [{ names: ['execve'], action: 'SCMP_ACT_ALLOW' }],
          }),
        },
      },
    }
    const input = `${fixture('defense-model.yaml')}\n---\n${stringify(model)}`
    const args = ['compile', '-f', '-', '--enforcer', 'seccomp', '-o', 'json']
    const [with_, without] = await Promise.all([varmor(args, input), varmor(args, fixture('defense-model.yaml'))])
    expect(with_.stderr).to.equal('')
    const [{ enforcers }] = JSON.parse(with_.stdout)
    expect(enforcers.Seccomp.profile.syscalls[0].names).to.deep.equal(['getcpu', 'execve'])
    expect(without.status).to.equal(1)
    expect(without.stderr).to.match(/seccomp\.profileType.*ArmorProfileModel/)
  })

  it('compiles for a newer AppArmor when asked to', async () => {
    const input = stringify({
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'VarmorClusterPolicy',
      metadata: { name: 'userns' },
      spec: {
        target: { kind: 'Pod', name: 'x' },
        policy: {
          enforcer: 'AppArmor',
          mode: 'EnhanceProtect',
          enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] },
        },
      },
    })
    const args = ['compile', '-f', '-', '-o', 'json', '--install-namespace', 'security']
    const [old, recent] = await Promise.all([varmor(args, input), varmor([...args, '--apparmor-parser', '4.0'], input)])
    expect(JSON.parse(old.stdout)[0].enforcers.AppArmor.profile).to.not.match(/^\s*(audit )?deny userns/m)
    const [policy] = JSON.parse(recent.stdout)
    expect(policy.enforcers.AppArmor.profile).to.match(/^\s*(audit )?deny userns/m)
    expect(policy.profileName).to.equal('varmor-cluster-security-userns')
  })

  it('lists every error of every document with its place, names what it passes over, and prints no profile', async () => {
    const { status, stdout, stderr } = await varmor(['compile', '-f', '-', '-f', 'nowhere.yaml', '-f', usage], broken)
    expect(status).to.equal(1)
    expect(stdout).to.equal('')
    const lines = stderr.trim().split('\n')
    expect(lines).to.have.length(5)
    expect(lines[0]).to.equal('ignored: standard input: document 1: Deployment web')
    expect(stderr).to.match(
      /^standard input:16:11: document 2, VarmorPolicy demo\/one: spec.*hardeningRules\[1\].*"disallow-mount"\?/m,
    )
    expect(stderr).to.match(/^standard input:17:7: document 2.*auditViolations/m)
    expect(stderr).to.match(/^standard input:20:1: document 3.*did you mean "VarmorPolicy"/m)
    expect(stderr).to.match(/^nowhere\.yaml: there is no such file$/m)
  })

  it('ends quietly when its reader does', async () => {
    const shell = `"${process.execPath}" ${VARMOR.join(' ')} rules -o json | head -n 1; echo "\${PIPESTATUS[0]}"`
    const child = spawn('bash', ['-c', shell], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    await new Promise((resolve) => child.on('close', resolve))
    expect(stderr).to.equal('')
    expect(stdout.split('\n').slice(0, 2)).to.deep.equal(['[', '0'])
  })
})

describe('varmor refuses input that is no manifest', () => {
  // biome-ignore format: a table reads better
  const inputs: [string, string | Buffer, RegExp][] = [
    ['nothing', '', /does not contain a VarmorPolicy/],
    ['other kinds only', 'apiVersion: v1\nkind: Service\n', /does not contain a VarmorPolicy/],
    ['a NUL byte', 'kind: VarmorPolicy\n\0', /line 2 contains a NUL byte/],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0x0a, 0xff, 0x0a]), /line 2 is not UTF-8/],
    ['UTF-16', Buffer.from('\ufeffkind: x', 'utf16le'), /UTF-16/],
    ['5 MiB', 'a: b\n'.repeat(1 << 20), /larger than 4 MiB/],
    ['no kind', 'a: b', /kind: an object needs a kind/],
    ['control characters in a name', 'apiVersion: crd.varmor.org/v1\nkind: "a\\e[31m\\nb"', /a\\u001b\[31m\\u000ab/],
  ]
  for (const [what, input, expected] of inputs) {
    it(what, async () => {
      const { status, stdout, stderr } = await varmor(['validate', '-f', '-'], input)
      expect(stderr).to.match(expected)
      expect(stdout).to.equal('')
      expect(status).to.equal(1)
    })
  }
})

describe('varmor validate', () => {
  it('says of each policy whether it is valid, and needs no model', async () => {
    const files = ['usage-example.yaml', 'defense-model.yaml', 'enhance-all.yaml'].map((name) => join(FIXTURES, name))
    const { status, stdout, stderr } = await varmor(['validate', '-f', ...files])
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    const lines = stdout.trim().split('\n')
    expect(lines).to.have.length(3)
    expect(lines[0]).to.match(/usage-example\.yaml: document 1: VarmorPolicy default\/deployment-policy: valid/)
    expect(lines[2]).to.match(/VarmorClusterPolicy enhance-all: valid, \d+ notes/)
  })

  it('says of a valid one that none of its rules is enforced, and which enforcer would', async () => {
    const idle = `apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolicy
metadata: {name: web, namespace: demo}
spec:
  target: {kind: Deployment, name: web}
  policy: {enforcer: NetworkProxy, mode: EnhanceProtect, enhanceProtect: {hardeningRules: [disallow-insmod]}}
`
    const { status, stdout } = await varmor(['validate', '-f', '-'], idle)
    expect(status).to.equal(0)
    expect(stdout).to.contain('valid, but NetworkProxy enforces none of the rules').and.to.contain('AppArmor or BPF')
  })

  it('refuses a glob that costs too much, as admission does', async () => {
    const costly = `apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolicy
metadata: {name: web, namespace: demo}
spec:
  target: {kind: Deployment, name: web}
  policy: {enforcer: AppArmor, mode: EnhanceProtect, enhanceProtect: {appArmorRawRules: [{rules: "deny /*????????? w,"}]}}
`
    const { status, stderr } = await varmor(['validate', '-f', '-'], costly)
    expect(status).to.equal(1)
    expect(stderr).to.contain('too costly')
  })

  it('gives all errors as data', async () => {
    const { status, stdout } = await varmor(['validate', '-f', '-', '-o', 'json'], broken)
    expect(status).to.equal(1)
    const records = JSON.parse(stdout)
    expect(records.map(({ valid }: { valid: boolean }) => valid)).to.deep.equal([false, false])
    expect(records[1]).to.include({ file: 'standard input', document: 2, object: 'VarmorPolicy demo/one' })
    const places = records[1].errors.map(({ code, line }: { code: string; line: number }) => [code, line])
    expect(places).to.have.deep.members([
      ['WRONG_TYPE', 17],
      ['UNKNOWN_RULE', 16],
    ])
  })
})

describe('varmor rules and version', () => {
  it('lists, explains, and knows the nearest name', async () => {
    const [table, one, data, unknown] = await Promise.all([
      varmor(['rules']),
      varmor(['rules', 'DISALLOW_MOUNT']),
      varmor(['rules', 'disallow-load-ebpf', '-o', 'json']),
      varmor(['rules', 'disable-crul']),
    ])
    expect(table.stdout.split('\n')[0]).to.match(/NAME +CATEGORY +APPARMOR +BPF +SECCOMP/)
    expect(one.stdout).to.match(/^disallow-mount\n/)
    expect(JSON.parse(data.stdout)[0].name).to.equal('disallow-load-bpf-prog')
    expect(unknown).to.include({ status: 1, stdout: '' })
    expect(unknown.stderr).to.match(/did you mean "disable-curl"/)
  })

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    for (const args of [['version'], ['--version'], ['-V']]) {
      expect(await varmor(args)).to.deep.equal({ status: 0, stdout: `varmor ${version}\n`, stderr: '' })
    }
  })
})

describe('varmor ends with 2 when it is misused', () => {
  const misuses: [string[], RegExp][] = [
    [[], /Usage: varmor/],
    [['compil'], /unknown command 'compil'\s+\(Did you mean compile\?\)/],
    [['compile'], /required option '-f/],
    [['compile', '-f'], /argument missing/],
    [['compile', '-f', usage, '--nope'], /unknown option/],
    [['compile', '-f', usage, '-o', 'xml'], /text, json, yaml/],
    [['compile', '-f', usage, '--enforcer', 'apparmr'], /not an enforcer\. Did you mean AppArmor/],
    [['compile', '-f', usage, '--enforcer', 'NetworkProxy'], /loads nothing/],
    [['compile', '-f', usage, '--apparmor-parser', '5'], /3\.0, 4\.0/],
    [['version', 'extra'], /too many arguments/],
  ]
  for (const [args, expected] of misuses) {
    it(`varmor ${args.map((arg) => arg.replace(`${FIXTURES}/`, '')).join(' ')}`, async () => {
      const { status, stdout, stderr } = await varmor(args)
      expect(stderr).to.match(expected)
      expect(stdout).to.equal('')
      expect(status).to.equal(2)
    })
  }

  it('but not when it is asked for help', async () => {
    expect((await varmor(['compile', '--help'])).status).to.equal(0)
  })
})
