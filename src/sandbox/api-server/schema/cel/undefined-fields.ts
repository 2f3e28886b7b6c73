import type { OpenApiSchema } from '../open-api-schema.ts'
import { celNames, withTypeAndMeta } from './values.ts'

/** A node of the CEL library's syntax tree, as far as it is looked at. */
interface Node {
  op: string
  args: unknown
  range?: { start?: number; end?: number }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'op' in value

/** The schema of a field; `unknown` where the schema leaves it open, undefined where there can be no such field. */
function fieldSchema(schema: OpenApiSchema, name: string): OpenApiSchema | 'unknown' | undefined {
  const { properties, additionalProperties } = schema
  const closed = schema.type === 'object' && properties !== undefined && Object.keys(properties).length > 0
  const free = schema['x-kubernetes-preserve-unknown-fields'] === true || additionalProperties !== undefined
  if (!closed || free) return 'unknown'
  const withMeta = schema['x-kubernetes-embedded-resource'] === true ? withTypeAndMeta(schema).properties : properties
  return Object.entries(withMeta ?? {}).find(([field]) => celNames(field).includes(name))?.[1]
}

function elementSchema(schema: OpenApiSchema): OpenApiSchema | 'unknown' {
  if (schema.type === 'array') return schema.items ?? 'unknown'
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : 'unknown'
}

/** What a path from `self` or `oldSelf` leads to. Variables of macros are not followed. */
function schemaOf(node: unknown, root: OpenApiSchema): OpenApiSchema | 'unknown' | undefined {
  if (!isNode(node)) return 'unknown'
  if (node.op === 'id') return node.args === 'self' || node.args === 'oldSelf' ? root : 'unknown'
  if ((node.op !== '.' && node.op !== '[]') || !Array.isArray(node.args)) return 'unknown'
  const below = schemaOf(node.args[0], root)
  if (below === 'unknown' || below === undefined) return 'unknown'
  return node.op === '[]' ? elementSchema(below) : fieldSchema(below, String(node.args[1]))
}

/**
 * A field of `self` that the schema does not have, and where that shows, from 0: at its dot, or at the parenthesis of
 * `has`. Undefined when there is none.
 */
export function undefinedField(ast: unknown, root: OpenApiSchema): { name: string; dot: number } | undefined {
  if (Array.isArray(ast)) {
    for (const part of ast) {
      const found = undefinedField(part, root)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isNode(ast)) return undefined
  const found = undefinedField(ast.args, root)
  const isHas = ast.op === 'call' && Array.isArray(ast.args) && ast.args[0] === 'has'
  const inside = found !== undefined && isHas ? { ...found, dot: (ast.range?.start ?? 0) + 'has'.length } : found
  if (inside !== undefined || ast.op !== '.' || !Array.isArray(ast.args) || schemaOf(ast, root) !== undefined)
    return inside
  const name = String(ast.args[1])
  return { name, dot: Math.max(0, (ast.range?.end ?? 0) - name.length - 1) }
}
