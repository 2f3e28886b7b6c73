import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { fieldText, selectableField } from '../registry/selectable-fields.ts'
import { type FieldTerm, matchesFields, parseFieldSelector } from '../selectors/field-selector.ts'
import { matchesLabels } from '../selectors/label-requirement.ts'
import { parseLabelSelector } from '../selectors/parse-label-selector.ts'

/** Which objects a request selects. */
export interface Selection {
  readonly everything: boolean
  /** The one name that can match, if there is only one. */
  readonly name: string | undefined
  /** A value that every match has in an index of the store. */
  readonly indexed: { readonly index: string; readonly value: string } | undefined
  matches(stored: KubeObject): boolean
}

/** Fields that the store keeps an index of, by resource of the store. */
export const indexedFields: Readonly<Record<string, readonly string[]>> = { '/pods': ['spec.nodeName'] }

/** @throws {ApiStatusError} 400 */
export function selectionOf(
  resource: Resource,
  selectors: { labelSelector: string; fieldSelector: string },
): Selection {
  const requirements = parseLabelSelector(selectors.labelSelector)
  const terms = parseFieldSelector(selectors.fieldSelector).map((term) => ({
    ...term,
    field: selectableField(resource, term.field),
  }))
  return {
    everything: requirements.length === 0 && terms.length === 0,
    name: exactValue(terms, 'metadata.name'),
    indexed: indexOf(resource, terms),
    matches: (stored) => matchesLabels(requirements, stored.metadata.labels) && matchesFields(terms, stored, fieldText),
  }
}

const exactValue = (terms: readonly FieldTerm[], field: string): string | undefined =>
  terms.find((term) => term.field === field && term.equal)?.value

function indexOf(resource: Resource, terms: readonly FieldTerm[]): Selection['indexed'] {
  for (const index of indexedFields[resource.storage] ?? []) {
    const value = exactValue(terms, index)
    if (value !== undefined && value !== '') return { index, value }
  }
  return undefined
}

/** The values of an object in the indexes of its resource. */
export function indexValues(storage: string): ((object: KubeObject) => Record<string, string>) | undefined {
  const fields = indexedFields[storage]
  return fields && ((object) => valuesOf(fields, object))
}

function valuesOf(fields: readonly string[], object: KubeObject): Record<string, string> {
  const values: Record<string, string> = {}
  for (const field of fields) {
    const value = fieldText(object, field)
    if (value !== '') values[field] = value
  }
  return values
}
