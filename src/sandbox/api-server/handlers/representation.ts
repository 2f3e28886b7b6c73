import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import type { JsonObject } from '../schema/json.ts'
import { builtInLayout } from '../table/layouts.ts'
import { type IncludeObject, toTable } from '../table/table.ts'

/** Whether the client requests objects as a Table, as kubectl does for users. */
export const wantsTable = ({ request }: ResourceCall): boolean =>
  request.headers?.['accept']?.includes('as=Table') ?? false

/** The part of each object that the rows of a table contain in addition to their cells. */
export const includedIn = ({ query }: ResourceCall): IncludeObject =>
  (query.get('includeObject') || 'Metadata') as IncludeObject

export function tableOf(call: ResourceCall, objects: readonly KubeObject[], metadata: JsonObject): JsonObject {
  const { custom, apiVersion, kind } = call.resource
  const layout = custom?.layout ?? builtInLayout(apiVersion, kind)
  return toTable(layout, objects, { now: call.context.clock.now(), includeObject: includedIn(call), metadata })
}

/** An object as an answer. */
export function represent(call: ResourceCall, object: KubeObject): JsonObject {
  if (!wantsTable(call)) return object
  return tableOf(call, [object], { resourceVersion: object.metadata.resourceVersion ?? '' })
}

/** A list as an answer. As in the real server, items of built-in kinds do not have the field `kind`. */
export function representList(call: ResourceCall, stored: readonly KubeObject[], metadata: JsonObject): JsonObject {
  const { resource } = call
  const objects = stored.map((object) => fromStorage(resource, object))
  if (wantsTable(call)) return tableOf(call, objects, metadata)
  const items = resource.custom ? objects : objects.map(({ apiVersion: _, kind: __, ...rest }) => rest)
  return { kind: resource.listKind, apiVersion: resource.apiVersion, metadata, items }
}
