import { Environment } from '@marcbachmann/cel-js'
import { registerListFunctions, registerListNamespaces } from '../../schema/cel/list-functions.ts'
import { registerNetworkFunctions } from '../../schema/cel/network-functions.ts'
import { registerQuantityFunctions } from '../../schema/cel/quantity-functions.ts'
import { registerTextFunctions } from '../../schema/cel/text-functions.ts'
import type { JsonObject } from '../../schema/json.ts'
import { listOf, objectOf, textOf } from '../../schema/json.ts'

export interface MatchVariables {
  readonly object: unknown
  readonly oldObject: unknown
  readonly request: JsonObject
}

const environment = [
  registerListNamespaces,
  registerListFunctions,
  registerTextFunctions,
  registerNetworkFunctions,
  registerQuantityFunctions,
].reduce(
  (extended, register) => register(extended),
  new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
    .registerVariable('object', 'dyn')
    .registerVariable('oldObject', 'dyn')
    .registerVariable('request', 'dyn'),
)

/** Whether every `matchConditions` expression (CEL) is true; a condition that fails to evaluate is an error of its own. */
export function matchesConditions(
  webhook: JsonObject,
  variables: MatchVariables,
): { matches: boolean; errors: string[] } {
  const errors: string[] = []
  let matches = true
  for (const condition of listOf(webhook['matchConditions']).map(objectOf)) {
    try {
      if (environment.evaluate(textOf(condition['expression']), { ...variables }) !== true) matches = false
    } catch (error) {
      errors.push(error instanceof Error ? error.message : String(error))
    }
  }
  // One condition that is false decides, whatever became of the others.
  return { matches: matches && errors.length === 0, errors: matches ? errors : [] }
}
