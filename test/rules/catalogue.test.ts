import { expect } from 'chai'
import fc from 'fast-check'
import { capabilities } from '../../src/rules/capabilities.ts'
import { catalogue, findRule, ruleNames } from '../../src/rules/catalogue.ts'
import { isImpossible, type Rule, type RuleCategory } from '../../src/rules/meaning.ts'

/** The rules that upstream's API defines, by the list of a policy that may contain them. */
// biome-ignore format: a table reads better
const promised: Record<RuleCategory, readonly string[]> = {
  hardening: [
    'disallow-write-core-pattern', 'disallow-mount-securityfs', 'disallow-mount-procfs', 'disallow-write-release-agent',
    'disallow-mount-cgroupfs', 'disallow-debug-disk-device', 'disallow-mount-disk-device', 'disallow-mount',
    'disallow-umount', 'disallow-insmod', 'disallow-load-bpf-prog', 'disallow-load-ebpf', 'disallow-access-procfs-root',
    'disallow-access-kallsyms', 'disable-cap-all', 'disable-cap-all-except-net-bind-service', 'disable-cap-privileged',
    'disallow-abuse-user-ns', 'disallow-create-user-ns', 'disallow-load-all-bpf-prog',
    'disallow-load-bpf-via-setsockopt', 'disallow-userfaultfd-creation',
    'disable-cap-chown', 'disable-cap-dac-override', 'disable-cap-dac-read-search', 'disable-cap-fowner',
    'disable-cap-fsetid', 'disable-cap-kill', 'disable-cap-setgid', 'disable-cap-setuid', 'disable-cap-setpcap',
    'disable-cap-linux-immutable', 'disable-cap-net-bind-service', 'disable-cap-net-broadcast', 'disable-cap-net-admin',
    'disable-cap-net-raw', 'disable-cap-ipc-lock', 'disable-cap-ipc-owner', 'disable-cap-sys-module',
    'disable-cap-sys-rawio', 'disable-cap-sys-chroot', 'disable-cap-sys-ptrace', 'disable-cap-sys-pacct',
    'disable-cap-sys-admin', 'disable-cap-sys-boot', 'disable-cap-sys-nice', 'disable-cap-sys-resource',
    'disable-cap-sys-time', 'disable-cap-sys-tty-config', 'disable-cap-mknod', 'disable-cap-lease',
    'disable-cap-audit-write', 'disable-cap-audit-control', 'disable-cap-setfcap', 'disable-cap-mac-override',
    'disable-cap-mac-admin', 'disable-cap-syslog', 'disable-cap-wake-alarm', 'disable-cap-block-suspend',
    'disable-cap-audit-read', 'disable-cap-perfmon', 'disable-cap-bpf', 'disable-cap-checkpoint-restore',
  ],
  'attack-protection': [
    'mitigate-sa-leak', 'mitigate-disk-device-number-leak', 'mitigate-overlayfs-leak', 'mitigate-host-ip-leak',
    'block-access-to-metadata-service', 'disallow-metadata-service', 'block-access-to-aws-metadata-service',
    'block-access-to-volc-metadata-service', 'block-access-to-alibaba-metadata-service',
    'block-access-to-oci-metadata-service', 'disable-write-etc', 'disable-access-passwd', 'disable-access-shadow',
    'disable-access-ssh-dir', 'disable-write-skills', 'disable-busybox', 'disable-shell', 'disable-wget',
    'disable-curl', 'disable-chmod', 'disable-chmod-x-bit', 'disable-chmod-s-bit', 'disable-su-sudo', 'disable-network',
    'disable-inet', 'disable-ipv4', 'disable-inet6', 'disable-ipv6', 'disable-unix-domain-socket', 'disable-icmp',
    'disable-tcp', 'disable-udp', 'block-access-to-kube-apiserver', 'block-access-to-container-runtime',
  ],
  'vulnerability-mitigation': [
    'cgroups-lxcfs-escape-mitigation', 'runc-override-mitigation', 'dirty-pipe-mitigation',
    'ingress-nightmare-mitigation', 'copy-fail-mitigation',
  ],
}

const categories = Object.keys(promised) as RuleCategory[]
const aliases: [alias: string, name: string][] = [
  ['disallow-load-ebpf', 'disallow-load-bpf-prog'],
  ['disable-ipv4', 'disable-inet'],
  ['disable-ipv6', 'disable-inet6'],
  ['disallow-metadata-service', 'block-access-to-metadata-service'],
]

