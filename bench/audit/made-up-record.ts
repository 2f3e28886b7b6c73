import {
  header,
  type RecordField,
  type RecordKind,
  recordActions,
  recordKinds,
  recordVersion,
} from '../../src/audit/decode/bpf-record.ts'
import { layOut } from '../../src/base/c-struct.ts'

/** The content of a record; absent fields are 0 or empty. */
export interface RecordText {
  kind: RecordKind
  action?: keyof typeof recordActions
  /** Fields of the header by name. */
  head?: Record<string, number | bigint>
  comm?: string | Uint8Array
  /** Fields of the body by name; the address as 16 bytes. */
  body?: Record<string, number | Uint8Array>
  exe?: string | Uint8Array
  path?: string | Uint8Array
  type?: string | Uint8Array
}

const bytesOf = (text: string | Uint8Array | undefined): Uint8Array =>
  typeof text === 'string' ? new TextEncoder().encode(text) : (text ?? new Uint8Array(0))

function putField(view: DataView, at: number, field: RecordField, value: number | bigint): void {
  if (field.type === 'u64') view.setBigUint64(at, BigInt(value), true)
  else if (field.type === 'u32') view.setUint32(at, Number(value), true)
  else if (field.type === 'u16') view.setUint16(at, Number(value), true)
  else view.setUint8(at, Number(value))
}

/** A record in the form of this project's BPF programs. */
export function makeRecord(text: RecordText): Uint8Array {
  const kind = recordKinds[text.kind]
  const fields: readonly RecordField[] = kind.body
  const body = layOut(fields)
  const texts = [bytesOf(text.exe), bytesOf(text.path), bytesOf(text.type)]
  const bodyEnd = header.size + body.size
  const record = new Uint8Array(bodyEnd + texts.reduce((sum, part) => sum + part.length, 0))
  const view = new DataView(record.buffer)
  for (const field of fields) {
    const value = text.body?.[field.name] ?? 0
    const at = header.size + body.at[field.name]!
    if (typeof value === 'number') putField(view, at, field, value)
    else record.set(value, at)
  }
  putHeader(record, text, kind.number, texts)
  texts.reduce((at, part) => {
    record.set(part, at)
    return at + part.length
  }, bodyEnd)
  return record
}

function putHeader(record: Uint8Array, text: RecordText, kind: number, texts: readonly Uint8Array[]): void {
  const view = new DataView(record.buffer)
  const { at } = header
  view.setUint32(at.size, record.length, true)
  view.setUint8(at.version, recordVersion)
  view.setUint8(at.kind, kind)
  view.setUint8(at.action, recordActions[text.action ?? 'DENIED'])
  view.setUint16(at.exe_size, texts[0]!.length, true)
  view.setUint16(at.path_size, texts[1]!.length, true)
  view.setUint16(at.type_size, texts[2]!.length, true)
  record.set(bytesOf(text.comm).subarray(0, 16), at.comm)
  for (const [name, value] of Object.entries(text.head ?? {})) setHeaderField(view, name, value)
}

function setHeaderField(view: DataView, name: string, value: number | bigint): void {
  const at = (header.at as Record<string, number>)[name]
  if (at === undefined) throw new Error(`no field ${name} in the header`)
  if (name === 'time' || name === 'cgroup') view.setBigUint64(at, BigInt(value), true)
  else if (name === 'flags' || name === 'version' || name === 'kind' || name === 'action')
    view.setUint8(at, Number(value))
  else if (name.endsWith('_size')) view.setUint16(at, Number(value), true)
  else view.setUint32(at, Number(value), true)
}
