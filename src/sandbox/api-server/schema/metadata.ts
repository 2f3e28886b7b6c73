import { child, type FieldIssue, forbiddenField, invalidValue, item, required } from '../field-issue.ts'
import { goQuote } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, listOf, objectOf, sameJson, textOf } from './json.ts'
import {
  labelProblems,
  labelValueProblems,
  pathSegmentProblems,
  qualifiedNameProblems,
  subdomainProblems,
} from './names.ts'

/**
 * The names that a kind accepts: DNS-1123 subdomains (most kinds), DNS-1123 labels (namespaces), path segments (RBAC).
 */
export type NameRule = 'subdomain' | 'label' | 'path-segment'

const METADATA = 'metadata'
export const IMMUTABLE = 'field is immutable'

const nameChecks: Record<NameRule, (name: string) => string[]> = {
  subdomain: subdomainProblems,
  label: labelProblems,
  'path-segment': (name) => pathSegmentProblems(name),
}

/** The prefix without a dash at its end. A dash is allowed there, because a suffix follows. */
const withoutDash = (prefix: string): string =>
  prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -2)}a` : prefix

const invalids = (field: string, value: JsonValue, problems: readonly string[]): FieldIssue[] =>
  problems.map((problem) => invalidValue(field, value, problem))

function nameIssues(metadata: JsonObject, rule: NameRule): FieldIssue[] {
  const [name, prefix] = [textOf(metadata.name), textOf(metadata.generateName)]
  const prefixProblems =
    rule === 'path-segment' ? pathSegmentProblems(prefix, true) : nameChecks[rule](withoutDash(prefix))
  const inPrefix = prefix === '' ? [] : invalids(child(METADATA, 'generateName'), prefix, prefixProblems)
  const field = child(METADATA, 'name')
  if (name === '') return [...inPrefix, required(field, 'name or generateName is required')]
  return [...inPrefix, ...invalids(field, name, nameChecks[rule](name))]
}

function namespaceIssues(metadata: JsonObject, namespaced: boolean): FieldIssue[] {
  const namespace = textOf(metadata.namespace)
  const field = child(METADATA, 'namespace')
  if (!namespaced) return namespace === '' ? [] : [forbiddenField(field, 'not allowed on this type')]
  return namespace === '' ? [required(field)] : invalids(field, namespace, labelProblems(namespace))
}

/** Errors of labels: of their keys and values. */
function labelIssues(labels: JsonValue | undefined, field: string): FieldIssue[] {
  return Object.entries(objectOf(labels)).flatMap(([name, value]) => [
    ...invalids(field, name, qualifiedNameProblems(name)),
    ...invalids(field, value ?? null, labelValueProblems(textOf(value))),
  ])
}

const annotationIssues = (annotations: JsonValue | undefined): FieldIssue[] =>
  Object.keys(objectOf(annotations)).flatMap((name) =>
    invalids(child(METADATA, 'annotations'), name, qualifiedNameProblems(name.toLowerCase())),
  )

const ownerIssues = (owner: JsonValue, field: string): FieldIssue[] =>
  ['apiVersion', 'kind', 'name', 'uid']
    .filter((name) => textOf(at(owner, name)) === '')
    .map((name) => required(child(field, name), 'must not be empty'))

const ownersIssues = (owners: JsonValue | undefined): FieldIssue[] =>
  listOf(owners).flatMap((owner, index) => ownerIssues(owner, item(child(METADATA, 'ownerReferences'), index)))

const finalizerIssues = (finalizers: JsonValue | undefined): FieldIssue[] =>
  listOf(finalizers)
    .map(textOf)
    .flatMap((name) => invalids(child(METADATA, 'finalizers'), name, qualifiedNameProblems(name)))

/** Finalizers that need no domain. */
const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

/** Errors of finalizers without a domain, which most built-in kinds refuse. Custom resources only get a warning. */
export const plainFinalizerIssues = (object: JsonObject): FieldIssue[] =>
  listOf(objectOf(object.metadata).finalizers).flatMap((entry, index) => {
    const name = textOf(entry)
    if (name.includes('/') || standardFinalizers.has(name)) return []
    const field = item(child(METADATA, 'finalizers'), index)
    return [invalidValue(field, name, 'name is neither a standard finalizer name nor is it fully qualified')]
  })

/**
 * The warnings about finalizers that a write adds to a custom resource (apiextensions-apiserver,
 * registry/customresource).
 */
export function finalizerWarnings(object: JsonObject, old: JsonObject | undefined): string[] {
  const namesOf = (one: JsonObject | undefined): string[] => listOf(at(one, 'metadata', 'finalizers')).map(textOf)
  const before = namesOf(old)
  const added = [...new Set(namesOf(object))].filter((name) => !before.includes(name)).sort()
  return added.flatMap((name) => {
    const say = (problem: string): string => `metadata.finalizers: ${goQuote(name)}: ${problem}`
    const form = qualifiedNameProblems(name).map(say)
    if (name.includes('/') || standardFinalizers.has(name)) return form
    const path = name.includes('.') ? ' including a path (/)' : ''
    return [
      ...form,
      say(`prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`),
    ]
  })
}

const commonIssues = (metadata: JsonObject): FieldIssue[] => [
  ...labelIssues(metadata.labels, child(METADATA, 'labels')),
  ...annotationIssues(metadata.annotations),
  ...ownersIssues(metadata.ownerReferences),
]

/** Errors of a new object's `metadata`: name, generateName, namespace, labels, annotations, finalizers, owners. */
export function validateObjectMeta(object: JsonObject, namespaced: boolean, names: NameRule): FieldIssue[] {
  const metadata = objectOf(object.metadata)
  return [
    ...nameIssues(metadata, names),
    ...namespaceIssues(metadata, namespaced),
    ...commonIssues(metadata),
    ...finalizerIssues(metadata.finalizers),
  ]
}

/** Fields that are set only once, by the server or by the creating client. */
const texts = ['name', 'namespace', 'uid']
const fixed = [...texts, 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds']

function newFinalizerIssues(metadata: JsonObject, old: JsonObject): FieldIssue[] {
  if (old.deletionTimestamp === undefined || old.deletionTimestamp === null) return []
  const before = new Set(listOf(old.finalizers).map(textOf))
  const added = [...new Set(listOf(metadata.finalizers).map(textOf))].filter((name) => !before.has(name)).sort()
  if (added.length === 0) return []
  const shown = `[]string{${added.map(goQuote).join(', ')}}`
  return [
    forbiddenField(
      child(METADATA, 'finalizers'),
      `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`,
    ),
  ]
}

/** Errors of an update's `metadata`, including changes of immutable fields (uid, creationTimestamp, …). */
export function validateObjectMetaUpdate(object: JsonObject, old: JsonObject): FieldIssue[] {
  const [metadata, before] = [objectOf(object.metadata), objectOf(old.metadata)]
  const version = textOf(metadata.resourceVersion)
  const changed = fixed.filter((name) => !sameJson(metadata[name] ?? '', before[name] ?? ''))
  return [
    ...newFinalizerIssues(metadata, before),
    ...(version === ''
      ? [invalidValue(child(METADATA, 'resourceVersion'), '', 'must be specified for an update')]
      : []),
    ...changed.map((name) =>
      invalidValue(child(METADATA, name), metadata[name] ?? (texts.includes(name) ? '' : null), IMMUTABLE),
    ),
    ...commonIssues(metadata),
  ]
}
