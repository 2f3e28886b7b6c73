import type { Capability } from '../../../../src/rules/capabilities.ts'
import type { AppArmorRecord } from './records.ts'

/** A BPF report: the `event` of a line, and the name of the program. */
export interface BpfEvent {
  comm: string
  event: Readonly<Record<string, unknown>>
}

export const fileEvent = (comm: string, path: string, ...permissions: readonly string[]): BpfEvent => ({
  comm,
  event: { operation: 'File', permissions, path },
})

/** The report of running a program, or of mapping an executable file. */
export const execEvent = (comm: string, path: string): BpfEvent => ({
  comm,
  event: { operation: 'Bprm', permissions: ['exec'], path },
})

export const capabilityEvent = (comm: string, capability: Capability): BpfEvent => ({
  comm,
  event: { operation: 'Capability', capability },
})

const noSocket = { domain: '', type: '', protocol: '' }

export const connectEvent = (comm: string, ip: string, port: number): BpfEvent => ({
  comm,
  event: { operation: 'Network', type: 'connect', socket: noSocket, address: { ip, port } },
})

/** AppArmor's letters for file permissions, in the order of BPF's words. */
const fileWords = [
  ['w', 'write'],
  ['r', 'read'],
  ['a', 'append'],
] as const

function fileEvents(comm: string, operation: string, name: string, mask: string): BpfEvent[] {
  switch (operation) {
    case 'open':
      return [fileEvent(comm, name, ...fileWords.filter(([letter]) => mask.includes(letter)).map(([, word]) => word))]
    case 'mknod':
      return [fileEvent(comm, name, 'create')]
    case 'unlink':
      return [fileEvent(comm, name, 'delete')]
    case 'truncate':
      return [fileEvent(comm, name, 'write')]
    case 'chmod':
      return [fileEvent(comm, name, 'chmod')]
    case 'exec':
    case 'file_mmap':
      return [execEvent(comm, name)]
    // BPF does not check an open file again, and every process may learn a file's size.
    case 'getattr':
    case 'file_perm':
      return []
    default:
      throw new Error(`no event is known for ${operation} of AppArmor`)
  }
}

const flagsOf = (flags: string): string[] => flags.split(', ').filter((flag) => flag !== '' && flag !== 'rw')

/** The BPF reports of an operation that AppArmor reports with this record. */
export function eventsOf({ event }: AppArmorRecord): BpfEvent[] {
  const text = (field: string): string => String(event[field] ?? '')
  const [comm, operation, name] = [text('comm'), text('operation'), text('name')]
  switch (operation) {
    case 'capable':
      return [capabilityEvent(comm, name as Capability)]
    case 'create': {
      const [domain, type, protocol] = [text('netFamily'), text('netSockType'), text('netProtocol')].map((word) =>
        word.toUpperCase(),
      )
      const socket = { domain: `AF_${domain}`, type: `SOCK_${type}`, protocol: `IPPROTO_${protocol}` }
      return [{ comm, event: { operation: 'Network', type: 'socket', socket, address: { ip: '', port: 0 } } }]
    }
    case 'mount': {
      const type = text('fsType') === '' ? 'none' : text('fsType')
      return [{ comm, event: mountFields(name, type, flagsOf(text('flags'))) }]
    }
    case 'umount':
      return [{ comm, event: mountFields(name, 'none', ['umount']) }]
    default:
      return fileEvents(comm, operation, name, text('requestedMask'))
  }
}

const mountFields = (name: string, type: string, flags: readonly string[]) => ({
  ...{ operation: 'Mount', path: name.replace(/\/$/, ''), type, flags },
})

/** The reports of a program that may run: the exec, and the mapping under the program's new name. */
export const runsAfterAll = ({ comm, event: { path } }: BpfEvent): BpfEvent[] => [
  execEvent(comm, String(path)),
  execEvent(String(path).split('/').at(-1)!, String(path)),
]
