import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from '../../cluster/command.ts'
import { subfolder } from './cache.ts'

/** Debian's own mirror. `VARMOR_DEBIAN_MIRROR` sets another mirror, with the folders `debian` and `debian-security`. */
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
 * apt with a separate folder for its lists, cache and package status. It reads any Debian suite on any machine,
 * verifies signatures with Debian's keyring, and neither sees nor changes installed packages.
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
      // apt's own user may not be able to read the folder.
      'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
      'Acquire::IndexTargets::deb::CNF::DefaultEnabled': 'false',
    }
    this.#options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  }

  /**
   * Reads the suites.
   * @throws if apt cannot fetch a suite, or Debian did not sign the suite
   */
  async update(): Promise<void> {
    await output('apt-get', [...this.#options, '-qq', '--error-on=any', 'update'])
  }

  /** Names of the packages that a package depends on; for alternatives, the first one. */
  async dependencies(name: string): Promise<string[]> {
    const text = await output('apt-cache', [...this.#options, 'depends', '--important', name])
    return [...text.matchAll(/^ {2}Depends: ([^\s<>]+)$/gm)].map(([, dependency]) => dependency!)
  }

  /** Fetches packages into a folder as `.deb` files; apt verifies them by the signed lists. */
  async download(names: readonly string[], folder: string): Promise<void> {
    await output('apt-get', [...this.#options, '-qq', 'download', ...names], { cwd: folder })
  }
}
