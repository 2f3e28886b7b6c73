import { readFileSync, writeFileSync } from 'node:fs'
import { type Document, isMap, isNode, type Pair, parseDocument, type Scalar, type YAMLMap } from 'yaml'
import { optionSchemas, type PlainOption, plainOptions, type Schema, sentencesOf } from './chart-options.ts'
import { flagTemplates } from './flag-templates.ts'
import { jsonText } from './json-text.ts'

// Writes three files of the chart from the tables of options: the comments and places of values in values.yaml;
// values.schema.json, with the comments of values.yaml as descriptions; and templates/_option-flags.tpl. Run it with
// `npm run generate`. A test fails if a file is out of date.

const chart = new URL('helm/varmor/', import.meta.url)
const textOf = (name: string): string => readFileSync(new URL(name, chart), 'utf8')

type Values = YAMLMap<Scalar<string>, unknown>

/** The text of values.yaml. If a table declares a value, the table gives the value its place and its comment. */
function valuesText(): string {
  const document = parseDocument(textOf('values.yaml'))
  for (const plain of plainOptions()) place(document, plain)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

function place(document: Document, { path, option }: PlainOption): void {
  if (!document.hasIn(path)) document.setIn(path, document.createNode(option.type === undefined ? false : null))
  // A switch named `enabled` needs no comment: the comment of its feature says the same.
  if (path.at(-1) === 'enabled') return
  const values = document.getIn(path.slice(0, -1)) as Values
  const pair = values.items.find(({ key }) => `${key}` === path.at(-1))!
  const comment = wrapped(sentencesOf(option, plainValue(pair)), 2 * (path.length - 1))
  // The parser gives the comment above the first key to the whole map.
  if (values.items[0] === pair) values.commentBefore = comment
  else keyOf(document, pair).commentBefore = comment
}

/** The value of a pair as a JavaScript value. */
const plainValue = ({ value }: Pair<unknown, unknown>): unknown => (isNode(value) ? value.toJSON() : value)

/** The key as a node. After `setIn`, a key can be a plain text, which cannot have a comment. */
function keyOf(document: Document, pair: Pair<Scalar<string> | string, unknown>): Scalar<string> {
  if (typeof pair.key === 'string') pair.key = document.createNode(pair.key) as Scalar<string>
  return pair.key
}

/** The text of a comment with this indentation, in lines of at most 120 columns. */
function wrapped(text: string, indentation: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    if (indentation + 1 + `${lines.at(-1)} ${word}`.length > 120) lines.push('')
    lines[lines.length - 1] += ` ${word}`
  }
  return lines.join('\n')
}

/** The text of values.schema.json. */
function schemaText(values: string): string {
  const schema = JSON.parse(readFileSync(new URL('helm/base.schema.json', import.meta.url), 'utf8')) as Schema
  for (const [path, value] of optionSchemas()) put(schema, path.split('.'), value)
  describe(schema, parseDocument(values).contents as Values)
  return `${jsonText(schema)}\n`
}

function put(schema: Schema, [key = '', ...rest]: readonly string[], value: Schema): void {
  schema.properties ??= {}
  if (rest.length === 0) {
    schema.properties[key] = value
    return
  }
  schema.properties[key] ??= { type: 'object', properties: {}, additionalProperties: false }
  put(schema.properties[key], rest, value)
}

/** Adds descriptions to the schema, from the comments above the keys. */
function describe({ properties = {} }: Schema, values: Values): void {
  values.items.forEach(({ key, value }, index) => {
    const schema = properties[key.value]
    if (schema === undefined) return
    const comment = index === 0 ? values.commentBefore : key.commentBefore
    if (comment) properties[key.value] = { description: comment.trim().replace(/\s*\n\s*/g, ' '), ...schema }
    if (isMap(value)) describe(properties[key.value]!, value as Values)
  })
}

/** The text that each file with generated parts must have. */
export function chartFiles(): Record<string, string> {
  const values = valuesText()
  return {
    'values.yaml': values,
    'values.schema.json': schemaText(values),
    'templates/_option-flags.tpl': flagTemplates(),
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [name, text] of Object.entries(chartFiles())) writeFileSync(new URL(name, chart), text)
