import { selectorText as textOfSelector } from '../../../api/label-selector.ts'
import { byCodePoint } from '../go-text.ts'
import { type JsonValue, objectOf, textOf } from '../schema/json.ts'

/** Labels as kubectl shows them, such as `a=b,c=d`; `<none>` without labels. */
export function labelsText(labels: JsonValue | undefined): string {
  const entries = Object.entries(objectOf(labels)).sort(([a], [b]) => byCodePoint(a, b))
  return entries.length === 0 ? '<none>' : entries.map(([name, value]) => `${name}=${textOf(value)}`).join(',')
}

/** A label selector as kubectl shows it. */
export const selectorText = (selector: JsonValue | undefined): string => textOfSelector(objectOf(selector))
