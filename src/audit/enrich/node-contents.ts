import { type FieldError, join, nearestName } from '../../api/field-error.ts'
import type { ContainerInfo, PolicyIdentity, Workload } from './snapshot.ts'

/** The content of a containers file. */
export interface NodeContents {
  containers: ContainerInfo[]
  policies: PolicyIdentity[]
}

export type ReadContents = { ok: true; value: NodeContents } | { ok: false; errors: FieldError[] }

interface Field {
  kind: 'text' | 'count' | 'big' | 'policy kind' | 'workload' | 'texts' | 'boolean'
  required?: boolean
}

type Fields = Readonly<Record<string, Field>>

const text: Field = { kind: 'text' }
const count: Field = { kind: 'count' }

const containerFields = {
  containerID: { kind: 'text', required: true },
  containerName: text,
  image: text,
  podName: text,
  podNamespace: text,
  podUID: text,
  initPid: count,
  initStart: count,
  mntNsID: count,
  bpfNumber: count,
  bpfSince: count,
  cgroupID: { kind: 'big' },
  cgroupPath: text,
  profileName: text,
  appArmorProfile: text,
  refusedCalls: text,
  workload: { kind: 'workload' },
  podLabels: { kind: 'texts' },
  podLabelsCut: { kind: 'boolean' },
} satisfies Record<keyof ContainerInfo, Field>

const policyFields = {
  profileName: { kind: 'text', required: true },
  kind: { kind: 'policy kind', required: true },
  name: { kind: 'text', required: true },
  namespace: text,
  bpfId: count,
  modelling: text,
} satisfies Record<keyof PolicyIdentity, Field>

const workloadKinds: Readonly<Record<Workload['kind'], true>> = {
  Deployment: true,
  StatefulSet: true,
  DaemonSet: true,
  Job: true,
}

const forms: Record<Field['kind'], string> = {
  text: 'a text',
  count: 'a whole number of 0 or more',
  big: 'a whole number, as a number or a text',
  'policy kind': 'VarmorPolicy, VarmorClusterPolicy',
  workload: `kind and name, where kind is one of ${Object.keys(workloadKinds).join(', ')}`,
  texts: 'an object whose values are texts',
  boolean: 'true or false',
}

const noContainer: Omit<ContainerInfo, 'containerID'> = {
  containerName: '',
  image: '',
  podName: '',
  podNamespace: '',
  podUID: '',
  initPid: 0,
  mntNsID: 0,
  profileName: '',
}

/**
 * Parses `{"containers": [...], "policies": [...]}`: a node's containers, and the policies that own their profiles,
 * with the fields of ContainerInfo and PolicyIdentity. Only ids and names are required.
 * @returns the contents, or all errors
 */
export function readContents(json: string): ReadContents {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return {
      ok: false,
      errors: [{ code: 'UNPARSABLE', path: '', problem: `is not JSON: ${(error as Error).message}` }],
    }
  }
  const errors: FieldError[] = []
  const lists = { containers: containerFields, policies: policyFields }
  if (!isObject(value)) return { ok: false, errors: [wrongType('', value, 'an object')] }
  for (const name of Object.keys(value)) if (!(name in lists)) errors.push(unknownField('', name, Object.keys(lists)))
  const containers = readList(value, 'containers', containerFields, errors)
  const policies = readList(value, 'policies', policyFields, errors)
  if (errors.length > 0) return { ok: false, errors }
  return {
    ok: true,
    value: {
      containers: containers.map((one) => ({ ...noContainer, ...one }) as ContainerInfo),
      policies: policies.map((one) => ({ namespace: '', ...one }) as PolicyIdentity),
    },
  }
}

function readList(
  value: Record<string, unknown>,
  name: string,
  fields: Fields,
  errors: FieldError[],
): Record<string, unknown>[] {
  const list = value[name] ?? []
  if (Array.isArray(list)) return list.map((item, index) => readItem(item, join(name, index), fields, errors))
  errors.push(wrongType(name, list, 'a list'))
  return []
}

function readItem(item: unknown, path: string, fields: Fields, errors: FieldError[]): Record<string, unknown> {
  if (!isObject(item)) {
    errors.push(wrongType(path, item, 'an object'))
    return {}
  }
  for (const [name, { required }] of Object.entries(fields))
    if (required && item[name] === undefined)
      errors.push({ code: 'REQUIRED', path: join(path, name), problem: 'must be there' })
  const read: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(item)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined) errors.push(unknownField(path, name, Object.keys(fields)))
    else if (fits(field.kind, given)) read[name] = field.kind === 'big' ? BigInt(given as string | number) : given
    else errors.push(wrongType(join(path, name), given, forms[field.kind]))
  }
  return read
}

function fits(kind: Field['kind'], given: unknown): boolean {
  if (kind === 'text') return typeof given === 'string'
  if (kind === 'boolean') return typeof given === 'boolean'
  if (kind === 'texts') return isObject(given) && Object.values(given).every((value) => typeof value === 'string')
  if (kind === 'workload') return isObject(given) && isWorkload(given)
  if (kind === 'policy kind') return given === 'VarmorPolicy' || given === 'VarmorClusterPolicy'
  if (kind === 'big' && typeof given === 'string') return /^\d{1,20}$/.test(given)
  return Number.isSafeInteger(given) && (given as number) >= 0
}

const isWorkload = ({ kind, name }: Record<string, unknown>): boolean =>
  typeof kind === 'string' && Object.hasOwn(workloadKinds, kind) && typeof name === 'string'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const wrongType = (path: string, given: unknown, allowed: string): FieldError => ({
  code: 'WRONG_TYPE',
  path,
  problem: 'has the wrong type',
  given,
  allowed,
})

function unknownField(path: string, name: string, known: readonly string[]): FieldError {
  const nearest = nearestName(name, known)
  const problem = 'no such field'
  return { code: 'UNKNOWN_FIELD', path: join(path, name), problem, ...(nearest !== undefined && { nearest }) }
}
