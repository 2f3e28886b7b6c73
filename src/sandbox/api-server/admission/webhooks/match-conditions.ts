import { matchEnvironment } from '../../schema/cel/program.ts'
import type { JsonObject } from '../../schema/json.ts'
import { listOf, objectOf, textOf } from '../../schema/json.ts'

export interface MatchVariables {
  readonly object: unknown
  readonly oldObject: unknown
  readonly request: JsonObject
}

/** Whether every `matchConditions` expression (CEL) is true; a condition that fails to evaluate is an error of its own. */
export function matchesConditions(
  webhook: JsonObject,
  variables: MatchVariables,
): { matches: boolean; errors: string[] } {
  const errors: string[] = []
  let matches = true
  for (const condition of listOf(webhook['matchConditions']).map(objectOf)) {
    try {
      if (matchEnvironment.evaluate(textOf(condition['expression']), { ...variables }) !== true) matches = false
    } catch (error) {
      errors.push(error instanceof Error ? error.message : String(error))
    }
  }
  // One condition that is false decides, whatever became of the others.
  return { matches: matches && errors.length === 0, errors: matches ? errors : [] }
}
