import type { LinuxSeccomp } from '../../api/types.ts'
import { entriesOf, type SyscallRule } from './syscall-rule.ts'
import { type Action, nodeArchitectures } from './vocabulary.ts'

/** A profile with rules of vArmor, usable on every node. */
export function ownProfile(defaultAction: Action, rules: readonly SyscallRule[] = []): LinuxSeccomp {
  const syscalls = entriesOf(rules)
  return { defaultAction, architectures: [...nodeArchitectures], ...(syscalls.length > 0 && { syscalls }) }
}
