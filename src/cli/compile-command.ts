import type { KernelEnforcer } from '../api/enforcer.ts'
import { type CompiledPolicy, compilePolicy } from '../profile/compile.ts'
import { type AppArmorFeatures, oldestAppArmor } from '../profile/context.ts'
import { compiledText } from './compiled-text.ts'
import { type Finding, finding, type Gathered, gather, nameOf } from './gather.ts'
import { modelOf } from './models.ts'
import { type Format, paint, print, printData, printFindings, printIgnored } from './output.ts'

export interface CompileArguments {
  file: string[]
  enforcer?: KernelEnforcer[]
  apparmorParser: '3.0' | '4.0'
  installNamespace: string
  output: Format
}

const appArmorOf: Record<CompileArguments['apparmorParser'], AppArmorFeatures> = {
  '3.0': oldestAppArmor,
  '4.0': { parser: [4, 0], userns: true, ioUring: true, mqueue: true },
}

/**
 * Prints what each enforcer loads for all policies. If a policy has an error, prints only errors. Returns the exit
 * status.
 */
export async function compileCommand(given: CompileArguments): Promise<number> {
  const gathered = await gather(given.file)
  printIgnored(gathered.ignored.map((source) => `${source.file}: document ${source.document}: ${nameOf(source)}`))
  const { compiled, findings } = compileGathered(gathered, given)
  if (findings.length > 0) {
    printFindings(findings)
    return 1
  }
  if (given.output === 'text') print(compiled.map((policy) => compiledText(policy, paint(process.stdout))).join('\n'))
  else await printData(compiled, given.output)
  return 0
}

function compileGathered(
  { policies, models, findings }: Gathered,
  { enforcer, apparmorParser, installNamespace }: CompileArguments,
): { compiled: CompiledPolicy[]; findings: Finding[] } {
  const compiled: CompiledPolicy[] = []
  const found = [...findings]
  for (const source of policies) {
    const model = modelOf(source.value, models, installNamespace)
    const result = compilePolicy(source.value, {
      appArmor: appArmorOf[apparmorParser],
      installNamespace,
      ...(model !== undefined && { model }),
      ...(enforcer !== undefined && { enforcers: enforcer }),
    })
    if (result.ok) compiled.push(result.value)
    else found.push(...result.errors.map((error) => finding(source, error)))
  }
  return { compiled, findings: found }
}
