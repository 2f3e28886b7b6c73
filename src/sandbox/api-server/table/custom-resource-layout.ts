import { goJson, goNumber } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, textOf } from '../schema/json.ts'
import { NAME, plainColumns } from './columns.ts'
import { since } from './human-duration.ts'
import { compileJsonPath } from './json-path.ts'
import type { TableColumn, TableLayout } from './table.ts'

/** An entry of `additionalPrinterColumns` of a CRD's version. */
export interface PrinterColumn {
  name: string
  type: string
  format?: string
  description?: string
  priority?: number
  jsonPath: string
}

const age = (): PrinterColumn => ({
  name: 'Age',
  type: 'date',
  description: plainColumns([['Age', 'date', 'metadata.creationTimestamp']])[0]?.description ?? '',
  jsonPath: '.metadata.creationTimestamp',
})

function columnOf({ name, type, format = '', description = '', priority = 0, jsonPath }: PrinterColumn): TableColumn {
  const words = description || `Custom resource definition column (in JSONPath format): ${jsonPath}`
  return { name, type, format, description: words, priority }
}

function printed(value: JsonValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return goNumber(value)
  return value === null ? '' : typeof value === 'boolean' ? String(value) : goJson(value)
}

/** A value of another type than its column has no cell. */
function cellOf(type: string, value: JsonValue, now: number): JsonValue {
  switch (type) {
    case 'string':
      return printed(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      if (typeof value !== 'string') return null
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : since(value, now)
    default:
      return null
  }
}

/** How the server shows a custom resource: NAME and the columns; AGE when there are none. */
export function customResourceLayout(columns: readonly PrinterColumn[] | undefined): TableLayout {
  const shown = columns === undefined || columns.length === 0 ? [age()] : columns
  const finders = shown.map(({ type, jsonPath }) => ({ type, find: compileJsonPath(jsonPath) }))
  return {
    columns: [...plainColumns([NAME]), ...shown.map(columnOf)],
    cells: (object: JsonObject, now: number) => [
      textOf(at(object, 'metadata', 'name')),
      ...finders.map(({ type, find }) => {
        const value = find?.(object)[0]
        return value === undefined ? null : cellOf(type, value, now)
      }),
    ],
  }
}
