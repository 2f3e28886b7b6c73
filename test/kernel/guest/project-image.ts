import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, parse } from 'node:path'
import { build } from 'esbuild'
import { output } from '../../cluster/command.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { ensureBpfObjects } from './bpf-object.ts'
import { bundledVarmor } from './bundled-varmor.ts'
import { digest, kernelCached, subfolder } from './cache.ts'
import { makeSquashfs } from './squashfs.ts'

const project = join(import.meta.dirname, '..', '..', '..')
const addon = 'native/addon/build/Release'
const sourceFolders = ['src', 'actors', 'test', 'deploy']

/** All project files in the guest, by path below the project. */
function projectFiles(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(project, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(project.length + 1))
  const native = existsSync(join(project, addon)) ? readdirSync(join(project, addon)) : []
  const addons = native.filter((name) => name.endsWith('.node')).map((name) => `${addon}/${name}`)
  return ['package.json', ...sourceFolders.flatMap(below), ...addons].sort()
}

const isSource = (path: string): boolean => path.endsWith('.ts') && !path.endsWith('.d.ts')

/**
 * Compiles each file to a `.js` file of the same name. Code that looks for files beside itself finds them, and an
 * emulated CPU need not run tsx at each start.
 */
async function compile(sources: readonly string[], target: string): Promise<void> {
  await build({
    absWorkingDir: project,
    entryPoints: [...sources],
    outdir: target,
    outbase: project,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // esbuild visits imports only with this option; the plugin bundles no import.
    bundle: true,
    logLevel: 'silent',
    plugins: [
      {
        name: 'imports stay, and name what is compiled',
        setup(context) {
          context.onResolve({ filter: /^\.{1,2}\// }, ({ path, kind }) =>
            kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
          )
        },
      },
    ],
  })
}

/** Packages that load their own files by path. */
const notBundled = ['piscina', 'pino', 'bindings']

/** Globals for packages that are not ES modules. The sources must not use these names. */
const commonJs = `import { createRequire as $createRequire } from 'node:module'
import { dirname as $dirname } from 'node:path'
import { fileURLToPath as $fileURLToPath } from 'node:url'
const require = $createRequire(import.meta.url), __filename = $fileURLToPath(import.meta.url), __dirname = $dirname(__filename)`

async function bundle(target: string): Promise<void> {
  const { dir, name } = parse(bundledVarmor.slice('/varmor/'.length))
  await build({
    absWorkingDir: project,
    // Compilers and their threads also load files beside the file that starts them.
    entryPoints: [
      { in: 'src/cli/varmor.ts', out: name },
      { in: 'actors/runtime/placement/thread-entry.ts', out: 'thread-entry' },
      { in: 'actors/compiler/thread.ts', out: 'thread' },
      { in: 'actors/compiler/jobs.ts', out: 'jobs' },
    ],
    outdir: join(target, dir),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    external: notBundled,
    banner: { js: commonJs },
    logLevel: 'error',
  })
}

/** The image of the compiled project: mounted at /varmor, with an empty node_modules as mount point. */
export async function ensureProjectImage(log: StepLog): Promise<string> {
  const files = projectFiles()
  const lock = readFileSync(join(project, 'package-lock.json'))
  const objects = await ensureBpfObjects(log)
  const programs =
    objects === undefined ? [] : readdirSync(objects).map((name) => ({ name, path: join(objects, name) }))
  const contents = [...programs.map(({ path }) => readFileSync(path)), lock]
  const key = digest('layout 5', ...contents, ...files.flatMap((path) => [path, readFileSync(join(project, path))]))
  const folder = await kernelCached('project', key, (draft) =>
    measured(log, 'image of the project', async () => {
      const root = subfolder(draft, 'root')
      subfolder(root, 'node_modules')
      await compile(files.filter(isSource), root)
      await bundle(root)
      for (const path of files.filter((path) => !isSource(path))) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        copyFileSync(join(project, path), join(root, path))
      }
      const built = subfolder(root, 'native', 'bpf', 'build')
      for (const { name, path } of programs) copyFileSync(path, join(built, name))
      // Finds duplicate names in the bundle here, before they fail in a guest.
      await output(process.execPath, ['--check', join(root, bundledVarmor.slice('/varmor/'.length))])
      await makeSquashfs(root, join(draft, 'project.squashfs'))
      rmSync(root, { recursive: true })
    }),
  )
  return join(folder, 'project.squashfs')
}
