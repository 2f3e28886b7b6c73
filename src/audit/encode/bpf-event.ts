import { layOut } from '../../base/c-struct.ts'
import {
  bpfCommandName,
  capabilityName,
  domainName,
  ipProtocolName,
  mountFlagNames,
  permissionNames,
  ptracePermissionName,
  socketTypeName,
} from '../decode/bpf-names.ts'
import { bodyAt as at, recordCalls, recordKinds } from '../decode/bpf-record.ts'
import { ipAddress } from '../decode/ip-address.ts'
import { asciiJson } from './json-text.ts'
import { type Fragment, fragment, putFragment } from './output.ts'
import { putBytes, type Values } from './values.ts'

/** The offsets of a record's parts. The caller has checked the record's header and sizes. */
export interface RecordParts {
  /** Start of the kind's numbers. */
  body: number
  path: number
  /** End of the path; the file system type follows. */
  type: number
  end: number
}

/** Puts `event` of a record, including both braces. */
type PutEvent = (values: Values, parts: RecordParts) => void

const maxTexts = 4096

/** Caches the text of each number. */
function cached(make: (number: number) => string): (number: number) => Fragment {
  const texts = new Map<number, Fragment>()
  return (number) => {
    let text = texts.get(number)
    if (text === undefined) {
      if (texts.size >= maxTexts) texts.clear()
      text = fragment(make(number))
      texts.set(number, text)
    }
    return text
  }
}

const callNames = new Map<number, string>(Object.entries(recordCalls).map(([name, number]) => [number, name]))
const callName = (number: number): string => callNames.get(number) ?? `unknown(${number})`

const operation = (kind: keyof typeof recordKinds): string => `{"operation":"${recordKinds[kind].operation}"`
const capabilityText = cached((number) => `${operation('capability')},"capability":"${capabilityName(number)}"}`)

const pathText = (kind: 'file' | 'exec') =>
  cached((bits) => `${operation(kind)},"permissions":${asciiJson(permissionNames(bits))},"path":`)

const bpfText = cached((number) => `${operation('bpf')},"command":"${bpfCommandName(number)}"}`)
const usernsText = fragment(`${operation('userns')}}`)
const userfaultfdText = fragment(`${operation('userfaultfd')}}`)
const mountStart = fragment(`${operation('mount')},"path":`)
const typeKey = fragment(',"type":')
const flagsText = cached((flags) => `,"flags":${asciiJson(mountFlagNames(flags))}}`)
const closing = fragment('}')

/** Upstream always prints both keys, with empty values for an absent socket or address. */
const emptySocket = '"socket":{"domain":"","type":"","protocol":""}'
const emptyAddress = '"address":{"ip":"","port":0}'

const putPath =
  (text: (number: number) => Fragment): PutEvent =>
  (values, parts) => {
    putFragment(values.output, text(values.view.getUint32(parts.body + at.file.permissions, true)))
    putBytes(values, parts.path, parts.type, 'path')
    putFragment(values.output, closing)
  }

function putSocket({ output, view }: Values, { body }: RecordParts): void {
  const domain = domainName(view.getUint32(body + at.socket.domain, true))
  const type = socketTypeName(view.getUint32(body + at.socket.type, true))
  const protocol = ipProtocolName(view.getUint32(body + at.socket.protocol, true))
  const socket = `"socket":${JSON.stringify({ domain, type, protocol })}`
  putFragment(output, fragment(`${operation('socket')},"type":"socket",${socket},${emptyAddress}}`))
}

function putAddress({ output, view, bytes }: Values, { body }: RecordParts): void {
  const type = callName(view.getUint16(body + at.address.call, true))
  const ip = ipAddress(view.getUint32(body + at.address.family, true), bytes, body + at.address.address)
  const port = view.getUint16(body + at.address.port, true)
  putFragment(
    output,
    fragment(`${operation('address')},"type":"${type}",${emptySocket},"address":${JSON.stringify({ ip, port })}}`),
  )
}

function putPtrace({ output, view }: Values, { body }: RecordParts): void {
  const permission = ptracePermissionName(view.getUint32(body + at.ptrace.permission, true))
  const external = view.getUint32(body + at.ptrace.external, true) !== 0
  putFragment(output, fragment(`${operation('ptrace')},"permission":"${permission}","external":${external}}`))
}

function putMount(values: Values, parts: RecordParts): void {
  const { output } = values
  putFragment(output, mountStart)
  putBytes(values, parts.path, parts.type, 'path')
  putFragment(output, typeKey)
  putBytes(values, parts.type, parts.end, 'type')
  putFragment(output, flagsText(values.view.getUint32(parts.body + at.mount.flags, true)))
}

/** The writer of each kind's event. */
const puts: Record<keyof typeof recordKinds, PutEvent> = {
  capability: ({ output, view }, { body }) =>
    putFragment(output, capabilityText(view.getUint32(body + at.capability.capability, true))),
  file: putPath(pathText('file')),
  exec: putPath(pathText('exec')),
  socket: putSocket,
  address: putAddress,
  ptrace: putPtrace,
  mount: putMount,
  userns: ({ output }) => putFragment(output, usernsText),
  userfaultfd: ({ output }) => putFragment(output, userfaultfdText),
  bpf: ({ output, view }, { body }) => putFragment(output, bpfText(view.getUint32(body + at.bpf.command, true))),
}

export interface KindOfRecord {
  bodySize: number
  put: PutEvent
}

/** The kinds of records, by number. */
export const kindsOfRecords: readonly (KindOfRecord | undefined)[] = Object.entries(recordKinds).reduce<KindOfRecord[]>(
  (kinds, [name, { number, body }]) => {
    kinds[number] = { bodySize: layOut(body).size, put: puts[name as keyof typeof recordKinds] }
    return kinds
  },
  [],
)
