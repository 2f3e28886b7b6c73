import { bucketStructs } from '../../src/audit/decode/bpf-buckets.ts'
import { headerFields, type RecordField, recordKinds } from '../../src/audit/decode/bpf-record.ts'
import { layOut, type StructField, sizeOf } from '../../src/base/c-struct.ts'
import { stateStructs } from '../../src/enforcer/bpf/layout.ts'
import { structs } from '../../src/profile/bpf/layout.ts'
import type { StructType } from './object-types.ts'

const typeOf = (fields: readonly StructField[]): StructType => {
  const { at, size } = layOut(fields)
  return { size, fields: Object.fromEntries(fields.map((field) => [field.name, [at[field.name]!, sizeOf(field)]])) }
}

const bodies = Object.entries(recordKinds)
  .map(([kind, { body }]): [string, readonly RecordField[]] => [`varmor_event_${kind}`, body])
  .filter(([, body]) => body.length > 0)

/** The structs that TypeScript writes and reads, with the layout that it uses. */
export const sharedStructs: ReadonlyMap<string, StructType> = new Map([
  ['varmor_event_header', typeOf(headerFields)] as const,
  ...bodies.map(([name, body]) => [name, typeOf(body)] as const),
  ...[...structs, ...stateStructs, ...bucketStructs].map(({ name, fields }) => [name, typeOf(fields)] as const),
])
