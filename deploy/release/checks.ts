import { unreleasedNotes } from './changelog.ts'
import { compareVersions, parseVersion } from './version.ts'

/** The state of the repository that decides whether a release is possible. */
export interface RepositoryFacts {
  /** Lines of `git status --porcelain`. */
  changes: readonly string[]
  /** '' if HEAD is detached. */
  branch: string
  tags: readonly string[]
  /** The current version, from package.json. */
  version: string
  changelog: string
}

export const tagOf = (version: string): string => `v${version}`

const releaseBranch = 'main'

/** All reasons why this version cannot be released from this repository. */
export function refusals(version: string, facts: RepositoryFacts): string[] {
  const found = [...versionRefusals(version, facts)]
  const { changes, branch } = facts
  if (changes.length > 0)
    found.push(`the tree has changes; commit or remove them: ${changes.map((line) => line.slice(3)).join(', ')}`)
  if (branch !== releaseBranch)
    found.push(`the branch is ${branch === '' ? 'none (HEAD is detached)' : branch}; run: git switch ${releaseBranch}`)
  const reason = changelogRefusal(facts.changelog)
  return reason === undefined ? found : [...found, reason]
}

function* versionRefusals(version: string, { version: present, tags }: RepositoryFacts): Generator<string> {
  const wanted = parseVersion(version)
  if (wanted === undefined) {
    yield `${JSON.stringify(version)} is not a version MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE`
    return
  }
  const current = parseVersion(present)
  if (current === undefined) yield `package.json has ${JSON.stringify(present)}, which is not a version`
  else if (compareVersions(wanted, current) <= 0) yield `${version} is not greater than ${present}, the present version`
  if (tags.includes(tagOf(version))) yield `the tag ${tagOf(version)} exists; choose a later version`
}

function changelogRefusal(changelog: string): string | undefined {
  try {
    return unreleasedNotes(changelog) === ''
      ? 'the section "Unreleased" of CHANGELOG.md has no entries; list what users notice'
      : undefined
  } catch (error) {
    return (error as Error).message
  }
}
