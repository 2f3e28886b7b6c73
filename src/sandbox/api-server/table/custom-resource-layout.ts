import { goJson, goNumber } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, textOf } from '../schema/json.ts'
import { since } from './human-duration.ts'
import { compileJsonPath } from './json-path.ts'
import { nameColumn, type TableColumn, type TableLayout } from './table.ts'

/** An entry of `additionalPrinterColumns` in a version of a CRD. */
export interface PrinterColumn {
  name: string
  type: string
  format?: string
  description?: string
  priority?: number
  jsonPath: string
}

const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'When the object was created.',
  jsonPath: '.metadata.creationTimestamp',
}

function columnOf({ name, type, format = '', description = '', priority = 0, jsonPath }: PrinterColumn): TableColumn {
  const words = description || `Custom resource definition column (in JSONPath format): ${jsonPath}`
  return { name, type, format, description: words, priority }
}

function printed(value: JsonValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return goNumber(value)
  return value === null ? '' : typeof value === 'boolean' ? String(value) : goJson(value)
}

/** The cell of a value; null if the column has another type than the value. */
function cellOf(type: string, value: JsonValue, now: number): JsonValue {
  switch (type) {
    case 'string':
      return printed(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'date':
      if (typeof value !== 'string') return null
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : since(value, now)
    default:
      return typeof value === type ? value : null
  }
}

/**
 * The server's table of a custom resource: the column NAME and the columns of the resource. Without columns of its own,
 * the resource has NAME and AGE.
 */
export function customResourceLayout(columns: readonly PrinterColumn[] = []): TableLayout {
  const shown = columns.length === 0 ? [age] : columns
  const finders = shown.map(({ type, jsonPath }) => ({ type, find: compileJsonPath(jsonPath) }))
  return {
    columns: [nameColumn, ...shown.map(columnOf)],
    cells: (object: JsonObject, now: number) => [
      textOf(at(object, 'metadata', 'name')),
      ...finders.map(({ type, find }) => {
        const value = find?.(object)[0]
        return value === undefined ? null : cellOf(type, value, now)
      }),
    ],
  }
}
