import type { Change } from '../../advice/parts.ts'
import type { RefusedGroup, RefusedOperation, Replayed } from '../../advice/replay.ts'
import { printable } from '../output.ts'

/** Whether no operation could be judged. */
export const isUnjudged = ({ refused, answered, allowed }: Replayed): boolean =>
  refused.length + answered.length + allowed === 0

/** The operations that a policy would have refused, as text. */
export function replayText(replayed: Replayed & { policy: string }): string {
  const { policy, refused, answered, allowed, reported, unjudged } = replayed
  const different = refused.reduce((sum, group) => sum + group.different, 0)
  const verdict = isUnjudged(replayed)
    ? 'nothing could be judged'
    : refused.length === 0
      ? 'nothing would have been refused'
      : `${amount(different, 'operation')} would have been refused`
  const lines = [`${policy}: ${verdict}; ${allowed} let through${reported > 0 ? `, ${reported} of them reported` : ''}`]
  for (const group of refused) lines.push('', ...groupLines(group, 'Refused'))
  for (const group of answered)
    lines.push('', ...groupLines(group, 'Answered with ENOSYS, so that programs fall back to an older system call,'))
  if (unjudged.length > 0) lines.push('', 'Not judged:')
  for (const { why, count, examples } of unjudged)
    lines.push(`  ${String(count).padStart(8)} × ${why}${examples.length > 0 ? `: ${examples.join(', ')}` : ''}`)
  return `${lines.map(printable).join('\n')}\n`
}

function groupLines({ enforcers, rules, operations, different, count }: RefusedGroup, does: string): string[] {
  const lines = [`${does} by ${enforcers.join(' and ')}: ${amount(different, 'operation')}, ${count} ×`]
  for (const { path, rule } of rules) lines.push(`  ${shortened(rule)}`, `    at ${path}`)
  for (const operation of operations) lines.push(...operationLines(operation))
  if (different > operations.length) lines.push(`       … and ${different - operations.length} more`)
  const changes = rules.flatMap(({ change }) => (change === undefined ? [] : [changeText(change)]))
  if (changes.length > 0) lines.push(`  to allow: ${changes.join(', and ')}`)
  return lines
}

function operationLines({ operation, count, example, by, changes = [] }: RefusedOperation): string[] {
  const more = [
    ...(example === undefined ? [] : [`such as ${example}`]),
    ...(by === undefined ? [] : [`by the rule ${shortened(by)}`]),
    ...changes.map((change) => `to allow: ${changeText(change)}`),
  ]
  return [`  ${String(count).padStart(8)} × ${operation}`, ...more.map((line) => `             ${line}`)]
}

const MAX_CHARACTERS = 120
const shortened = (text: string): string => (text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`)

/** A change of a policy as text, such as `set spec.policy… to true`. */
export function changeText({ do: what, field, value }: Change): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value)
  if (what === 'remove') return value === undefined ? `remove ${field}` : `remove ${shown} from ${field}`
  return what === 'set' ? `set ${field} to ${shown}` : `add ${shown} to ${field}`
}

export const amount = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? '' : 's'}`
