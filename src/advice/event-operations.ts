import type { FileOperation, Operation } from './operation.ts'
import { OWN_LABEL, type Recorded } from './recorded.ts'
import {
  capabilityOf,
  familyOf,
  fileActionsOf,
  mountingOf,
  protocolOf,
  ptraceAccessesOf,
  socketTypeOf,
} from './words.ts'

type Fields = Readonly<Record<string, unknown>>

/** The operations that a line of violations.log reports, or why they cannot be judged. */
export type EventOperations = { ok: true; recorded: Recorded[] } | { ok: false; why: string }

const cannot = (why: string): EventOperations => ({ ok: false, why })

/** @param line the object of a line, whose fields may be absent or of other types (src/audit/EVENTS.md) */
export function eventOperations(line: Fields): EventOperations {
  const event = fieldsOf(line, 'event')
  if ('lost' in line) return cannot('events were lost here')
  if ('digest' in line || 'heldBack' in line) return cannot('the line is a count of events, not an event')
  if ('undecoded' in line) return cannot('the record was not decoded')
  switch (textOf(line, 'enforcer') || textOf(line, 'eventType')) {
    case 'AppArmor':
      return withProgram(line, 'AppArmor', appArmorOperations(event))
    case 'BPF':
      return withProgram(line, 'BPF', bpfOperations(line, event))
    case 'Seccomp':
      return withProgram(line, 'Seccomp', syscallOperation(event))
    default:
      return cannot('the enforcer of the line is not known')
  }
}

function withProgram(line: Fields, by: Recorded['by'], found: Operation[] | string): EventOperations {
  if (typeof found === 'string') return cannot(found)
  // For AppArmor, `process.exe` is read from /proc after the event. A process that executes a file runs a new program
  // by then, so this field may name the wrong program.
  const program = by === 'BPF' ? textOf(line, 'exe') : textOf(fieldsOf(line, 'process'), 'exe')
  return { ok: true, recorded: found.map((operation) => ({ operation, by, ...(program !== '' && { program }) })) }
}

