import { layOut } from '../../base/c-struct.ts'
import {
  capabilityName,
  domainName,
  ipProtocolName,
  mountFlagNames,
  permissionNames,
  ptracePermissionName,
  socketTypeName,
} from '../decode/bpf-names.ts'
import { recordKinds } from '../decode/bpf-record.ts'
import { ipAddress } from '../decode/ip-address.ts'
import type { BpfFound, ProfileRecording } from './recorded.ts'

/** Where the parts of a record are whose sizes were checked. */
export interface RecordedParts {
  bytes: Uint8Array
  view: DataView
  /** Number of its kind. */
  kind: number
  body: number
  path: number
  /** Behind the path; the file system type follows. */
  type: number
  end: number
}

const numberOf = Object.fromEntries(Object.entries(recordKinds).map(([name, { number }]) => [name, number])) as {
  [Kind in keyof typeof recordKinds]: number
}
const at = {
  capability: layOut(recordKinds.capability.body).at,
  file: layOut(recordKinds.file.body).at,
  socket: layOut(recordKinds.socket.body).at,
  address: layOut(recordKinds.address.body).at,
  ptrace: layOut(recordKinds.ptrace.body).at,
  mount: layOut(recordKinds.mount.body).at,
}

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end)

/** By which a record that says the same as one before is found, whoever did it and when. */
export function bpfKey({ bytes, kind, body, path, end }: RecordedParts, bodySize: number): string {
  return `bpf ${kind} ${latin1(bytes, body, body + bodySize)}${latin1(bytes, path, end)}`
}

/**
 * Adds what a record of the BPF programs says that its process did. What no list of what is allowed could name is no fact: a file without a
 * path, a name that is no UTF-8, user namespaces and programs of BPF.
 */
export function addBpfFact(parts: RecordedParts, { bpf }: ProfileRecording): void {
  const { bytes, view, body } = parts
  const word = (offset: number): number => view.getUint32(body + offset, true)
  switch (parts.kind) {
    case numberOf.capability:
      bpf.capabilities = [...(bpf.capabilities ?? []), capabilityName(word(at.capability.capability))]
      break
    case numberOf.exec:
    case numberOf.file:
      addFile(parts, bpf, word(at.file.permissions))
      break
    case numberOf.socket: {
      const [domain, type] = [domainName(word(at.socket.domain)), socketTypeName(word(at.socket.type))]
      bpf.network ??= {}
      bpf.network.sockets ??= []
      bpf.network.sockets.push({ domain, type, protocol: ipProtocolName(word(at.socket.protocol)) })
      break
    }
    case numberOf.address: {
      const ip = ipAddress(word(at.address.family), bytes, body + at.address.address)
      if (ip === '') break
      bpf.network ??= {}
      bpf.network.egresses ??= []
      bpf.network.egresses.push({ ip, ports: [view.getUint16(body + at.address.port, true)] })
      break
    }
    case numberOf.ptrace: {
      const permissions = ptracePermissionName(word(at.ptrace.permission)).split(' ')
      bpf.ptraces ??= []
      bpf.ptraces.push({ permissions, external: word(at.ptrace.external) !== 0 })
      break
    }
    case numberOf.mount: {
      const path = pathOf(parts)
      if (path === undefined) break
      const type = latin1(bytes, parts.type, parts.end)
      bpf.mounts ??= []
      bpf.mounts.push({ path, type, flags: mountFlagNames(word(at.mount.flags)) })
      break
    }
    default:
  }
}

function addFile(parts: RecordedParts, bpf: BpfFound, permissions: number): void {
  const path = pathOf(parts)
  if (path === undefined) return
  if (parts.kind === numberOf.exec) bpf.executions = [...(bpf.executions ?? []), path]
  else {
    bpf.files ??= []
    bpf.files.push({ path, permissions: permissionNames(permissions) })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function pathOf({ bytes, path, type }: RecordedParts): string | undefined {
  if (path === type) return undefined
  try {
    // Shared memory is not decoded as it is.
    return utf8.decode(bytes.slice(path, type))
  } catch {
    // Undefined says it: no pattern can name it.
    return undefined
  }
}
