import { byCodePoint } from '../go-text.ts'
import { type JsonValue, listOf, objectOf, textOf } from '../schema/json.ts'

/** Labels as kubectl shows them, `a=b,c=d`; `<none>` for none. */
export function labelsText(labels: JsonValue | undefined): string {
  const entries = Object.entries(objectOf(labels)).sort(([a], [b]) => byCodePoint(a, b))
  return entries.length === 0 ? '<none>' : entries.map(([name, value]) => `${name}=${textOf(value)}`).join(',')
}

function expressionText(expression: JsonValue): string {
  const { key, operator, values } = objectOf(expression)
  const list = listOf(values).map(textOf).sort(byCodePoint).join(',')
  if (operator === 'Exists') return textOf(key)
  if (operator === 'DoesNotExist') return `!${textOf(key)}`
  return `${textOf(key)} ${operator === 'In' ? 'in' : 'notin'} (${list})`
}

/** A label selector in the syntax of `kubectl get -l`; empty for one that selects everything. */
export function selectorText(selector: JsonValue | undefined): string {
  const { matchLabels, matchExpressions } = objectOf(selector)
  const equal = Object.entries(objectOf(matchLabels)).map(
    ([name, value]) => [name, `${name}=${textOf(value)}`] as const,
  )
  const others = listOf(matchExpressions).map(
    (expression) => [textOf(objectOf(expression).key), expressionText(expression)] as const,
  )
  return [...equal, ...others]
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([, text]) => text)
    .join(',')
}