function fieldsOf(fields: Fields, key: string): Fields {
  const value = fields[key]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function textOf(fields: Fields, key: string): string {
  const value = fields[key]
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function listOf(fields: Fields, key: string): string[] {
  const value = fields[key]
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function syscallOperation(event: Fields): Operation[] | string {
  const name = textOf(event, 'syscall')
  return name === '' || name.startsWith('unknown(')
    ? 'the name of the system call is not known'
    : [{ kind: 'syscall', name }]
}

function bpfOperations(line: Fields, event: Fields): Operation[] | string {
  switch (textOf(event, 'operation')) {
    case 'File':
    case 'Bprm':
      return bpfFile(line, event)
    case 'Capability': {
      const name = capabilityOf(textOf(event, 'capability'))
      return name === undefined ? 'the capability is not known' : [{ kind: 'capability', name }]
    }
    case 'Network':
      return bpfNetwork(event)
    case 'Ptrace': {
      const accesses = ptraceAccessesOf(textOf(event, 'permission'))
      const isOutside = event['external'] === true
      return accesses?.map((access) => ({ kind: 'ptrace', access, isOutside })) ?? 'the ptrace access is not known'
    }
    case 'Mount':
      return bpfMount(event)
    case 'Userns':
      return [{ kind: 'userns' }]
    case 'Userfaultfd':
      return [{ kind: 'userfaultfd' }]
    case 'Bpf':
      return [{ kind: 'bpf', command: textOf(event, 'command') }]
    default:
      return 'the operation is not known'
  }
}

function bpfFile(line: Fields, event: Fields): Operation[] | string {
  const path = textOf(event, 'path')
  if (line['pathUnknown'] === true || line['pathCut'] === true || !path.startsWith('/')) return 'the path is not known'
  const operations = listOf(event, 'permissions').map((word) => fileActionsOf(word))
  if (operations.length === 0 || operations.includes(undefined)) return 'the file permission is not known'
  return operations.flatMap((actions) => actions ?? []).map((action) => ({ kind: 'file', path, action }))
}

function bpfNetwork(event: Fields): Operation[] | string {
  const type = textOf(event, 'type')
  if (type === 'socket') {
    const socket = fieldsOf(event, 'socket')
    return socketOf(textOf(socket, 'domain'), textOf(socket, 'type'), textOf(socket, 'protocol'))
  }
  if (type !== 'connect' && type !== 'sendmsg') return 'rules do not cover bind, listen and accept'
  const address = fieldsOf(event, 'address')
  const ip = textOf(address, 'ip')
  return ip === ''
    ? 'the address is not known'
    : [{ kind: 'egress', address: ip, port: Number(textOf(address, 'port')) }]
}

function socketOf(domain: string, type: string, protocol: string): Operation[] | string {
  const family = familyOf(domain)
  if (family === undefined) return 'the socket family is not known'
  const [socketType, number] = [socketTypeOf(type), protocolOf(protocol)]
  return [
    {
      kind: 'socket',
      domain: family,
      ...(socketType !== undefined && { type: socketType }),
      ...(number !== undefined && { protocol: number }),
    },
  ]
}

function bpfMount(event: Fields): Operation[] | string {
  const path = textOf(event, 'path')
  const type = textOf(event, 'type')
  const { operation, flags } = mountingOf(listOf(event, 'flags'))
  const known = { ...(path.startsWith('/') && { target: path }), ...(type !== '' && { fstype: type }) }
  return [{ kind: 'mount', operation, flags, ...known }]
}

/** Names of file operations in AppArmor's records (security/apparmor/include/audit.h). */
const ofFiles: ReadonlySet<string> = new Set([
  ...['exec', 'open', 'mknod', 'mkdir', 'rmdir', 'unlink', 'rename_src', 'rename_dest', 'symlink', 'truncate'],
  ...[
    'chmod',
    'chown',
    'getattr',
    'setattr',
    'file_perm',
    'file_receive',
    'file_inherit',
    'file_mmap',
    'file_mprotect',
  ],
  ...['file_lock', 'create', 'connect', 'sendmsg', 'bind'],
])

function appArmorOperations(event: Fields): Operation[] | string {
  const operation = textOf(event, 'operation')
  const name = textOf(event, 'name')
  if (operation === 'capable') {
    const capability = capabilityOf(name)
    return capability === undefined ? 'the capability is not known' : [{ kind: 'capability', name: capability }]
  }
  if (operation === 'ptrace' || operation === 'signal') return appArmorPeer(operation, event)
  if (/^(?:mount|umount|pivotroot)$/.test(operation)) return appArmorMount(operation, event)
  if (operation === 'userns_create') return [{ kind: 'userns' }]
  if (operation === 'link') return appArmorLink(event)
  const family = textOf(event, 'netFamily')
  if (name.startsWith('/') && ofFiles.has(operation)) return appArmorFile(event)
  if (family !== '') return socketOf(family, textOf(event, 'netSockType'), textOf(event, 'netProtocol'))
  if (ofFiles.has(operation)) return 'the path is not known'
  return 'rules about this operation cannot be judged'
}

const maskOf = (event: Fields): string => textOf(event, 'requestedMask') || textOf(event, 'deniedMask')

const ownerOf = (event: Fields): Pick<FileOperation, 'isOwn'> => {
  const [own, other] = [textOf(event, 'fsuid'), textOf(event, 'ouid')]
  return own === '' || other === '' || own.length > 15 ? {} : { isOwn: own === other }
}

const typeOf = (name: string): 'directory' | 'file' => (name.endsWith('/') ? 'directory' : 'file')

function appArmorFile(event: Fields): Operation[] | string {
  const path = textOf(event, 'name')
  const actions = fileActionsOf(maskOf(event))
  return (
    actions?.map((action) => ({ kind: 'file', path, action, type: typeOf(path), ...ownerOf(event) })) ??
    'the file permission is not known'
  )
}

function appArmorLink(event: Fields): Operation[] | string {
  const [path, target] = [textOf(event, 'name'), textOf(event, 'name2')]
  if (!path.startsWith('/')) return 'the path is not known'
  const link: Operation = { kind: 'file', path, action: 'link', type: 'file', ...ownerOf(event) }
  return [target.startsWith('/') ? { ...link, linkTo: target } : link]
}

function appArmorPeer(kind: 'ptrace' | 'signal', event: Fields): Operation[] | string {
  const peer = ownLabel(textOf(event, 'peer'), textOf(event, 'profile'))
  const mask = maskOf(event)
  if (kind === 'ptrace') {
    const outside = peer === OWN_LABEL ? { isOutside: false } : {}
    return (
      ptraceAccessesOf(mask)?.map((access) => ({ kind, access, ...(peer !== '' && { peer }), ...outside })) ??
      'the ptrace access is not known'
    )
  }
  if (mask !== 'send' && mask !== 'receive') return 'the signal access is not known'
  const signal = textOf(event, 'signal')
  return [{ kind, access: mask, peer, ...(signal !== '' && { signal }) }]
}

/**
 * A peer with the label of the record is the workload itself. The judged policy may use another profile name, so this
 * label gets a neutral name.
 */
const ownLabel = (peer: string, profile: string): string => (peer !== '' && peer === profile ? OWN_LABEL : peer)

function appArmorMount(operation: string, event: Fields): Operation[] {
  const [target, source, type] = [textOf(event, 'name'), textOf(event, 'srcName'), textOf(event, 'fsType')]
  const known = {
    ...(target !== '' && { target }),
    ...(source !== '' && { source }),
    ...(type !== '' && { fstype: type }),
  }
  if (operation === 'pivotroot') return [{ kind: 'mount', operation: 'pivot-root', flags: 0, ...known }]
  if (operation === 'umount') return [{ kind: 'mount', operation: 'umount', flags: 0, ...known }]
  return [{ kind: 'mount', ...mountingOf(textOf(event, 'flags').split(/[\s,]+/)), ...known }]
}
