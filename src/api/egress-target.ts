import { selectorText } from './label-selector.ts'
import type { EgressTarget } from './types.ts'

/** The target in words, by which its addresses are found. Equal for equal targets only. */
export function targetText({ kind, namespace, name = '', selector = {} }: EgressTarget): string {
  if (kind === 'service') return `service ${namespace}/${name}`
  return `${kind} of ${namespace || 'all namespaces'}: ${selectorText(selector) || 'all'}`
}