describe('the names of the built-in rules', () => {
  for (const category of categories)
    for (const name of promised[category])
      it(`${name} is a ${category} rule`, () => expect(findRule(name)?.category).to.equal(category))

  for (const category of categories)
    it(`${category} has no name beside the promised ones`, () =>
      expect(ruleNames(category)).to.have.members([...promised[category]]))

  it('are one list over all categories', () =>
    expect(ruleNames()).to.have.members(categories.flatMap((category) => promised[category])))

  it('are unique, aliases included', () => expect(new Set(ruleNames()).size).to.equal(ruleNames().length))

  for (const [alias, name] of aliases) it(`${alias} is ${name}`, () => expect(findRule(alias)?.name).to.equal(name))

  it('there is one for each capability', () => {
    const single = catalogue.filter(({ sources }) => sources.some((source) => source.includes('capability.h: number')))
    expect(single.map(({ name }) => name)).to.deep.equal(
      capabilities.map((name) => `disable-cap-${name.replaceAll('_', '-')}`),
    )
  })

  it('may be written in any case and with _ for -, as the policies of users do', () => {
    expect(findRule('disable_cap_privileged')?.name).to.equal('disable-cap-privileged')
    const name = fc.constantFrom(...ruleNames())
    fc.assert(
      fc.property(name, fc.array(fc.boolean()), (plain, keep) => {
        const spelled = [...plain].map((letter, i) => {
          if (keep[i] === true) return letter
          return letter === '-' ? '_' : letter.toUpperCase()
        })
        expect(findRule(spelled.join(''))).to.equal(findRule(plain))
      }),
    )
  })

  for (const stranger of [
    '',
    'disable-cap',
    'disable-cap-',
    'disallow-mount-',
    ' disallow-mount',
    'constructor',
    '__proto__',
  ])
    it(`${JSON.stringify(stranger)} is none`, () => expect(findRule(stranger)).to.equal(undefined))
})

const SENTENCE = /^\S.*\.$/s

function sentences(rule: Rule): string[] {
  const gaps = Object.values(rule.gaps ?? {})
  const reasons = [rule.appArmor, rule.bpf, rule.seccomp].flatMap((meaning) =>
    isImpossible(meaning) ? [meaning.impossible] : [],
  )
  return [rule.stops, rule.why, ...(rule.notes ?? []), ...gaps, ...reasons]
}

describe('an entry of the catalogue', () => {
  for (const rule of catalogue) {
    it(`${rule.name} says what it stops, why, and where that is from`, () => {
      expect(rule.name).to.match(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      expect(rule.stops).to.match(SENTENCE)
      expect(rule.why).to.match(SENTENCE).and.have.length.at.least(30)
      expect(rule.sources).to.have.length.at.least(1)
      for (const source of rule.sources) expect(source.trim()).to.equal(source).and.have.length.at.least(8)
    })

    it(`${rule.name} is carried by an enforcer, and says why not by the others`, () => {
      const meanings = [rule.appArmor, rule.bpf, rule.seccomp]
      expect(meanings.some((meaning) => !isImpossible(meaning))).to.equal(true)
      for (const meaning of meanings) {
        if (isImpossible(meaning)) expect(meaning.impossible).to.match(SENTENCE).and.have.length.at.least(30)
        else expect(meaning).to.have.length.at.least(1)
      }
    })

    it(`${rule.name} has no gap of an enforcer that does not carry it`, () => {
      for (const enforcer of Object.keys(rule.gaps ?? {}) as ('appArmor' | 'bpf' | 'seccomp')[])
        expect(isImpossible(rule[enforcer])).to.equal(false)
    })
  }

  it('explains each capability in words of its own', () => {
    const whys = capabilities.map((name) => findRule(`disable-cap-${name}`)?.why)
    expect(new Set(whys).size).to.equal(capabilities.length)
  })

  it('is written in whole, printable sentences', () => {
    for (const rule of catalogue)
      for (const sentence of sentences(rule)) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
        expect(sentence).not.to.match(/[\u0000-\u001f]|undefined|\s{2}/)
        expect(sentence, rule.name).to.match(SENTENCE)
      }
  })
})
