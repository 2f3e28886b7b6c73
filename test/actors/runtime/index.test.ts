import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import ts from 'typescript'
import * as room from '../../../actors/runtime/index.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The project's own compiler options, for files in another folder. */
function strictOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, { types: ['node'] })
  return { ...options, typeRoots: [join(root, 'node_modules/@types')] }
}

describe('the room', () => {
  it('has one place to import from', () => {
    expect(room).to.include.all.keys(
      ...['ActorSystem', 'AskError', 'assertNever', 'deadLetterReasons', 'Simulation', 'SimulatedClock'],
    )
  })

  describe('README’s example, copied to a file in actors/', () => {
    let folder: string
    let file: string

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'varmor-readme-'))
      file = join(folder, 'actors/example.ts')
      const readme = await readFile(join(root, 'actors/runtime/README.md'), 'utf8')
      const [, example] = /^```ts\n(.*?)^```$/ms.exec(readme)!
      await mkdir(join(folder, 'actors'))
      await writeFile(file, example!)
      await writeFile(join(folder, 'package.json'), '{"type":"module"}')
      await mkdir(join(folder, 'src'))
      for (const room of ['actors/runtime', 'src/base']) await symlink(join(root, room), join(folder, room), 'dir')
      await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
    })

    after(() => rm(folder, { recursive: true, force: true }))

    it('compiles under the project’s own options', () => {
      const problems = ts.getPreEmitDiagnostics(ts.createProgram([file], strictOptions()))
      expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).to.deep.equal([])
    })

    it('runs, prints what its comments say, and ends by itself', async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], { cwd: folder })
      expect(stdout.trim().split('\n')).to.deep.equal(['{ loaded: 3 }'])
    })
  })
})
