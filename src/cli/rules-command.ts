import { nearestName } from '../api/field-error.ts'
import { pathsOnTheWay } from '../profile/ancestor-paths.ts'
import { parsePathPattern } from '../profile/path-pattern.ts'
import { catalogue, findRule, ruleNames } from '../rules/catalogue.ts'
import { describeRule, ruleAsData, ruleTable } from '../rules/describe.ts'
import { isImpossible, type Rule } from '../rules/meaning.ts'
import { type Format, print, printable, printData } from './output.ts'

/**
 * Prints a table of all rules, or a description of the named rules. Returns the exit status: 1 if a name is unknown.
 */
export async function rulesCommand(names: readonly string[], { output }: { output: Format }): Promise<number> {
  const unknown = names.filter((name) => findRule(name) === undefined)
  for (const name of unknown) process.stderr.write(`${printable(unknownRule(name))}\n`)
  if (unknown.length > 0) return 1

  const named = new Set(names.map(findRule).filter((rule): rule is Rule => rule !== undefined))
  const rules = names.length === 0 ? catalogue : [...named]
  if (output !== 'text')
    await printData(
      rules.map((rule) => ({ ...ruleAsData(rule), way: wayOf(rule) })),
      output,
    )
  else if (names.length === 0) print(ruleTable(rules))
  else print(rules.map((rule) => describeRule(rule, wayOf(rule))).join('\n\n\n'))
  return 0
}

/** The parent directories that enforcers protect together with the paths of a rule. */
function wayOf({ appArmor, bpf }: Rule): string[] {
  const restrictions = [appArmor, bpf].flatMap((meaning) => (isImpossible(meaning) ? [] : meaning))
  const patterns = restrictions.flatMap((one) => (one.kind === 'path' ? [one.pattern] : []))
  const ways = patterns.flatMap((text) => {
    const parsed = parsePathPattern(text)
    return parsed.ok ? pathsOnTheWay(parsed.pattern).map((directory) => directory.text) : []
  })
  return [...new Set(ways)]
}

function unknownRule(name: string): string {
  const nearest = nearestName(name, ruleNames())
  const hint = nearest === undefined ? 'varmor rules lists them' : `did you mean ${JSON.stringify(nearest)}?`
  return `${JSON.stringify(name)}: no built-in rule has this name; ${hint}`
}
