import { selectorText } from './label-selector.ts'
import type { EgressTarget } from './types.ts'

/** A target as text, which is the key of its addresses. Different targets have different texts. */
export function targetText({ kind, namespace, name = '', selector = {} }: EgressTarget): string {
  if (kind === 'service') return `service ${namespace}/${name}`
  return `${kind} of ${namespace || 'all namespaces'}: ${selectorText(selector) || 'all'}`
}
