import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { neededPaths, secretFolderPaths, secretPaths } from '../kernel/end-to-end/own-profile-probe.ts'
import { findProgram } from '../kernel/guest/root-files.ts'
import { describeHelm } from './describe-helm.ts'

/** A path in the form in which the kernel shows it to AppArmor, after links are followed. */
const shown = (path: string): string => path.replace('/self/', '/42/').replace('/thread-self/', '/42/task/43/')

/** Converts an AppArmor glob to a regular expression; supports only the syntax of these rules. */
function patternOf(glob: string): RegExp {
  const text = glob
    .replaceAll('@{PROC}', '/proc')
    .replace(/[.+]/g, '\\$&')
    .replace(/\*\*|\*|[{},]/g, (word) => ({ '**': '.*', '*': '[^/]*', '{': '(?:', '}': ')', ',': '|' })[word]!)
  return new RegExp(`^${text}$`)
}

describeHelm(4, "The agent's own AppArmor profile", (helm) => {
  let text: string
  before(async () => {
    const found = (await helm().template({})).find(({ metadata }) => metadata.name === 'varmor-agent-confinement')
    text = (found as unknown as { data: { profile: string } }).data.profile
  })
  const rules = (): { isDenied: boolean; pattern: RegExp }[] => [
    // Rules of abstractions/base.
    { isDenied: false, pattern: patternOf('@{PROC}/[0-9]*/{maps,auxv,status}') },
    ...Array.from(text.matchAll(/^ *(deny |owner )?(@\{PROC\}\S+) \S*r\S*,$/gm), ([, word, glob]) => ({
      isDenied: word === 'deny ',
      pattern: patternOf(glob!),
    })),
  ]
  const reads = (path: string): boolean => {
    const found = rules().filter(({ pattern }) => pattern.test(shown(path)))
    return found.length > 0 && !found.some(({ isDenied }) => isDenied)
  }

  it('reads nothing that shows memory, environment, arguments or files of a process or thread, or memory of the kernel', () => {
    const folders = secretFolderPaths.flatMap((path) => [`${path}/`, `${path}/0`])
    expect([...secretPaths, ...folders].filter(reads)).to.deep.equal([])
  })

  it('reads what its work needs', () => {
    expect(neededPaths.filter((path) => !reads(path))).to.deep.equal([])
  })

  it('is compiled by a parser', function () {
    const parser = findProgram('apparmor_parser')
    if (parser === undefined) this.skip()
    const { status, stderr } = spawnSync(parser, ['--skip-kernel-load', '--skip-cache', '--abort-on-error'], {
      // The image has another parser with another features file.
      input: text.replace(/^abi .*$/m, ''),
      encoding: 'utf8',
    })
    expect(status, stderr).to.equal(0)
  })
})
