import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
}

/** Compiles one file of the project to the same relative path under `to`. */
async function compile(file: string, to: string): Promise<void> {
  const { outputText } = ts.transpileModule(await readFile(join(root, file), 'utf8'), { compilerOptions })
  const target = join(to, file.replace(/\.ts$/, '.js'))
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, outputText)
}

const main = `
import { ActorSystem } from './actors/runtime/system.js'
const system = new ActorSystem()
const module = new URL('./test/actors/runtime/placement/furnished-thread.js', import.meta.url)
const thread = system.thread('t', { module, families: ['keeper'], data: { greeting: 'compiled' } })
console.log(JSON.stringify(await thread.family('keeper').of('k').ask({ type: 'where' }, { timeout: 240000 })))
await system.stop()
`

describe('thread, compiled', () => {
  it('runs under plain Node.js', async () => {
    const to = await mkdtemp(join(tmpdir(), 'varmor-compiled-'))
    try {
      for (const room of ['actors/runtime', 'src/base']) {
        const files = await readdir(join(root, room), { recursive: true })
        for (const file of files) if (file.endsWith('.ts')) await compile(join(room, file), to)
      }
      await compile('test/actors/runtime/placement/furnished-thread.ts', to)
      await symlink(join(root, 'node_modules'), join(to, 'node_modules'), 'dir')
      await writeFile(join(to, 'package.json'), '{"type":"module"}')
      await writeFile(join(to, 'main.js'), main)
      const { stdout } = await promisify(execFile)(process.execPath, ['main.js'], { cwd: to, env: {} })
      expect(JSON.parse(stdout)).to.deep.equal({ greeting: 'compiled', key: 'k' })
    } finally {
      await rm(to, { recursive: true, force: true })
    }
  })
})
