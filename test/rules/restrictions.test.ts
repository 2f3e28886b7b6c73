import { isIP } from 'node:net'
import { expect } from 'chai'
import { isSyscall } from '../../src/api/linux-syscalls.ts'
import { parsePathPattern } from '../../src/profile/path-pattern.ts'
import { capabilities } from '../../src/rules/capabilities.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import {
  isImpossible,
  type Restriction,
  type Rule,
  type SyscallArgument,
  type SyscallRestriction,
  socketDomains,
  socketTypes,
} from '../../src/rules/meaning.ts'

function restrictionsOf(rule: Rule): Restriction[] {
  return [rule.appArmor, rule.bpf].flatMap((meaning) => (isImpossible(meaning) ? [] : [...meaning]))
}

function expectPattern(text: string): void {
  expect(text).to.match(/^\//)
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`)
  expect(parsed.pattern.text).to.equal(text)
}

function expectWellFormed(restriction: Restriction): void {
  switch (restriction.kind) {
    case 'path':
      expectPattern(restriction.pattern)
      return void expect(restriction.deny).to.have.length.at.least(1)
    case 'capability':
      expect(restriction.names).to.have.length.at.least(1)
      return void expect(capabilities).to.include.members([...restriction.names])
    case 'mount':
      expect(restriction.operations).to.have.length.at.least(1)
      for (const place of [restriction.source, restriction.target]) if (place !== undefined) expectPattern(place)
      return void expect(restriction.fstype ?? 'x').to.match(/^[a-z0-9]+$/)
    case 'socket':
      expect(socketDomains).to.include.members([...(restriction.domains ?? [])])
      return void expect(socketTypes).to.include.members([...(restriction.types ?? [])])
    case 'egress': {
      const [address = '', length] = restriction.to.split('/')
      expect(isIP(address)).to.be.oneOf([4, 6])
      return void expect(Number(length ?? 0)).to.be.within(0, 128)
    }
    case 'service':
      return void expect(`${restriction.namespace}/${restriction.name}`).to.match(/^[a-z0-9-]+\/[a-z0-9-]+$/)
    case 'ptrace':
      return void expect(restriction.access).to.have.length.at.least(1)
    case 'bpf':
      return void expect(restriction.commands).to.have.length.at.least(1)
    case 'node-disks':
      return void expect([...restriction.deny, ...restriction.mount]).to.have.length.at.least(1)
    case 'block-device':
      return void expect(restriction.deny).to.have.length.at.least(1)
    case 'userns':
      return
  }
}

function expectArgument({ index, op, value, valueTwo }: SyscallArgument): void {
  expect(index).to.be.within(0, 5)
  expect(Number.isSafeInteger(value) && value >= 0).to.equal(true)
  if (op !== 'SCMP_CMP_MASKED_EQ') return void expect(valueTwo).to.equal(undefined)
  const wanted = BigInt(valueTwo ?? 0)
  expect(wanted & BigInt(value), 'a value outside of its mask never matches').to.equal(wanted)
}

function expectSyscalls({ names, args = [], errno = 1 }: SyscallRestriction): void {
  expect(names).to.have.length.at.least(1)
  for (const name of names) expect(isSyscall(name), name).to.equal(true)
  expect(errno).to.be.oneOf([1, 22, 38])
  for (const argument of args) expectArgument(argument)
  // Two comparisons of one argument are ambiguous: for runc either must match, for the specification both must match.
  expect(new Set(args.map(({ index }) => index)).size).to.equal(args.length)
}

describe('what the catalogue hands to the compilers', () => {
  for (const rule of catalogue) {
    it(`${rule.name} is well-formed for AppArmor and BPF`, () => restrictionsOf(rule).forEach(expectWellFormed))

    if (!isImpossible(rule.seccomp)) {
      const calls = rule.seccomp
      it(`${rule.name} is well-formed for Seccomp`, () => calls.forEach(expectSyscalls))
    }

    it(`${rule.name} says nothing twice`, () => {
      for (const meaning of [rule.appArmor, rule.bpf, rule.seccomp]) {
        if (isImpossible(meaning)) continue
        const texts = meaning.map((restriction) => JSON.stringify(restriction))
        expect(new Set(texts).size).to.equal(texts.length)
      }
    })
  }

  it('asks nothing of AppArmor that it has no word for', () => {
    const unknown = new Set<Restriction['kind']>(['egress', 'service', 'bpf', 'block-device'])
    for (const { name, appArmor } of catalogue) {
      if (isImpossible(appArmor)) continue
      expect(
        appArmor.filter(({ kind }) => unknown.has(kind)),
        name,
      ).to.deep.equal([])
    }
  })
})

describe('system calls that take an int', () => {
  const ints: [call: string, index: number][] = [
    ['bpf', 0],
    ['setsockopt', 1],
    ['setsockopt', 2],
    ['socketcall', 0],
  ]
  for (const [call, index] of ints)
    it(`${call}: argument ${index} is compared in its lower 32 bits, as the kernel reads it`, () => {
      const compared = catalogue
        .flatMap(({ seccomp }) => (isImpossible(seccomp) ? [] : [...seccomp]))
        .filter(({ names }) => names.includes(call))
        .flatMap(({ args = [] }) => args.filter((argument) => argument.index === index))
      expect(compared).to.have.length.at.least(1)
      for (const { op, value } of compared) expect([op, value]).to.deep.equal(['SCMP_CMP_MASKED_EQ', 0xffffffff])
    })
})
