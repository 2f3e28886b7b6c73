import { builtInSchema, objectMetaSchema } from '../schema/built-in-kinds.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import type { TableColumn } from './table.ts'

/** The description of a field, as the API documents it; empty for a field that it does not have. */
function described(schema: OpenApiSchema | undefined, path: string): string {
  let here = schema
  for (const step of path.split('.')) here = here?.properties?.[step] ?? here?.items?.properties?.[step]
  return here?.description ?? ''
}

/** A column: name, type, where its description comes from (a field's path, or a sentence), and priority. */
export type ColumnSpec = readonly [name: string, type: string, description: string, priority?: number]

const isPath = (text: string): boolean => /^[a-zA-Z]+(\.[a-zA-Z]+)*$/.test(text)

function column(schema: OpenApiSchema | undefined, [name, type, description, priority = 0]: ColumnSpec): TableColumn {
  const isName = name === 'Name' && description === 'metadata.name'
  return {
    name,
    type,
    format: isName ? 'name' : '',
    description: isPath(description) ? described(schema, description) : description,
    priority,
  }
}

export const NAME: ColumnSpec = ['Name', 'string', 'metadata.name']
export const AGE: ColumnSpec = ['Age', 'string', 'metadata.creationTimestamp']
export const CONTAINERS: ColumnSpec = ['Containers', 'string', 'Names of each container in the template.', 1]
export const IMAGES: ColumnSpec = ['Images', 'string', 'Images referenced by each container in the template.', 1]

/** The columns of a built-in kind. */
export function columnsOf(apiVersion: string, kind: string, specs: readonly ColumnSpec[]): TableColumn[] {
  const schema = builtInSchema(apiVersion, kind)
  return specs.map((spec) => column(schema, spec))
}

/** The columns of kinds that have no schema here. */
export const plainColumns = (specs: readonly ColumnSpec[]): TableColumn[] =>
  specs.map((spec) => column({ properties: { metadata: objectMetaSchema() } }, spec))
