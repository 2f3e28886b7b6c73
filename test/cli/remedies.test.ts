import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { agentOptions } from '../../src/options/agent.ts'
import { managerOptions } from '../../src/options/manager.ts'
import { flagOf, type OptionTable } from '../../src/options/option.ts'
import { sandboxNodeOptions, sandboxOptions } from '../../src/options/sandbox.ts'
import { uninstallOptions } from '../../src/options/uninstall.ts'
import { ROOT } from './run.ts'

/** Flags of other programs, and texts that only look like flags. */
const others = [
  'BEGIN',
  'END',
  'import',
  'left',
  'place',
  'help',
  'cache-loc',
  'jobs',
  'skip-read-cache',
  'skip-cache',
  'skip-kernel-load',
  'stdout',
  'write-cache',
  'remove',
  'replace',
  'timeout',
  'cpu',
]
/** Flags of Node.js and V8. A program sets them; users do not type them. */
const engine = ['expose-gc', 'no-expose-gc', 'no-experimental-require-module', 'no-warnings']
/** Flags of the programs that start containers: nerdctl, docker and ctr. */
const runtimes = ['security-opt', 'apparmor-profile', 'seccomp', 'seccomp-profile', 'name']
const helms = ['atomic', 'kube-version', 'no-hooks', 'rollback-on-failure', 'take-ownership']
const apiServers = ['admission-control-config-file']
const dockers = ['build-arg', 'format']
const npms = ['no-save', 'legacy-peer-deps']
const kubectls = ['for', 'field-selector', 'server-side', 'previous', 'type', 'validate', 'raw', 'minify', 'flatten']

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
/** The text of a file without commands of other programs. */
const ours = (file: string): string =>
  read(file).replace(/^(?: {4,})?(kubectl|helm|docker|cosign|sha256sum) (?:.*\\\n)*.*$|`npm run [^`]*`/gm, '')
const sources = (): string[] =>
  ['src', 'actors'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(room, file)),
  )

const documents = (): string[] => [
  ...['README.md', 'src/profile/LIMITS.md', 'deploy/helm/varmor/README.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** Commands for users to type, with the file that names them. */
function found(pattern: RegExp): [word: string, file: string][] {
  return [...sources(), ...documents()].flatMap((file) =>
    [...ours(file).matchAll(pattern)].map(([, word = '']): [string, string] => [word, file]),
  )
}

describe('what messages and documents advise', () => {
  const program = ['program', 'roles', 'sandbox-roles', 'policy/add-policy', 'model/program']
    .map((name) => read(`src/cli/${name}.ts`))
    .join('')

  it('names flags that there are', () => {
    const tables = [managerOptions, agentOptions, uninstallOptions, sandboxOptions, sandboxNodeOptions]
    const declared = tables.flatMap((table: OptionTable) =>
      Object.entries(table).map(([key, option]) => flagOf(key, option)),
    )
    const known = new Set([...declared, ...[...program.matchAll(/--([A-Za-z][\w-]*)/g)].map(([, name]) => name)])
    const unknown = found(/(?<=[\s'"`])--([A-Za-z][A-Za-z-]+)/g).filter(
      ([name]) =>
        !known.has(name) &&
        ![...others, ...engine, ...helms, ...apiServers, ...kubectls, ...runtimes, ...dockers, ...npms].includes(name),
    )
    expect(known.size).to.be.greaterThan(50)
    expect(unknown).to.deep.equal([])
  })

  it('names commands that there are', () => {
    const known = new Set([...program.matchAll(/\.command\('([a-z-]+)/g)].map(([, name]) => name))
    const advised = found(/(?<!['/])\bvarmor (?=[a-z])([a-z-]+)(?= (?:FILE|-|shows)|`)/g)
    expect(advised.length).to.be.greaterThan(5)
    expect(advised.filter(([name]) => !known.has(name))).to.deep.equal([])
  })
})
