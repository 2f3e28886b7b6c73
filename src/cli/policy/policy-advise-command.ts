import { type AdviceQuestion, advise } from '../../advice/advise.ts'
import type { Feature } from '../../advice/features.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import type { ArmorProfileModel, TargetKind } from '../../api/types.ts'
import { validatePolicy } from '../../api/validate.ts'
import { newestAppArmor, oldestAppArmor } from '../../profile/context.ts'
import type { Capability } from '../../rules/capabilities.ts'
import { misuse } from '../misuse.ts'
import { type ModelArguments, modelFrom, Trouble } from '../model/model-source.ts'
import { print, printable, printData } from '../output.ts'
import { advisedPolicy, advisedYaml, type PolicyPlace } from './advise-text.ts'

export interface AdviseArguments extends ModelArguments {
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

/**
 * Prints a policy with the built-in rules that forbid only what an application does not need. Returns the exit status.
 */
export async function adviseCommand(given: AdviseArguments): Promise<number> {
  try {
    const model = given.model === undefined ? undefined : await modelFrom(given.model, given)
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
    if (error !== undefined)
      throw new Trouble(`${error.path}: ${error.problem}: name it with --name, --namespace or --target`)
    if (given.output === 'yaml') print(advisedYaml(advice, place, aboutOf(given)))
    else
      await printData(
        { policy, rules: advice.rules.map(({ rule, isIn, why }) => ({ rule: rule.name, in: isIn, why })) },
        'json',
      )
    return 0
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    process.stderr.write(`${error.message.split('\n').map(printable).join('\n')}\n`)
    return misuse
  }
}

/** Derives the policy's name from the model, which has the name of the policy's profile: `varmor-NAMESPACE-NAME`. */
function placeOf({ name, namespace, target }: AdviseArguments, model: ArmorProfileModel | undefined): PolicyPlace {
  const home = namespace ?? model?.metadata.namespace ?? 'default'
  const prefix = `varmor-${home}-`
  const modelled = model?.metadata.name.startsWith(prefix) ? model.metadata.name.slice(prefix.length) : undefined
  const called = name ?? modelled ?? 'advised'
  return { name: called, namespace: home, target: target ?? { kind: 'Deployment', name: called } }
}

function aboutOf({ model, features, capabilities, target }: AdviseArguments): string[] {
  const of = [
    model === undefined ? 'No behaviour was recorded' : `Recorded behaviour: ${model}`,
    `features: ${features.length === 0 ? 'none' : features.join(', ')}`,
    `capabilities: ${capabilities.length === 0 ? 'none' : capabilities.join(', ')}`,
  ]
  return [
    `Written by varmor policy advise. ${of.join('; ')}.`,
    'These rules forbid only what the application does not need, as far as that is known. If the recording was short, try the policy with allowViolations: true first.',
    ...(target === undefined ? ['No --target was given: check spec.target.'] : []),
  ]
}
