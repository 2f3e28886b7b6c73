import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'

const rooms = ['src', 'actors', 'test', 'bench', 'deploy']

/** Imports name the sources, such as `./x.ts`; the compiled file is beside the source as `./x.js`. */
const compiledNames: Plugin = {
  name: 'compiled-names',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) => {
      if (kind === 'entry-point') return undefined
      return { path: /^\.\.?\/.*\.ts$/.test(path) ? path.replace(/ts$/, 'js') : path, external: true }
    })
  },
}

/** All files and links. `recursive` of `readdirSync` does not work: Node.js 24 enters linked folders, 20 does not. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : join(folder, entry.name),
  )

/**
 * Compiles the tree into a folder of the same shape, once per run; otherwise each process and thread would load the
 * compiler for every file. The folder has links to all other files, and to the sources for programs that read them.
 */
export async function compileTree(root: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(root))
    if (!rooms.includes(name) && !['dist', '.git'].includes(name)) symlinkSync(join(root, name), join(folder, name))
  const files = rooms.flatMap((room) => filesIn(join(root, room))).map((file) => relative(root, file))
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    symlinkSync(join(root, file), join(folder, file))
  }
  await build({
    entryPoints: files
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
      .map((file) => join(root, file)),
    outdir: folder,
    outbase: root,
    bundle: true, // calls the plugin for each import; the plugin bundles none
    treeShaking: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    plugins: [compiledNames],
    logLevel: 'warning',
  })
}

/** The path of a file's source, relative to the project's root. */
export const sourceOf = (file: string, folder: string): string => relative(folder, file).replace(/\.js$/, '.ts')
