import { type JsonObject, type JsonValue, objectOf } from '../schema/json.ts'

/**
 * A column of a Table: `TableColumnDefinition` of meta/v1. Columns with priority 0 are always shown, other columns with
 * `-o wide`.
 */
export interface TableColumn {
  name: string
  type: string
  format: string
  description: string
  priority: number
}

/** The table layout of one kind. */
export interface TableLayout {
  columns: readonly TableColumn[]
  /** Returns the cells of an object, one for each column. `now` is in milliseconds since 1970. */
  cells(object: JsonObject, now: number): JsonValue[]
  /** Returns the conditions of the row, if it has any: kubectl omits completed pods from some lists. */
  conditions?(object: JsonObject): JsonObject[]
}

/** The first column of every layout. */
export const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
}

/** The part of an object that each row contains in addition to its cells: `?includeObject=`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

export interface TableOptions {
  now: number
  includeObject: IncludeObject
  /** Metadata of the list or the single object: resourceVersion, continue, remainingItemCount. */
  metadata: JsonObject
  /** `meta.k8s.io/v1` (default) or `meta.k8s.io/v1beta1`, as requested. */
  apiVersion?: string
}

function rowObject(object: JsonObject, include: IncludeObject, apiVersion: string): JsonValue {
  if (include === 'None') return null
  if (include === 'Object') return object
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: objectOf(object.metadata) }
}

/** The Table of a list (or of one object) with the list's metadata. */
export function toTable(layout: TableLayout, objects: readonly JsonObject[], options: TableOptions): JsonObject {
  const apiVersion = options.apiVersion ?? 'meta.k8s.io/v1'
  const rows = objects.map((object) => {
    const conditions = layout.conditions?.(object) ?? []
    return {
      cells: layout.cells(object, options.now),
      ...(conditions.length === 0 ? {} : { conditions }),
      object: rowObject(object, options.includeObject, apiVersion),
    }
  })
  return {
    kind: 'Table',
    apiVersion,
    metadata: options.metadata,
    columnDefinitions: layout.columns.map((column) => ({ ...column })),
    rows,
  }
}
