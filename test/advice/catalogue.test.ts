import { expect } from 'chai'
import type { Operation } from '../../src/advice/operation.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { mountFlagBits } from '../../src/api/linux-mount-flags.ts'
import { newestAppArmor } from '../../src/profile/context.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { isImpossible, type Restriction, type Rule, type SyscallRestriction } from '../../src/rules/meaning.ts'
import { asking, enhanced, judgeOf } from './policies.ts'

/** A path that matches a pattern, and the file at this path. */
const sample = (pattern: string): string => pattern.replace('/**/', '/d/').replace('**', 'd/f').replaceAll('*', 'f')

const { bind, move, remount } = mountFlagBits
const flagsOf = { new: 0, bind, move, remount, umount: 0 }

/** Operations that a restriction of the catalogue forbids, according to its text. */
function forbidden(restriction: Restriction): Operation[] {
  switch (restriction.kind) {
    case 'path':
      return restriction.deny.map((action) => ({
        kind: 'file',
        path: sample(restriction.pattern),
        action,
        type: 'file',
      }))
    case 'capability':
      return restriction.names.map((name) => ({ kind: 'capability', name }))
    case 'mount':
      return restriction.operations.map((operation) => ({
        kind: 'mount',
        operation,
        flags: flagsOf[operation],
        source: sample(restriction.source ?? '/src'),
        target: sample(restriction.target ?? '/mnt'),
        ...(operation === 'new' && { fstype: restriction.fstype ?? 'tmpfs' }),
      }))
    case 'socket':
      return (restriction.domains ?? ['inet']).map((domain) => ({
        kind: 'socket',
        domain,
        type:
          restriction.types?.[0] ??
          (restriction.protocols?.[0] === 'udp' ? 'dgram' : restriction.protocols?.[0] === 'icmp' ? 'raw' : 'stream'),
        protocol: restriction.protocols?.[0] === 'icmp' ? 1 : 0,
      }))
    case 'egress':
      return [{ kind: 'egress', address: restriction.to.split('/')[0]!, port: 80, protocol: 'tcp' }]
    case 'ptrace':
      return restriction.access.map((access) => ({ kind: 'ptrace', access, isOutside: true, peer: 'unconfined' }))
    case 'userns':
    case 'userfaultfd':
      return [{ kind: restriction.kind }]
    case 'bpf':
      return restriction.commands.map((command) => ({ kind: 'bpf', command }))
    case 'block-device':
      return restriction.deny.map((action) => ({ kind: 'file', path: '/dev/odd', action, type: 'block-device' }))
    // Only the cluster or the node knows these facts.
    case 'service':
    case 'node-disks':
      return []
  }
}

/** Arguments that satisfy all comparisons. Each comparison is an equality, or an equality under a mask. */
function syscalls({ names, args = [] }: SyscallRestriction): Operation[] {
  const values: bigint[] = [0n, 0n, 0n, 0n, 0n, 0n]
  for (const { index, op, value, valueTwo } of args) {
    if (op !== 'SCMP_CMP_EQ' && op !== 'SCMP_CMP_MASKED_EQ') throw new Error(op)
    values[index] = values[index]! | BigInt(valueTwo ?? value)
  }
  return names.map((name) => ({ kind: 'syscall', name, args: values }))
}

function of(rule: Rule, enforcer: KernelEnforcer): Operation[] {
  if (enforcer === 'Seccomp') return isImpossible(rule.seccomp) ? [] : rule.seccomp.flatMap(syscalls)
  const restrictions = enforcer === 'AppArmor' ? rule.appArmor : rule.bpf
  return isImpossible(restrictions) ? [] : restrictions.flatMap(forbidden)
}

/** AppArmor names processes by their profile, so it has no rule about processes outside of all profiles. */
const beyond = (enforcer: KernelEnforcer, operation: Operation): boolean =>
  enforcer === 'AppArmor' && operation.kind === 'file' && operation.type === 'block-device'

describe('each built-in rule', () => {
  const options = { appArmor: newestAppArmor }
  for (const enforcer of ['AppArmor', 'BPF', 'Seccomp'] as const) {
    const without = judgeOf(enhanced({ privileged: true }, enforcer), enforcer, options)
    let tried = 0
    for (const rule of catalogue)
      it(`${rule.name}, ${enforcer}: what it forbids is denied with it and allowed without`, () => {
        const operations = of(rule, enforcer).filter((operation) => !beyond(enforcer, operation))
        const judge = judgeOf(enhanced({ ...asking(rule), privileged: true }, enforcer), enforcer, options)
        for (const operation of operations) {
          tried++
          const text = JSON.stringify(operation, (_, value) => (typeof value === 'bigint' ? String(value) : value))
          expect(judge(operation).outcome, text).to.equal('denied')
          expect(without(operation).outcome, text).to.equal('allowed')
        }
      })
    it(`${enforcer}: many operations were tried`, () => expect(tried).to.be.greaterThan(30))
  }
})
