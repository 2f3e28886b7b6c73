import { formatFieldError } from '../../api/field-error.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import type { Behaviour, LeftOut } from '../../model/behaviour.ts'
import { type Explanation, generalise, type Kept } from '../../model/generalise/generalise.ts'
import { armorProfileModelOf, type ModelIdentity } from '../../model/profile/armor-profile-model.ts'
import { printable } from '../output.ts'
import { Trouble } from './model-source.ts'

function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

function sayLeftOut({ kind, directory, reason, count, examples }: LeftOut): void {
  const where = directory === undefined ? '' : ` in ${directory}`
  say(`left out: about ${count} of ${kind}${where}: ${reason}; such as ${examples.join(', ')}`)
}

const standsFor = ({ kinds, count, examples }: Explanation): string =>
  `${kinds.join(', ')}: ${count === 1 ? '1 name' : `${count} names`}, such as ${examples.slice(0, 2).join(', ')}`

/** Why data was kept. `rule` is the name of a built-in rule, or the reason as text. */
const whyKept = ({ rule }: Kept): string =>
  /^[a-z-]+$/.test(rule) ? `the built-in rule ${rule} protects paths that it would match` : rule

/**
 * Creates a model with its profiles from merged data. Reports patterns and left-out data on standard error.
 * @throws {Trouble} if no profile can be created
 */
export function madeModel(behaviour: Behaviour, identity: ModelIdentity, patterns: boolean): ArmorProfileModel {
  const { result, leftOut } = behaviour.toRecorded()
  for (const each of leftOut) sayLeftOut(each)
  const general = patterns ? generalise(result) : { result, patterns: [], kept: [] }
  for (const each of general.patterns) say(`pattern: ${each.pattern}: ${standsFor(each)}`)
  for (const each of general.kept)
    say(`not replaced by the pattern ${each.pattern}: ${whyKept(each)}; ${standsFor(each)}`)
  const made = armorProfileModelOf(identity, general.result, general.patterns)
  if (!made.ok) throw new Trouble(made.errors.map(formatFieldError).join('\n'))
  for (const { path, rule, reason } of made.skipped) say(`left out: ${path}: ${rule}: ${reason}`)
  return made.value
}
