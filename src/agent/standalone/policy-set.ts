import type { ProfileDocument } from '../../../actors/ports.ts'
import type { PolicyIdentity } from '../../audit/enrich/snapshot.ts'
import { policyOf } from '../profiles/wanted-profiles.ts'

/** A valid policy from one of the files. */
export interface HeldPolicy {
  /** Name of its file. */
  file: string
  /** The ArmorProfile that a cluster would have for it. */
  document: ProfileDocument
}

/** The policies of a file, or its problems, each with a remedy. */
export type FileContents = { policies: readonly HeldPolicy[] } | { problems: readonly string[] }

export interface PolicySet {
  /** Policies in force, by kind, namespace and name. */
  policies: ReadonlyMap<string, HeldPolicy>
  problems: readonly string[]
}

/** The policy that owns the profile. */
export function identityOf({ document }: HeldPolicy): PolicyIdentity {
  const identity = policyOf(document as Parameters<typeof policyOf>[0])
  if (identity === undefined) throw new Error(`no policy is the controller of ${document.metadata.name}`)
  return identity
}

/** Kind and name, such as `VarmorPolicy default/web`; also the key of the policy. */
export function titleOf(policy: HeldPolicy): string {
  const { kind, namespace, name } = identityOf(policy)
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`
}

/**
 * Determines the policies in force from the files. If a file has a mistake, its previous policies (`before`) stay in
 * force. If several policies have the same name or the same profile name, the policy that is already in force wins, or
 * else the policy of the first file.
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

/** Maximum policies with the same name that a message names. */
const maxNamed = 10

/** Chooses one policy for each name. */
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
