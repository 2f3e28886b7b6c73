import type { AppArmorFeatures } from '../context.ts'
import type { Statement } from './statement.ts'

// Rules of apparmor_parser 4.0 and newer. If an older node does not support a rule, `skipped` names the rule.

export const newerRules: ReadonlySet<string> = new Set(['userns', 'io_uring', 'mqueue', 'all'])

/** Accesses and conditions of each kind of rule (apparmor.d(5) of AppArmor 4). */
const forms: Record<string, { accesses: readonly string[]; conditions: readonly string[] }> = {
  userns: { accesses: ['create'], conditions: [] },
  io_uring: { accesses: ['sqpoll', 'override_creds'], conditions: ['label'] },
  mqueue: {
    accesses: ['create', 'open', 'delete', 'read', 'write', 'getattr', 'setattr', 'r', 'w', 'rw', 'wr'],
    conditions: ['type', 'label'],
  },
  all: { accesses: [], conditions: [] },
}

/** For each kind of rule: whether a node enforces it, and the requirement besides the parser. */
const needsOf: Record<string, { isKnown: (features: AppArmorFeatures) => boolean; kernel: string }> = {
  userns: { isKnown: ({ userns }) => userns, kernel: ' and Linux 6.7' },
  io_uring: { isKnown: ({ ioUring }) => ioUring, kernel: ' and Linux 6.7' },
  mqueue: { isKnown: ({ mqueue }) => mqueue, kernel: " and a kernel with Ubuntu's AppArmor" },
  all: { isKnown: ({ parser: [major] }) => major >= 4, kernel: '' },
}

function accessesOf(statement: Statement, keyword: string): string[] {
  const { next, following } = statement
  const { accesses } = forms[keyword]!
  if (next === undefined || accesses.length === 0 || following?.kind === '=') return []
  if (next.kind !== '(' && !accesses.includes(next.text)) return []
  const taken = statement.listOf(() => statement.oneOf(accesses, `access of a ${keyword} rule`))
  // After `userns` the parser accepts one access, but no list.
  return keyword === 'userns' ? ['create'] : [`(${taken.join(',')})`]
}

function conditionsOf(statement: Statement, keyword: string): string[] {
  const texts: string[] = []
  while (statement.following?.kind === '=') {
    const name = statement.oneOf(forms[keyword]!.conditions, `condition of a ${keyword} rule`)
    statement.take()
    texts.push(
      name === 'type' ? `type=${statement.oneOf(['posix', 'sysv'], 'type of queue')}` : `${name}=${statement.value()}`,
    )
  }
  return texts
}

function nameOf(statement: Statement, keyword: string): string[] {
  return keyword === 'mqueue' && statement.next !== undefined ? [statement.value()] : []
}

/** A rule of a newer kind. `needs`: what the node lacks for it. `isNewer`: the rule has no effect under the ABI 3.0. */
export function newerRule(
  statement: Statement,
  keyword: string,
  features: AppArmorFeatures,
): { text: string; isNewer: boolean; needs?: string } {
  const parts = [
    keyword,
    ...accessesOf(statement, keyword),
    ...conditionsOf(statement, keyword),
    ...nameOf(statement, keyword),
  ]
  const { isKnown, kernel } = needsOf[keyword]!
  return {
    text: parts.join(' '),
    isNewer: keyword !== 'all',
    ...(!isKnown(features) && { needs: `"${keyword}" rules need AppArmor 4.0${kernel}` }),
  }
}
