import { capabilities as allCapabilities, type Capability } from '../../../../src/rules/capabilities.ts'
import type { Errno } from '../harness/errno.ts'
import { linuxFrom } from '../harness/kernel-release.ts'
import { capabilityRecord } from '../harness/records.ts'
import type { RuleCase, RuleFamily } from '../harness/rule-case.ts'

// For each capability, one operation that needs it and no other: test/kernel/images/probes/use-capability.c.

/** The kernel's answer to a process without the capability, if it is not EPERM. */
const refusals: Partial<Record<Capability, Errno | { says: string }>> = {
  dac_override: 'EACCES',
  fsetid: { says: 'the set-group-ID bit was dropped' },
  net_bind_service: 'EACCES',
  net_admin: 'EACCES',
  ipc_owner: 'EACCES',
  sys_nice: 'EACCES',
  lease: 'EACCES',
  mac_admin: 'EACCES',
  block_suspend: { says: 'EPOLLWAKEUP was dropped' },
  perfmon: 'EACCES',
}

const skips: Partial<Record<Capability, string | undefined>> = {
  mac_override: 'no code of this kernel asks for it; Smack does',
  ...(!linuxFrom(6, 0) && { linux_immutable: 'tmpfs has no such flags before Linux 6.0' }),
}

const use = (name: string): readonly string[] => ['/probes/use-capability', name]

const record = (name: Capability) => capabilityRecord('use-capability', name)

/** Debian's own perf_event_paranoid, 3, allows only CAP_SYS_ADMIN, so 2 replaces it. */
const prepare =
  'echo 2 > /proc/sys/kernel/perf_event_paranoid; ' +
  'touch /dev/shm/others; chown 1000 /dev/shm/others; chmod 0 /dev/shm/others; ' +
  'mountpoint -q /sys/kernel/security/ || mount -t securityfs none /sys/kernel/security'

const ofOne = (name: Capability): RuleCase => ({
  rule: `disable-cap-${name.replaceAll('_', '-')}`,
  skip: skips[name],
  attack: use(name),
  refusal: refusals[name] ?? 'EPERM',
  neighbour: use(name === 'fowner' ? 'net_raw' : 'fowner'),
  records: [record(name)],
  // Without AppArmor, BPF's hook refuses the open of the file.
  ...(name === 'mac_admin' && { bpf: { refusal: 'EPERM' as const } }),
  ...(name === 'chown' && { undo: 'rm /dev/shm/own' }),
})

const cases: readonly RuleCase[] = [
  {
    rule: 'disable-cap-all',
    attack: use('net_bind_service'),
    refusal: 'EACCES',
    neighbour: use('none'),
    records: [record('net_bind_service')],
  },
  {
    rule: 'disable-cap-all-except-net-bind-service',
    attack: use('setuid'),
    refusal: 'EPERM',
    neighbour: use('net_bind_service'),
    records: [record('setuid')],
  },
  {
    rule: 'disable-cap-privileged',
    attack: use('sys_admin'),
    refusal: 'EPERM',
    neighbour: use('fowner'),
    records: [record('sys_admin')],
  },
  ...allCapabilities.map(ofOne),
]

export const capabilities: RuleFamily = { name: 'capabilities', cases, prepare }
