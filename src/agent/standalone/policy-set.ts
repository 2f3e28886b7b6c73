import type { ProfileDocument } from '../../../actors/ports.ts'
import type { PolicyIdentity } from '../../audit/enrich/snapshot.ts'
import { policyOf } from '../wanted-profiles.ts'

/** A policy that may be enforced, from one of the files. */
export interface HeldPolicy {
  /** Name of its file. */
  file: string
  /** What would be its ArmorProfile in a cluster. */
  document: ProfileDocument
}

/** What a file says, or what is wrong with it, each with what to do about it. */
export type FileContents = { policies: readonly HeldPolicy[] } | { problems: readonly string[] }

export interface PolicySet {
  /** Those in force, by what identifies them. */
  policies: ReadonlyMap<string, HeldPolicy>
  problems: readonly string[]
}

/** Whose profile it is. */
export function identityOf({ document }: HeldPolicy): PolicyIdentity {
  const identity = policyOf(document as Parameters<typeof policyOf>[0])
  if (identity === undefined) throw new Error(`no policy is the controller of ${document.metadata.name}`)
  return identity
}

/** `VarmorPolicy default/web`, which is the key of the policy, too. */
export function titleOf(policy: HeldPolicy): string {
  const { kind, namespace, name } = identityOf(policy)
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`
}

/**
 * What is in force, given the files: of one with a mistake, what it said before. Of several policies that are called
 * the same, or that have profiles of one name, the one that was in force before stays, else that of the first file
 * holds.
 * @param files by their names
 * @param before what was in force until now
 */
export function policySet(
  files: ReadonlyMap<string, FileContents>,
  before: ReadonlyMap<string, HeldPolicy>,
): PolicySet {
  const problems: string[] = []
  const all: HeldPolicy[] = []
  for (const [file, contents] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if ('policies' in contents) all.push(...contents.policies)
    else {
      const kept = [...before.values()].filter((policy) => policy.file === file)
      const stays = kept.length === 0 ? 'none of its policies is in force' : 'its previous policies stay in force'
      problems.push(...contents.problems.map((problem) => `${problem}; until this is corrected, ${stays}`))
      all.push(...kept)
    }
  }
  const named = chosen(all, before, titleOf, problems, 'the same policy', 'keep it in only one file')
  const policies = chosen(
    named,
    before,
    ({ document }) => document.metadata.name,
    problems,
    'policies whose profiles would have the same name',
    'rename one policy',
  )
  return { policies: new Map(policies.map((policy) => [titleOf(policy), policy])), problems }
}

/** Of those that are called the same. */
const maxNamed = 10

/** One policy for each name. */
function chosen(
  policies: readonly HeldPolicy[],
  before: ReadonlyMap<string, HeldPolicy>,
  nameOf: (policy: HeldPolicy) => string,
  problems: string[],
  what: string,
  remedy: string,
): HeldPolicy[] {
  const byName = new Map<string, HeldPolicy[]>()
  for (const policy of policies) {
    const those = byName.get(nameOf(policy))
    if (those === undefined) byName.set(nameOf(policy), [policy])
    else those.push(policy)
  }
  return [...byName.values()].map((those) => {
    const one = those.find((policy) => before.get(titleOf(policy))?.file === policy.file) ?? those[0]!
    if (those.length > 1) {
      const named = those.slice(0, maxNamed).map((policy) => `${titleOf(policy)} in ${policy.file}`)
      if (those.length > maxNamed) named.push(`${those.length - maxNamed} more`)
      const where = named.join(' and ')
      problems.push(`${where}: ${what}; the policy of ${one.file} is in force: ${remedy}`)
    }
    return one
  })
}
