import { selectorText } from './label-selector.ts'
import type { EgressTarget } from './types.ts'

/** The target as text, the key under which its addresses are found. Different targets have different texts. */
export function targetText({ kind, namespace, name = '', selector = {} }: EgressTarget): string {
  if (kind === 'service') return `service ${namespace}/${name}`
  return `${kind} of ${namespace || 'all namespaces'}: ${selectorText(selector) || 'all'}`
}
