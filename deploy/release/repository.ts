import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RepositoryFacts, tagOf } from './checks.ts'
import { run } from './command.ts'
import { filesWithVersion, movedFiles, type VersionMove } from './moved-files.ts'
import { sourceAddress } from './reference.ts'

const git = (folder: string, ...args: string[]): Promise<string> => run('git', args, { cwd: folder })
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

/** What `refusals` needs to know about the repository in this folder. */
export async function repositoryFacts(folder: string): Promise<RepositoryFacts> {
  const changelog = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const [changes, branch, tags] = await Promise.all([
    git(folder, 'status', '--porcelain'),
    git(folder, 'branch', '--show-current'),
    git(folder, 'tag', '--list'),
  ])
  return { changes: lines(changes), branch, tags: lines(tags), version, changelog }
}

/** The address at which people read the repository, if its remote `origin` has such an address. */
export async function sourceOfRepository(folder: string): Promise<string | undefined> {
  const remotes = lines(await git(folder, 'remote'))
  return remotes.includes('origin') ? sourceAddress(await git(folder, 'remote', 'get-url', 'origin')) : undefined
}

/** A commit with the new version, in a worktree of its own. The branch does not have the commit before `publish`. */
export class ReleaseCommit {
  /** The worktree, from which the release is built. */
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-release-'))
  readonly #repository: string

  constructor(repository: string) {
    this.#repository = repository
  }

  /** @returns the commit's hash */
  async create(move: VersionMove): Promise<string> {
    await git(this.#repository, 'worktree', 'add', '--quiet', '--detach', this.folder)
    const texts = filesWithVersion.map((path) => [path, readFileSync(join(this.folder, path), 'utf8')])
    for (const [path, text] of Object.entries(movedFiles(Object.fromEntries(texts), move)))
      writeFileSync(join(this.folder, path), text)
    const body = `Move the version from ${move.from} to ${move.version}, and date the section of\nCHANGELOG.md.`
    await git(this.folder, 'commit', '--quiet', '--all', '-m', `release: ${move.version}`, '-m', body)
    return git(this.folder, 'rev-parse', 'HEAD')
  }

  /** Gives the branch the commit, and the commit its tag. */
  async publish(version: string, notes: string): Promise<void> {
    const commit = await git(this.folder, 'rev-parse', 'HEAD')
    await git(this.#repository, 'merge', '--quiet', '--ff-only', commit)
    // Git would take lines that start with # for comments.
    const message = `vArmor ${version}\n\n${notes}`
    await git(this.#repository, 'tag', '--annotate', '--cleanup=verbatim', '-m', message, tagOf(version), commit)
  }

  async end(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true })
    await git(this.#repository, 'worktree', 'prune')
  }
}
