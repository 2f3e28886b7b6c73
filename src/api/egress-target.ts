import { selectorText } from './label-selector.ts'
import type { EgressTarget } from './types.ts'

/**
 * A target as text. The text is the key under which the target's addresses are stored. Different targets have different
 * texts.
 */
export function targetText({ kind, namespace, name = '', selector = {} }: EgressTarget): string {
  if (kind === 'service') return `service ${namespace}/${name}`
  return `${kind} of ${namespace || 'all namespaces'}: ${selectorText(selector) || 'all'}`
}
