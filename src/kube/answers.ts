import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isRecord } from '../base/is-record.ts'
import { ConnectionError, type RequestContext } from './api-error.ts'
import { type KubeObject, keyOf, type ObjectList, type Status } from './objects.ts'

const text = Type.String()
const some = Type.String({ minLength: 1 })
const fields = Type.Object({})
const metadata = {
  namespace: Type.Optional(text),
  uid: Type.Optional(text),
  labels: Type.Optional(fields),
  annotations: Type.Optional(fields),
  finalizers: Type.Optional(Type.Array(text)),
  ownerReferences: Type.Optional(Type.Array(fields)),
}

/** A stored object. It has a name, and a version that changes with its state. */
const stored = Type.Object({ metadata: Type.Object({ ...metadata, name: some, resourceVersion: some }) })

/** Any other answer with one object. A review has no name, and a Status has neither name nor version. */
const answered = Type.Object({
  metadata: Type.Optional(
    Type.Object({ ...metadata, name: Type.Optional(text), resourceVersion: Type.Optional(text) }),
  ),
})

const listed = Type.Object({
  metadata: Type.Optional(Type.Object({ resourceVersion: Type.Optional(text), continue: Type.Optional(text) })),
  /** Go writes null for an empty list. */
  items: Type.Optional(Type.Union([Type.Array(Type.Unknown()), Type.Null()])),
})

const bookmark = Type.Object({ metadata: Type.Object({ resourceVersion: text }) })

const cause = Type.Object({ reason: Type.Optional(text), message: Type.Optional(text), field: Type.Optional(text) })
const failure = Type.Object({
  reason: Type.Optional(text),
  message: Type.Optional(text),
  code: Type.Optional(Type.Integer()),
  details: Type.Optional(
    Type.Object({
      causes: Type.Optional(Type.Array(cause)),
      retryAfterSeconds: Type.Optional(Type.Number()),
    }),
  ),
})

const version = Type.Object({ major: text, minor: text, gitVersion: text })

/** A message about the first difference from the schema. */
function whyNot(schema: TSchema, value: unknown): string {
  const { path = '', message = '' } = Value.Errors(schema, value).First() ?? {}
  return `${path === '' ? 'it' : path.slice(1).replaceAll('/', '.')}: ${message}`
}

function checked<Schema extends TSchema>(
  schema: Schema,
  what: string,
  value: unknown,
  context: RequestContext,
): Static<Schema> {
  if (Value.Check(schema, value)) return value
  throw new ConnectionError('NOT_JSON', context, `${what}: ${whyNot(schema, value)}`)
}

/** @throws {ConnectionError} NOT_JSON */
export const checkObject = (value: unknown, context: RequestContext): void =>
  void checked(answered, 'this is not an object', value, context)

/** @throws {ConnectionError} NOT_JSON */
export const checkVersion = (value: unknown, context: RequestContext): Static<typeof version> =>
  checked(version, 'this is not the version of a server', value, context)

/** An unusable object of a list. Its last known state stays, and the other objects are applied. */
export interface Unfit {
  /** The key that keyOf gives; empty if the object has no name. */
  key: string
  why: string
}

/** @throws {ConnectionError} NOT_JSON if the whole list is unusable */
export function readList<T extends KubeObject>(
  value: unknown,
  context: RequestContext,
): ObjectList<T> & { unfit: Unfit[] } {
  const list = checked(listed, 'this is not a list', value, context)
  const items: T[] = []
  const unfit: Unfit[] = []
  for (const [i, item] of (list.items ?? []).entries()) {
    if (Value.Check(stored, item)) items.push(item as T)
    else unfit.push({ key: keyIn(item), why: `items.${i}: ${whyNot(stored, item)}` })
  }
  return { ...list, metadata: list.metadata ?? {}, items, unfit }
}

function keyIn(item: unknown): string {
  const { name, namespace = '' } = isRecord(item) && isRecord(item['metadata']) ? item['metadata'] : {}
  return typeof name === 'string' && typeof namespace === 'string' ? keyOf({ metadata: { name, namespace } }) : ''
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; version: string }
  | { type: 'ERROR'; status: Status }

/** @throws {ConnectionError} NOT_JSON */
export function readEvent<T extends KubeObject>(event: unknown, context: RequestContext): WatchEvent<T> {
  const { type, object } = isRecord(event) ? event : {}
  const what = `this is not an event of a watch; its type is ${typeof type === 'string' ? type.slice(0, 80) : typeof type}`
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: checked(stored, what, object, context) as T }
    case 'BOOKMARK':
      return { type, version: checked(bookmark, what, object, context).metadata.resourceVersion }
    case 'ERROR':
      return { type, status: statusOf(checked(fields, what, object, context)) }
    default:
      throw new ConnectionError('NOT_JSON', context, what)
  }
}

/** The valid parts of a refusal. Invalid parts are dropped, because the HTTP code is enough to continue. */
export function statusOf(value: object): Status {
  if (Value.Check(failure, value)) return value
  const { message } = value as { message?: unknown }
  return typeof message === 'string' ? { message: message.slice(0, 500) } : {}
}
