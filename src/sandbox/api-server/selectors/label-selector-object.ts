import { isObject, listOf, objectOf, textOf } from '../schema/json.ts'
import type { LabelOperator, LabelRequirement } from './label-requirement.ts'

const operators: Record<string, LabelOperator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' }

/**
 * The requirements of a LabelSelector of meta/v1 (`matchLabels`, `matchExpressions`). Undefined for no selector at all:
 * what that means (nothing or everything) is up to the field; an empty selector matches everything.
 */
export function labelSelectorRequirements(selector: unknown): LabelRequirement[] | undefined {
  if (!isObject(selector)) return undefined
  const equal = Object.entries(objectOf(selector['matchLabels'])).map(
    ([key, value]): LabelRequirement => ({ key, operator: '=', values: [textOf(value)] }),
  )
  const expressions = listOf(selector['matchExpressions']).map((item): LabelRequirement => {
    const { key, operator, values } = objectOf(item)
    return { key: textOf(key), operator: operators[textOf(operator)] ?? 'in', values: listOf(values).map(textOf) }
  })
  return [...equal, ...expressions]
}
