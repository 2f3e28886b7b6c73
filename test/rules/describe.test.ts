import { expect } from 'chai'
import { catalogue } from '../../src/rules/catalogue.ts'
import { describeRule, ruleAsData, ruleTable } from '../../src/rules/describe.ts'
import type { Rule } from '../../src/rules/meaning.ts'
import { ruleOf } from './fixture-world.ts'

const words = (text: string) => text.replace(/\s+/g, ' ')

describe('the table of rules', () => {
  const lines = ruleTable(catalogue).split('\n')

  it('has a heading and a line a rule', () => {
    expect(lines[0]?.split(/\s+/)).to.deep.equal(['NAME', 'CATEGORY', 'APPARMOR', 'BPF', 'SECCOMP'])
    expect(lines.slice(1).map((line) => line.split(' ')[0])).to.deep.equal(catalogue.map(({ name }) => name))
  })

  const rows: [rule: string, appArmor: string, bpf: string, seccomp: string][] = [
    ['disable-write-etc', 'yes', 'yes', 'no'],
    ['block-access-to-aws-metadata-service', 'no', 'yes', 'no'],
    ['dirty-pipe-mitigation', 'no', 'no', 'yes'],
    ['disallow-userfaultfd-creation', 'partly', 'yes', 'partly'],
    ['disable-inet', 'partly', 'yes', 'no'],
  ]
  for (const [rule, ...expected] of rows)
    it(`says who carries ${rule}`, () => {
      const line = ruleTable([ruleOf(rule)]).split('\n')[1] ?? ''
      expect(line.split(/\s{2,}/)).to.deep.equal([rule, ruleOf(rule).category, ...expected])
    })

  it('fits a terminal, and is only a heading without rules', () => {
    expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(100)
    expect(ruleTable([])).to.equal('NAME  CATEGORY  APPARMOR  BPF  SECCOMP')
  })
})

describe('the description of a rule', () => {
  for (const rule of catalogue)
    it(`of ${rule.name} has all of its sentences, in lines that fit a terminal`, () => {
      const text = describeRule(rule)
      const said = words(text)
      const gaps = Object.values(rule.gaps ?? {})
      for (const part of [rule.name, rule.stops, rule.why, ...(rule.notes ?? []), ...gaps, ...rule.sources])
        expect(said).to.include(words(part))
      expect(text).not.to.match(/undefined|\[object| $/m)
      for (const line of text.split('\n')) expect(line.length).to.be.at.most(100)
    })

  const said: [rule: string, phrases: readonly string[]][] = [
    ['disallow-load-ebpf', ['disallow-load-bpf-prog', 'Also called disallow-load-ebpf', 'hardeningRules']],
    ['disable_cap_net_raw', ['using CAP_NET_RAW', 'Seccomp does not enforce it']],
    ['disable-access-passwd', ['AppArmor and BPF refuse', 'reading and changing /etc/passwd, /etc/passwd-']],
    ['disallow-load-all-bpf-prog', ['the lower 32 bits of argument 0 are 5: EPERM', 'bpf(2) commands prog_load']],
    ['disable-chmod-s-bit', ['chmod, fchmod where argument 1 has 0o4000 set: EPERM']],
    ['disallow-create-user-ns', ['clone3: ENOSYS (not logged in observe mode)', 'creating user namespaces']],
    ['disable-network', ['creating sockets of any kind']],
    ['disable-tcp', ['protocol tcp; of family inet and inet6, type stream; of family smc and rds']],
    ['disallow-umount', ['unmounting anything']],
    ['disallow-access-procfs-root', ['other processes', 'processes outside the container']],
    ['block-access-to-kube-apiserver', ['connecting to the Service default/kubernetes']],
    ['disallow-debug-disk-device', ['block devices of any name', 'BPF refuses', 'AppArmor refuses']],
    ['disallow-write-release-agent', ['mounting file systems of type cgroup, cgroup2', 'remounting at /sys/fs/cgroup']],
  ]
  for (const [rule, phrases] of said)
    it(`of ${rule} says ${phrases.join('; ')}`, () => {
      const text = words(describeRule(ruleOf(rule)))
      for (const phrase of phrases) expect(text).to.include(phrase)
    })

  it('says a comparison in every operator that the language has', () => {
    const ops = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE'] as const
    const rule: Rule = {
      ...ruleOf('dirty-pipe-mitigation'),
      seccomp: [
        ...ops.map((op) => ({
          names: ['dup'],
          args: [{ index: 0 as const, op: `SCMP_CMP_${op}` as const, value: 7 }],
        })),
        { names: ['dup'], args: [{ index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 0xff, valueTwo: 1 }], errno: 13 },
      ],
    }
    const text = describeRule(rule)
    for (const phrase of ['is 7', 'is not 7', 'is below 7', 'is at most 7', 'is above 7', 'is at least 7'])
      expect(text).to.include(`dup where argument 0 ${phrase}: EPERM`)
    expect(text).to.include('dup where argument 1 & 0o377 is 0o1: errno 13')
  })
})

describe('a rule as data', () => {
  for (const rule of catalogue)
    it(`${rule.name} survives JSON, with every field there`, () => {
      const data = ruleAsData(rule)
      expect(JSON.parse(JSON.stringify(data))).to.deep.equal(data)
      expect(data).to.deep.include({ name: rule.name, appArmor: rule.appArmor, bpf: rule.bpf, seccomp: rule.seccomp })
      expect(Object.values(data)).not.to.include(undefined)
    })

  it('says who carries it', () =>
    expect(ruleAsData(ruleOf('disable-inet')).enforcers).to.deep.equal({
      appArmor: 'partly',
      bpf: 'yes',
      seccomp: 'no',
    }))

  it('names the directories that are protected with its paths, and how to leave them alone', () => {
    const text = words(describeRule(ruleOf('disable-write-etc'), ['/etc']))
    expect(text).to.include('/etc cannot be renamed').and.include('protectAncestors: false')
    expect(words(describeRule(ruleOf('disable-write-etc')))).to.not.include('protectAncestors')
  })
})
