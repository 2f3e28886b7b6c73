import { type KernelEnforcer, parseEnforcers } from '../../src/api/enforcer.ts'

/** An attack that only this enforcer refuses in the demonstration. */
export interface Enforced {
  enforcer: KernelEnforcer
  command: string
  /** The output of the refused command. */
  says: string
  /** Fields of the violation's event. */
  event: Readonly<Record<string, unknown>>
  /** Fields of the event if the attack is allowed. */
  observed: Readonly<Record<string, unknown>>
  /** Whether the enforcer does not report refusals. */
  silent?: boolean
  /** Rules that the demonstration adds to the user's policy. */
  rules: object
}

const hardening = ['disable_cap_privileged', 'disable_cap_net_raw']

const all: readonly Enforced[] = [
  {
    enforcer: 'AppArmor',
    command: 'touch /etc/5',
    says: 'Permission denied',
    event: { operation: 'mknod', name: '/etc/5' },
    observed: { name: '/etc/5' },
    rules: {},
  },
  {
    enforcer: 'BPF',
    command: 'cat /etc/group',
    says: 'Operation not permitted',
    event: { operation: 'File', path: '/etc/group' },
    observed: { operation: 'File', path: '/etc/group' },
    rules: { bpfRawRules: { files: [{ pattern: '/etc/group', permissions: ['read'] }] } },
  },
  {
    enforcer: 'Seccomp',
    command: 'unshare -U true',
    says: 'Operation not permitted',
    event: {},
    observed: { syscall: 'unshare' },
    silent: true,
    rules: { hardeningRules: [...hardening, 'disallow-create-user-ns'] },
  },
]

/** The demonstrations of the named enforcers, and the rules that they need. @throws if the text names no enforcer */
export function chosen(enforcer: string): { enforcers: readonly Enforced[]; own: object } {
  const parsed = parseEnforcers(enforcer)
  const enforcers = parsed.ok ? all.filter((one) => parsed.enforcers.includes(one.enforcer)) : []
  if (enforcers.length === 0)
    throw new Error(
      `ENFORCER=${enforcer} names no enforcer; use AppArmor, BPF, Seccomp, or a combination such as AppArmorBPF`,
    )
  return { enforcers, own: Object.assign({}, ...enforcers.map(({ rules }) => rules)) as object }
}
