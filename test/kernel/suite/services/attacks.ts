import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import type { DynamicResult } from '../../../../src/api/types.ts'
import type { Violation } from '../harness/violations.ts'
import { type Service, tokenPath } from './services.ts'

/** Relevant fields of events; any of these events must be reported. */
export type Reports = readonly Readonly<Record<string, unknown>>[]

/** An attempt by an attacker who controls the service. */
export interface Attack {
  /** The attack's text in the tables. */
  what: string
  /**
   * Arguments for `overtake`.
   * @param neighbour pid of another process that the service can see
   */
  words(service: Service, neighbour: number): readonly string[]
  /** System calls that the attack needs. */
  calls: readonly string[]
  appArmor(service: Service): Reports
  bpf(service: Service): Reports
  /** The reason why an enforcer cannot distinguish the attack from operations that this model allows. */
  unseen?: Partial<Record<KernelEnforcer, (model: DynamicResult) => string | undefined>>
}

const dropped = '/tmp/dropped'
const disk = '/tmp/disk'
/** An address without a server. */
const elsewhere = { ip: '10.9.9.9', port: 443 }
const capability = (...names: string[]) => ({
  appArmor: names.map((name) => ({ operation: 'capable', name })),
  bpf: names.map((name) => ({ operation: 'Capability', capability: name })),
})

const hasStream = ({ appArmor }: DynamicResult): boolean =>
  appArmor?.networks?.sockets?.some(({ domain, type }) => domain === 'inet' && type === 'stream') === true

export const attacks: readonly Attack[] = [
  {
    what: 'a shell, or another program that it never runs',
    words: ({ stranger }) => ['run', stranger],
    calls: ['execve'],
    appArmor: () => [{ operation: 'exec' }],
    bpf: () => [{ operation: 'Bprm' }],
  },
  {
    what: 'writing to /etc/passwd',
    words: () => ['write', '/etc/passwd'],
    calls: ['openat'],
    appArmor: () => [
      { operation: 'open', name: '/etc/passwd' },
      { operation: 'capable', name: 'dac_override' },
    ],
    bpf: () => [
      { operation: 'File', path: '/etc/passwd' },
      { operation: 'Capability', capability: 'dac_override' },
    ],
  },
  {
    what: 'reading the token of the service account',
    words: () => ['read', tokenPath],
    calls: ['openat'],
    appArmor: () => [{ operation: 'open', name: tokenPath }],
    bpf: () => [{ operation: 'File', path: tokenPath }],
  },
  {
    what: 'a connection to elsewhere',
    words: () => ['connect', elsewhere.ip, String(elsewhere.port)],
    calls: ['socket', 'connect'],
    appArmor: () => [{ operation: 'create', netFamily: 'inet', netSockType: 'stream' }],
    bpf: () => [
      { operation: 'Network', type: 'connect' },
      { operation: 'Network', type: 'socket' },
    ],
    unseen: {
      AppArmor: (model) =>
        hasStream(model)
          ? 'its rules have families and types of sockets, not addresses, and the workload has TCP'
          : undefined,
    },
  },
  {
    what: 'tracing another process',
    words: (_, neighbour) => ['trace', String(neighbour)],
    calls: ['ptrace'],
    appArmor: () => [{ operation: 'ptrace' }, { operation: 'capable', name: 'sys_ptrace' }],
    bpf: () => [{ operation: 'Ptrace' }, { operation: 'Capability', capability: 'sys_ptrace' }],
  },
  {
    what: 'mounting',
    words: () => ['mount'],
    calls: ['mount'],
    appArmor: () => [{ operation: 'mount' }, ...capability('sys_admin').appArmor],
    bpf: () => [{ operation: 'Mount' }, ...capability('sys_admin').bpf],
  },
  {
    what: 'loading a kernel module',
    words: () => ['module'],
    calls: ['finit_module'],
    appArmor: () => capability('sys_module').appArmor,
    bpf: () => capability('sys_module').bpf,
  },
  {
    what: 'running a program from memory (memfd)',
    words: () => ['memory'],
    calls: ['memfd_create', 'execveat'],
    appArmor: () => [{ operation: 'exec' }],
    bpf: () => [{ operation: 'Bprm' }, { operation: 'File' }],
  },
  {
    what: 'running a program that it has dropped in /tmp',
    words: () => ['drop', dropped],
    calls: ['openat', 'execve'],
    appArmor: () => [
      { operation: 'mknod', name: dropped },
      { operation: 'exec', name: dropped },
    ],
    bpf: () => [
      { operation: 'File', path: dropped },
      { operation: 'Bprm', path: dropped },
    ],
  },
  {
    what: 'a raw socket',
    words: () => ['raw'],
    calls: ['socket'],
    appArmor: () => [{ operation: 'create', netSockType: 'raw' }, ...capability('net_raw').appArmor],
    bpf: () => [{ operation: 'Network', type: 'socket' }, ...capability('net_raw').bpf],
  },
  {
    what: 'bpf(2)',
    words: () => ['bpf'],
    calls: ['bpf'],
    appArmor: () => capability('bpf', 'sys_admin').appArmor,
    bpf: () => [{ operation: 'Bpf' }, ...capability('bpf', 'sys_admin').bpf],
  },
  {
    what: 'a device file of a disk',
    words: () => ['disk', disk],
    calls: ['mknodat'],
    appArmor: () => [{ operation: 'mknod', name: disk }, ...capability('mknod').appArmor],
    bpf: () => [{ operation: 'File', path: disk }, ...capability('mknod').bpf],
  },
]

/** The reason why the enforcer allows the attack under this model; undefined if it must refuse the attack. */
export function whyUnseen(
  attack: Attack,
  enforcer: KernelEnforcer,
  model: DynamicResult,
  allowedCalls: ReadonlySet<string>,
): string | undefined {
  if (enforcer !== 'Seccomp') return attack.unseen?.[enforcer]?.(model)
  return attack.calls.every((call) => allowedCalls.has(call))
    ? 'a filter sees numbers of system calls, and the workload makes these itself'
    : undefined
}

/** Tells whether a line reports the refusal of any of these events. */
export function isReport({ event, action }: Violation, reports: Reports): boolean {
  return (
    action === 'DENIED' &&
    reports.some((report) => Object.entries(report).every(([key, value]) => event[key] === value))
  )
}
