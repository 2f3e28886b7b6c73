/**
 * Bundles the programs that users install: one file for each role and thread, with source maps, and the licenses of
 * the bundled packages. The bundles do not contain the sandbox, tests or unused dependencies.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Each role has its own file, so that a role does not keep the code of other roles in memory. */
const roles = {
  varmor: 'src/cli/varmor-installed.ts',
  'manager-command': 'src/cli/manager-command.ts',
  'agent-command': 'src/cli/agent-command.ts',
  'uninstall-command': 'src/cli/uninstall-command.ts',
  'compile-command': 'src/cli/compile-command.ts',
  'validate-command': 'src/cli/validate-command.ts',
  'rules-command': 'src/cli/rules-command.ts',
  'decode-command': 'src/cli/decode-command.ts',
  'logs-command': 'src/cli/logs/logs-command.ts',
  'policy-test-command': 'src/cli/policy/policy-test-command.ts',
  'policy-diff-command': 'src/cli/policy/policy-diff-command.ts',
  'policy-advise-command': 'src/cli/policy/policy-advise-command.ts',
  'extend-command': 'src/cli/model/extend-command.ts',
}

/**
 * Entry modules of threads, and a module that a role loads by its path. Both modules of the decoding pool run in the
 * same thread and must share their module state, so they are bundled together.
 */
const threads = {
  'thread-entry': 'actors/runtime/placement/thread-entry.ts',
  thread: 'actors/compiler/thread.ts',
  jobs: 'actors/compiler/jobs.ts',
  'modeller-thread': 'src/agent/modeller/modeller-thread.ts',
  worker: 'src/audit/pool/worker.ts',
  'piscina-worker': 'node_modules/piscina/dist/worker.js',
}

/** Defines the names that CommonJS dependencies expect. */
const banner = `import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname`

/** Commands stay in separate files, beside the file that users run. */
const commandsApart: Plugin = {
  name: 'commands-apart',
  setup({ onResolve }) {
    onResolve({ filter: /-command\.ts$/ }, ({ kind, path }) => {
      if (kind !== 'dynamic-import') return undefined
      return { path: `./${path.split('/').at(-1)!.replace(/\.ts$/, '.js')}`, external: true }
    })
  },
}

/**
 * Replaces the only occurrence of a text.
 * @throws if it does not occur exactly once, because the dependency has changed
 */
function replaceOnce(file: string, before: string, after: string): string {
  const parts = readFileSync(file, 'utf8').split(before)
  if (parts.length !== 2) throw new Error(`${file}: ${before} is there ${parts.length - 1} times, not once`)
  return parts.join(after)
}

const clientNode = join(root, 'node_modules/@kubernetes/client-node/dist')

/** Replacements in dependencies: they find some files by their own path, and load files that we do not need. */
const dependencies: Plugin = {
  name: 'dependencies',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /\/piscina\/dist\/index\.js$/ }, ({ path }) => ({
      contents: replaceOnce(path, "'worker.js'", "'piscina-worker.js'"),
    }))
    // KubeConfig needs only two of the generated API classes. All classes would be half of the program.
    onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ importer }) =>
      importer.endsWith('/client-node/dist/config.js') ? { path: importer, namespace: 'client-node-gen' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'client-node-gen' }, ({ path }) => ({
      contents: `export { createConfiguration } from './gen/configuration.js'\nexport { ServerConfiguration } from './gen/servers.js'`,
      resolveDir: dirname(path),
    }))
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: join(clientNode, 'config.js') }))
  },
}

const shared = (folder: string): BuildOptions => ({
  absWorkingDir: root,
  outdir: folder,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  banner: { js: banner },
  sourcemap: 'linked',
  // Leave the text of the sources out: with it, the source maps would be half of our files in the image.
  sourcesContent: false,
  // The complete licenses are in a separate file.
  legalComments: 'none',
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [commandsApart, dependencies],
  // piscina needs this module only to set the nice values of threads, which we do not set.
  external: ['@napi-rs/nice'],
  metafile: true,
  logLevel: 'warning',
})

/**
 * Modules of processes and modules of threads, by the names of their output files. Several thread modules may run in
 * one thread.
 */
export interface Programs {
  roles: Record<string, string>
  threads: Record<string, string>
}

/** The programs of an installation. */
export const installed: Programs = { roles, threads }

/**
 * Creates the bundles.
 * @param folder for the output; its existing content is removed
 * @returns the node_modules packages that they contain, with versions
 * @throws esbuild's errors
 */
export async function buildBundles(folder: string, { roles, threads }: Programs = installed): Promise<string[]> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const built = await Promise.all([
    build({ ...shared(folder), entryPoints: roles }),
    build({ ...shared(folder), entryPoints: threads, splitting: true, chunkNames: 'shared-[hash]' }),
  ])
  nameSources(folder)
  const folders = packageFolders(built.map(({ metafile }) => metafile as Metafile))
  const { version, license } = packageAt(root)
  // This is not `dependencies`, because a package may be bundled in several versions.
  const bundled = folders.map(packageAt).map(({ name, version }) => `${name}@${version}`)
  const description = { name: 'varmor', version, license, type: 'module', private: true, bundled }
  // The program finds its version and the native modules relative to this file.
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(description, null, 2)}\n`)
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES'), folders.map(licensesOf).join('\n'))
  return bundled
}

/** Names sources relative to the project in source maps, so that the output does not depend on its location. */
function nameSources(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.map'))) {
    const file = join(folder, name)
    const map = JSON.parse(readFileSync(file, 'utf8')) as { sources: string[] }
    const sources = map.sources.map((source) => relative(root, resolve(folder, source.replace(/^[\w-]+:/, ''))))
    writeFileSync(file, JSON.stringify({ ...map, sources }))
  }
}

interface Package {
  name: string
  version: string
  license?: string
}

const packageAt = (folder: string): Package => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** Folders of all packages with bundled code. */
function packageFolders(metafiles: readonly Metafile[]): string[] {
  const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs))
  const files = outputs.flatMap(({ inputs }) => Object.keys(inputs).map((path) => path.replace(/^[\w-]+:/, '')))
  const folders = files.flatMap((path) => /.*node_modules\/(?:@[^/]+\/[^/]+|[^/]+)(?=\/)/.exec(path)?.[0] ?? [])
  return [...new Set(folders.map((path) => resolve(root, path)))].sort()
}

/** Name and version, then the package's license text. */
function licensesOf(folder: string): string {
  const { name, version, license = 'no license named' } = packageAt(folder)
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim())
  return [`${name} ${version}: ${license}`, ...texts, ''].join('\n\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(root, 'dist', 'bundles'))
  const packages = await buildBundles(folder)
  console.log(`${relative(process.cwd(), folder)}: with ${packages.length} packages: ${packages.join(' ')}`)
}
