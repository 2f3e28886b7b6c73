import { CompiledSelector } from '../../../api/label-selector.ts'
import type { LabelSelectorRequirement } from '../../../api/types.ts'
import { objectOf } from '../schema/json.ts'
import { badRequest } from '../status.ts'

/**
 * The label selector (meta/v1) in a field. An absent selector selects everything, so a caller for which absence has
 * another meaning must check first.
 */
export const selectorOf = (field: unknown): CompiledSelector => new CompiledSelector(objectOf(field))

/** One part of `a=b,c!=d,e in (f,g),!h`: a key, which may have an operator and an operand. */
const term =
  /^\s*(?:(!)\s*)?([A-Za-z0-9][\w./-]*)\s*(?:(==|=|!=)\s*([\w.-]*)|(in|notin)\s*\(([\w.,\s-]*)\))?\s*(?:,(?=\s*\S)|$)/

/**
 * Parses `labelSelector` of a query.
 * @throws {ApiStatusError} 400
 */
export function parseLabelSelector(text: string): CompiledSelector {
  const matchExpressions: LabelSelectorRequirement[] = []
  for (let rest = text; rest.trim() !== ''; ) {
    const found = term.exec(rest)
    if (!found || (found[1] && (found[3] ?? found[5])))
      throw badRequest(`unable to parse requirement: ${JSON.stringify(rest.trim())} is not a label selector`)
    matchExpressions.push(requirementOf(found))
    rest = rest.slice(found[0].length)
  }
  return new CompiledSelector({ matchExpressions })
}

function requirementOf(found: RegExpExecArray): LabelSelectorRequirement {
  const [, not, key = '', comparison, value = '', membership, list] = found
  if (comparison) return { key, operator: comparison === '!=' ? 'NotIn' : 'In', values: [value] }
  if (membership) {
    const values = (list ?? '').split(',').map((one) => one.trim())
    return { key, operator: membership === 'in' ? 'In' : 'NotIn', values }
  }
  return { key, operator: not ? 'DoesNotExist' : 'Exists' }
}
