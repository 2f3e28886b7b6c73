/** A field of a definition with a fixed set of values. */
export interface EnumField {
  /** The last parts of the definition's name, such as `apps.v1.DeploymentStrategy`. */
  definition: string
  property: string
  /** Set if these are the values of a list's items or of a map's entries. */
  part?: 'items' | 'additionalProperties'
  /** The description of the field, if it describes the values. */
  description?: string
  values: string[]
}

const goText = (literal: string): string => JSON.parse(literal) as string

/** The indentation of a property, and of the lines inside it, in tabs. gofmt writes it. */
const propertyDepth = 5
const ownDepth = 7

/**
 * Finds the fields with `Enum:` in Kubernetes' pkg/generated/openapi/zz_generated.openapi.go, line by line. This works
 * because a generator and gofmt write the file, so its layout is fixed.
 */
export function enumFields(source: string): EnumField[] {
  const found: EnumField[] = []
  let [definition, property, description, part] = ['', '', '', undefined as EnumField['part']]
  for (const line of source.split('\n')) {
    const depth = /^\t*/.exec(line)![0].length
    const text = line.slice(depth)
    const name = /^func schema_\w*?([a-z0-9]+_v[0-9a-z]+_[A-Z]\w*)\(/.exec(text)?.[1]
    if (name !== undefined) definition = name.replace('_', '.').replace('_', '.')
    if (depth === propertyDepth && text.endsWith(': {')) {
      property = goText(text.slice(0, -': {'.length))
      part = undefined
      description = ''
    }
    if (text.startsWith('Items:')) part = 'items'
    if (text.startsWith('AdditionalProperties:')) part = 'additionalProperties'
    if (depth === ownDepth && text.startsWith('Description:'))
      description = goText(text.slice('Description:'.length, -1).trim())
    if (!text.startsWith('Enum:')) continue
    const values = JSON.parse(`[${/\{(?!\})(.*)\}/.exec(text.replace('interface{}', ''))![1]}]`) as string[]
    const parts = part === undefined ? {} : { part }
    found.push({ definition, property, values, ...parts, ...(description === '' ? {} : { description }) })
  }
  return found
}
