/**
 * Writes the sandbox's data about the kinds of Kubernetes itself. Their schemas, from the OpenAPI files in the source
 * of Kubernetes, go to src/sandbox/api-server/schema/built-in-kinds-data.ts. Their protobuf messages go to
 * src/sandbox/api-server/protobuf/messages-data.ts. Needs Go, to download the source from the Go module proxy.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { kubernetesModule, kubernetesSource, kubernetesVersion } from './kubernetes-source.ts'
import { type EnumField, enumFields } from './read-open-api-enums.ts'

/** The groups and versions that the sandbox serves, as the file names in api/openapi-spec/v3 write them. */
const documents = [
  'api__v1',
  'apis__admissionregistration.k8s.io__v1',
  'apis__apiextensions.k8s.io__v1',
  'apis__apps__v1',
  'apis__authentication.k8s.io__v1',
  'apis__authorization.k8s.io__v1',
  'apis__autoscaling__v1',
  'apis__coordination.k8s.io__v1',
  'apis__events.k8s.io__v1',
  'apis__policy__v1',
  'apis__rbac.authorization.k8s.io__v1',
  'apis__scheduling.k8s.io__v1',
]

type Definitions = Record<string, Record<string, unknown>>

const kinds = 'x-kubernetes-group-version-kind'

/**
 * Adds the definitions of a document. Every group serves some kinds, such as DeleteOptions, but a document names only
 * its own group for them. This merges the groups of all documents.
 */
function addDefinitions(all: Definitions, more: Definitions): void {
  for (const [name, definition] of Object.entries(more)) {
    const listed = [...((all[name]?.[kinds] as object[]) ?? []), ...((definition[kinds] as object[]) ?? [])]
    const distinct = [...new Set(listed.map((kind) => JSON.stringify(kind, Object.keys(kind).sort())))].sort()
    all[name] = { ...definition, ...(listed.length === 0 ? {} : { [kinds]: distinct.map((text) => JSON.parse(text)) }) }
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, field]) => [name, sorted(field)]))
}

/**
 * Adds the allowed values of a field. A real API server lists them, and `kubectl explain` prints them, but the
 * published OpenAPI files omit them. They come from the Go code of the API server.
 */
function addEnum(all: Definitions, { definition, property, part, description, values }: EnumField): void {
  const name = Object.keys(all).find((one) => one.endsWith(`.${definition}`))
  const properties = all[name ?? '']?.['properties'] as Definitions | undefined
  const field = properties?.[property]
  if (field === undefined) return
  if (description !== undefined) field['description'] = description
  const target = part === undefined ? field : (field[part] as Record<string, unknown>)
  target['enum'] = values
}

/** The definitions as compact JSON. Equal sources give equal bytes. */
export function builtInDefinitions(moduleDirectory: string): string {
  const all: Definitions = {}
  for (const document of documents) {
    const file = join(moduleDirectory, 'api/openapi-spec/v3', `${document}_openapi.json`)
    addDefinitions(all, JSON.parse(readFileSync(file, 'utf8')).components.schemas)
  }
  const source = readFileSync(join(moduleDirectory, 'pkg/generated/openapi/zz_generated.openapi.go'), 'utf8')
  for (const field of enumFields(source)) addEnum(all, field)
  return JSON.stringify(sorted(all))
}

const withMessages = [
  'core',
  'apps',

  'coordination',
  'events',
  'policy',
  'rbac',
  'authentication',
  'authorization',
]
  .concat('admissionregistration', 'scheduling', 'autoscaling')
  .map((group) => `k8s.io/api/${group}/v1/generated.proto`)

/** The messages of these groups, and all messages that they refer to, as compact JSON. */
export function builtInMessages(directories: Readonly<Record<'k8s.io/api' | 'k8s.io/apimachinery', string>>): string {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) =>
    target.replace(
      /^k8s\.io\/(api|apimachinery)\//,
      (_, name: 'api' | 'apimachinery') => `${directories[`k8s.io/${name}`]}/`,
    )
  root.loadSync(withMessages, { keepCase: true })
  return JSON.stringify(sorted(root.toJSON()))
}

export const messageSources = () => ({
  'k8s.io/api': kubernetesSource('k8s.io/api'),
  'k8s.io/apimachinery': kubernetesSource('k8s.io/apimachinery'),
})

const packed = (text: string): string => gzipSync(text, { level: 9 }).toString('base64')

const schemaFile = (definitions: string): string => `// Written by deploy/generate-built-in-kinds.ts.

/** The release of Kubernetes that the definitions come from. */
export const kubernetes = '${kubernetesVersion()}'
/** The definitions of Kubernetes' OpenAPI v3 by name: JSON, gzip, base64. */
export const definitions =
  '${packed(definitions)}'
`

const messageFile = (messages: string): string => `// Written by deploy/generate-built-in-kinds.ts.

/** The messages of Kubernetes' kinds as protobuf.js describes them: JSON, gzip, base64. */
export const messages =
  '${packed(messages)}'
`

if (argv[1] === fileURLToPath(import.meta.url)) {
  const sandbox = new URL('../src/sandbox/api-server/', import.meta.url)
  const definitions = builtInDefinitions(kubernetesSource(kubernetesModule))
  writeFileSync(new URL('schema/built-in-kinds-data.ts', sandbox), schemaFile(definitions))
  writeFileSync(new URL('protobuf/messages-data.ts', sandbox), messageFile(builtInMessages(messageSources())))
}
