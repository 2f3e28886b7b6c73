import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from '../../cluster/command.ts'
import { subfolder } from './cache.ts'

/** Debian's own; `VARMOR_DEBIAN_MIRROR` names another, below which `debian` and `debian-security` are. */
export const mirror = (): string => process.env['VARMOR_DEBIAN_MIRROR'] ?? 'http://deb.debian.org'

export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

const securitySuite = /-security$/

const stanza = (suite: string): string =>
  [
    'Types: deb',
    `URIs: ${mirror()}/${securitySuite.test(suite) ? 'debian-security' : 'debian'}`,
    `Suites: ${suite}`,
    'Components: main',
    `Signed-By: ${debianKeyring}`,
  ].join('\n')

/**
 * apt with lists, cache and package status of its own, in a folder: it reads any suite of Debian, whatever this machine
 * runs, verifies it by Debian's keyring, and can neither see nor change what is installed.
 */
export class Apt {
  #options: string[]

  constructor(folder: string, suites: readonly string[]) {
    subfolder(folder, 'lists', 'partial')
    subfolder(folder, 'cache', 'archives', 'partial')
    subfolder(folder, 'none')
    const sources = join(folder, 'debian.sources')
    writeFileSync(sources, `${suites.map(stanza).join('\n\n')}\n`)
    writeFileSync(join(folder, 'status'), '')
    const settings = {
      'Dir::State': folder,
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': join(folder, 'cache'),
      'Dir::Etc::sourcelist': sources,
      'Dir::Etc::sourceparts': '-',
      'Dir::Etc::preferencesparts': join(folder, 'none'),
      'APT::Architecture': 'amd64',
      'APT::Architectures::': 'amd64',
      // The folder may lie where apt's own user does not reach.
      'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
      'Acquire::IndexTargets::deb::CNF::DefaultEnabled': 'false',
    }
    this.#options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  }

  /** Reads the suites. @throws if they cannot be had, or their signature is not Debian's */
  async update(): Promise<void> {
    await output('apt-get', [...this.#options, '-qq', '--error-on=any', 'update'])
  }

  /** What a package needs, by name; of alternatives the first. */
  async dependencies(name: string): Promise<string[]> {
    const text = await output('apt-cache', [...this.#options, 'depends', '--important', name])
    return [...text.matchAll(/^ {2}Depends: ([^\s<>]+)$/gm)].map(([, dependency]) => dependency!)
  }

  /** Fetches packages into a folder as `.deb` files, which apt has compared with the signed lists. */
  async download(names: readonly string[], folder: string): Promise<void> {
    await output('apt-get', [...this.#options, '-qq', 'download', ...names], { cwd: folder })
  }
}
