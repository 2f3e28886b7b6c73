import { type FieldError, nearestName } from '../api/field-error.ts'
import { readDocuments, type SourceObject } from './documents.ts'
import { decode, InputError, readText } from './input.ts'

/** An error with its position in the input. */
export interface Finding {
  file: string
  /** Number of the YAML document. Absent if the whole file could not be read. */
  document?: number
  item?: number
  line?: number
  column?: number
  /** The object, such as `VarmorPolicy demo/web`. */
  object?: string
  error: FieldError
}

/** Objects of the input files, by their use. */
export interface Gathered {
  policies: SourceObject[]
  /** ArmorProfileModel objects, for the policies that use them. */
  models: SourceObject[]
  /** Objects of other kinds. They are not errors. */
  ignored: SourceObject[]
  findings: Finding[]
}

const policyKinds = ['VarmorPolicy', 'VarmorClusterPolicy']
const kinds = [...policyKinds, 'ArmorProfileModel', 'ArmorProfile']

/**
 * Reads all files; `-` is standard input. If a file cannot be read, this is a finding, and the other files are still
 * read.
 */
export async function gather(files: readonly string[]): Promise<Gathered> {
  const gathered: Gathered = { policies: [], models: [], ignored: [], findings: [] }
  for (const file of new Set(files)) {
    try {
      sort(file, await readText(file), gathered)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      gathered.findings.push({ file: shown(file), error: unparsable(error.message) })
    }
  }
  return withPolicies(gathered, files.map(shown).join(', '))
}

/** Reads the text of one file. */
export function gatherText(file: string, bytes: Buffer): Gathered {
  const gathered: Gathered = { policies: [], models: [], ignored: [], findings: [] }
  try {
    sort(file, decode(bytes), gathered)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    gathered.findings.push({ file, error: unparsable(error.message) })
  }
  return withPolicies(gathered, file)
}

function withPolicies(gathered: Gathered, file: string): Gathered {
  if (gathered.policies.length > 0 || gathered.findings.length > 0) return gathered
  const problem = 'does not contain a VarmorPolicy or VarmorClusterPolicy'
  return { ...gathered, findings: [{ file, error: unparsable(problem) }] }
}

function shown(file: string): string {
  return file === '-' ? 'standard input' : file
}

function unparsable(problem: string): FieldError {
  return { code: 'UNPARSABLE', path: '', problem }
}

function sort(file: string, text: string, gathered: Gathered): void {
  const { objects, errors } = readDocuments(shown(file), text)
  for (const { problem, ...place } of errors) gathered.findings.push({ ...place, error: unparsable(problem) })
  for (const object of objects) {
    const { kind } = object.value
    if (typeof kind === 'string' && policyKinds.includes(kind)) gathered.policies.push(object)
    else if (kind === 'ArmorProfileModel') gathered.models.push(object)
    else if (isForeign(object.value) || kind === 'ArmorProfile') gathered.ignored.push(object)
    else gathered.findings.push(finding(object, unknownKind(kind)))
  }
}

/** Whether the object belongs to another API group. Manifests often have such objects. */
function isForeign({ apiVersion, kind }: Record<string, unknown>): boolean {
  return typeof kind === 'string' && typeof apiVersion === 'string' && !apiVersion.startsWith('crd.varmor.org/')
}

function unknownKind(kind: unknown): FieldError {
  if (kind === undefined) return { code: 'REQUIRED', path: 'kind', problem: 'an object needs a kind' }
  const nearest = typeof kind === 'string' ? nearestName(kind, kinds) : undefined
  const problem = 'is not a kind of crd.varmor.org'
  return {
    code: 'NOT_ALLOWED',
    path: 'kind',
    given: kind,
    problem,
    allowed: kinds.join(', '),
    ...(nearest && { nearest }),
  }
}

/**
 * An error with the position of its field. A field that does not exist has the position of the nearest field that
 * contains it.
 */
export function finding(source: SourceObject, error: FieldError): Finding {
  const { file, document, item, place } = source
  return { file, document, ...(item !== undefined && { item }), ...place(error.path), object: nameOf(source), error }
}

/** Kind, namespace and name, such as `VarmorPolicy demo/web`. Missing parts are left out. */
export function nameOf({ value }: SourceObject): string {
  const { kind, metadata } = value as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } | null }
  const names = [metadata?.namespace, metadata?.name].filter((name) => typeof name === 'string' && name !== '')
  return [typeof kind === 'string' ? kind : 'object', names.join('/')].filter((part) => part !== '').join(' ')
}
