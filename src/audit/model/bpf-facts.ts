import type { Buffer } from 'node:buffer'
import {
  capabilityName,
  domainName,
  ipProtocolName,
  mountFlagNames,
  permissionNames,
  ptracePermissionName,
  socketTypeName,
} from '../decode/bpf-names.ts'
import { bodyAt as at, recordCalls, recordFlags, recordKinds } from '../decode/bpf-record.ts'
import { ipAddress } from '../decode/ip-address.ts'
import type { ProfileRecording } from './recorded.ts'

/** A BPF record and the offsets of its parts. The caller has checked the sizes. */
export interface BpfParts {
  bytes: Uint8Array
  view: DataView
  buffer: Buffer
  /** The number of the record's kind, and the flags in its header. */
  kind: number
  flags: number
  /**
   * Offsets of the kind's numbers, of the path (after the path of the executable), of the file system's type, and of
   * the end.
   */
  body: number
  bodySize: number
  path: number
  type: number
  end: number
}

/** The key of a record. Records of the same operation have the same key, regardless of their process and time. */
export function bpfKey({ buffer, kind, body, bodySize, path, end }: BpfParts): string {
  return `bpf ${kind} ${buffer.toString('latin1', body, body + bodySize)} ${buffer.toString('latin1', path, end)}`
}

/** Adds the behaviour in a BPF record, except behaviour that models do not contain: namespaces and bpf(2). */
export function addBpfFact(parts: BpfParts, { bpf }: ProfileRecording): void {
  adders[parts.kind]?.(parts, bpf)
}

type Found = ProfileRecording['bpf']
type Add = (parts: BpfParts, bpf: Found) => void

const u32 = ({ view, body }: BpfParts, offset: number): number => view.getUint32(body + offset, true)

/** The record's path; undefined if it is not UTF-8, or if the BPF program cut it or could not read it. */
function pathOf({ buffer, flags, path, type }: BpfParts): string | undefined {
  if ((flags & (recordFlags.PATH_CUT | recordFlags.PATH_UNKNOWN)) !== 0) return undefined
  const text = buffer.toString('utf8', path, type)
  return text.startsWith('/') && !text.includes('\ufffd') ? text : undefined
}

function addCapability(parts: BpfParts, bpf: Found): void {
  bpf.capabilities ??= []
  bpf.capabilities.push(capabilityName(u32(parts, at.capability.capability)))
}

function addFile(parts: BpfParts, bpf: Found): void {
  const path = pathOf(parts)
  if (path === undefined) return
  bpf.files ??= []
  bpf.files.push({ path, permissions: permissionNames(u32(parts, at.file.permissions)) })
}

function addExecution(parts: BpfParts, bpf: Found): void {
  const path = pathOf(parts)
  if (path === undefined) return
  bpf.executions ??= []
  bpf.executions.push(path)
}

function addSocket(parts: BpfParts, bpf: Found): void {
  const { domain, type, protocol } = at.socket
  bpf.network ??= {}
  bpf.network.sockets ??= []
  bpf.network.sockets.push({
    domain: domainName(u32(parts, domain)),
    type: socketTypeName(u32(parts, type)),
    protocol: ipProtocolName(u32(parts, protocol)),
  })
}

/** Operations on outgoing traffic. Models contain egress, but not listening sockets and incoming traffic. */
const outgoing: readonly number[] = [recordCalls.connect, recordCalls.sendmsg]

function addAddress(parts: BpfParts, bpf: Found): void {
  const { view, bytes, body } = parts
  const port = view.getUint16(body + at.address.port, true)
  if (!outgoing.includes(view.getUint16(body + at.address.call, true)) || port === 0) return
  const ip = ipAddress(u32(parts, at.address.family), bytes, body + at.address.address)
  if (ip === '') return
  bpf.network ??= {}
  bpf.network.egresses ??= []
  bpf.network.egresses.push({ ip, ports: [port] })
}

function addPtrace(parts: BpfParts, bpf: Found): void {
  const permissions = ptracePermissionName(u32(parts, at.ptrace.permission)).split(' ')
  bpf.ptraces ??= []
  bpf.ptraces.push({ permissions, external: u32(parts, at.ptrace.external) !== 0 })
}

function addMount(parts: BpfParts, bpf: Found): void {
  const path = pathOf(parts)
  if (path === undefined) return
  const type = parts.buffer.toString('latin1', parts.type, parts.end)
  bpf.mounts ??= []
  bpf.mounts.push({ path, type, flags: mountFlagNames(u32(parts, at.mount.flags)) })
}

/** Functions that add a record's facts, by number of the kind. */
const adders: readonly (Add | undefined)[] = (() => {
  const table: (Add | undefined)[] = []
  table[recordKinds.capability.number] = addCapability
  table[recordKinds.file.number] = addFile
  table[recordKinds.exec.number] = addExecution
  table[recordKinds.socket.number] = addSocket
  table[recordKinds.address.number] = addAddress
  table[recordKinds.ptrace.number] = addPtrace
  table[recordKinds.mount.number] = addMount
  return table
})()
