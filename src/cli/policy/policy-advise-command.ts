import { type AdviceQuestion, advise } from '../../advice/advise.ts'
import type { Feature } from '../../advice/features.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import type { ArmorProfileModel, TargetKind } from '../../api/types.ts'
import { validatePolicy } from '../../api/validate.ts'
import { newestAppArmor, oldestAppArmor } from '../../profile/context.ts'
import type { Capability } from '../../rules/capabilities.ts'
import { misuse } from '../misuse.ts'
import { type ClusterArguments, complain, readModel } from '../model/model-source.ts'
import { print, printData } from '../output.ts'
import { advisedPolicy, advisedYaml, type PolicyPlace } from './advise-text.ts'

export interface AdviseArguments extends ClusterArguments {
  model?: string
  features: Feature[]
  capabilities: Capability[]
  enforcers: KernelEnforcer[]
  name?: string
  namespace?: string
  target?: { kind: TargetKind; name: string }
  apparmorParser: '3.0' | '4.0'
  output: 'yaml' | 'json'
}

/** Prints a policy of the built-in rules that an application does not need. Returns the exit status. */
export async function adviseCommand(given: AdviseArguments): Promise<number> {
  const model = given.model === undefined ? undefined : (await readModel(given.model, given))?.object
  if (given.model !== undefined && model === undefined) return misuse
  const { features, capabilities, enforcers } = given
  const question: AdviceQuestion = {
    ...{ features, capabilities, enforcers },
    options: { appArmor: given.apparmorParser === '3.0' ? oldestAppArmor : newestAppArmor },
    ...(model !== undefined && { result: model.data.dynamicResult ?? {}, label: model.metadata.name }),
  }
  const advice = advise(question)
  const place = placeOf(given, model)
  const policy = advisedPolicy(advice, place)
  const [error] = validatePolicy(policy)
  if (error !== undefined) {
    complain(`${error.path}: ${error.problem}: name it with --name, --namespace or --target`)
    return misuse
  }
  if (given.output === 'yaml') print(advisedYaml(advice, place, aboutOf(given)))
  else {
    const rules = advice.rules.map(({ rule, isIn, why }) => ({ rule: rule.name, in: isIn, why }))
    await printData({ policy, rules }, 'json')
  }
  return 0
}

/** A model is called after the profile of its policy: `varmor-NAMESPACE-NAME`. */
function placeOf({ name, namespace, target }: AdviseArguments, model: ArmorProfileModel | undefined): PolicyPlace {
  const home = namespace ?? model?.metadata.namespace ?? 'default'
  const prefix = `varmor-${home}-`
  const modelled = model?.metadata.name.startsWith(prefix) ? model.metadata.name.slice(prefix.length) : undefined
  const called = name ?? modelled ?? 'advised'
  return { name: called, namespace: home, target: target ?? { kind: 'Deployment', name: called } }
}

function aboutOf({ model, features, capabilities, target }: AdviseArguments): string[] {
  const of = [
    model === undefined ? 'No behaviour was recorded' : `What was recorded: ${model}`,
    `features: ${features.length === 0 ? 'none' : features.join(', ')}`,
    `capabilities: ${capabilities.length === 0 ? 'none' : capabilities.join(', ')}`,
  ]
  return [
    `Written by varmor policy advise. ${of.join('; ')}.`,
    'The rules that the application does not need by that. Try it with allowViolations: true first where the recording was short.',
    ...(target === undefined ? ['Which workload is meant was not said: see spec.target.'] : []),
  ]
}
