import type { AnyPolicy, ArmorProfileModel } from '../../api/types.ts'
import { type CompiledPolicy, type CompileOptions, compilePolicy } from '../../profile/compile.ts'
import { newestAppArmor, oldestAppArmor } from '../../profile/context.ts'
import { finding, gather, nameOf } from '../gather.ts'
import { modelOf } from '../models.ts'
import { printFindings, printIgnored } from '../output.ts'

export interface CompilingArguments {
  apparmorParser: '3.0' | '4.0'
  installNamespace: string
}

/** A valid policy, with its compiled form. */
export interface SoundPolicy {
  name: string
  policy: AnyPolicy
  compiled: CompiledPolicy
  options: CompileOptions
}

/**
 * Compiles all policies of the files. If there are errors, prints them on standard error, and returns undefined.
 * @param recorded a model in addition to the models in the files
 */
export async function policiesFrom(
  files: readonly string[],
  { apparmorParser, installNamespace }: CompilingArguments,
  recorded?: ArmorProfileModel,
): Promise<SoundPolicy[] | undefined> {
  const { policies, models, ignored, findings } = await gather(files)
  printIgnored(ignored.map((source) => `${source.file}: document ${source.document}: ${nameOf(source)}`))
  const all = recorded === undefined ? models : [...models, { value: { ...recorded } }]
  const sound: SoundPolicy[] = []
  const mistakes = [...findings]
  for (const source of policies) {
    const model = modelOf(source.value, all, installNamespace)
    const appArmor = apparmorParser === '3.0' ? oldestAppArmor : newestAppArmor
    const options: CompileOptions = { appArmor, installNamespace, ...(model !== undefined && { model }) }
    const result = compilePolicy(source.value, options)
    if (!result.ok) mistakes.push(...result.errors.map((error) => finding(source, error)))
    else
      sound.push({
        name: nameOf(source),
        policy: source.value as unknown as AnyPolicy,
        compiled: result.value,
        options,
      })
  }
  if (mistakes.length === 0) return sound
  printFindings(mistakes)
  return undefined
}
