import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT, VARMOR } from './cli/run.ts'
import { probe, result } from './cluster/command.ts'

const page = readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8')
const ownFolder = '/tmp/varmor-tutorial'

type Step =
  | { kind: 'run'; script: string }
  /** Lines that the previous commands print. */
  | { kind: 'prints'; lines: string[] }
  | { kind: 'save'; file: string; text: string }

/** The steps of the page in order: commands, their output, and files to save. */
function steps(folder: string): Step[] {
  return Array.from(page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm), ({ 1: language, 2: text = '', index }): Step => {
    const inFolder = text.replaceAll(ownFolder, folder)
    if (language === 'sh') return { kind: 'run', script: inFolder }
    if (language === 'text') return { kind: 'prints', lines: text.trimEnd().split('\n') }
    const [file] = /`[^`]+\/([\w.-]+)`:\n\n$/.exec(page.slice(0, index))?.slice(1) ?? []
    return { kind: 'save', file: join(folder, file!), text }
  })
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
const isThere = probe('kubectl', 'version', '--client') !== undefined

describe(`docs/tutorial.md${isThere ? '' : ' (skipped: needs kubectl)'}`, () => {
  let folder: string
  let sandbox: ChildProcess | undefined
  before(function () {
    if (!isThere) return this.skip()
    folder = mkdtempSync(join(tmpdir(), 'varmor-tutorial-'))
  })
  after(async () => {
    await stopSandbox()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  /** Stops the sandbox as Ctrl-C does. */
  async function stopSandbox(): Promise<void> {
    if (sandbox === undefined || sandbox.exitCode !== null) return
    const ended = new Promise((resolve) => sandbox!.once('close', resolve))
    sandbox.kill('SIGINT')
    await ended
  }

  /** Starts the page's sandbox, and waits until it prints how to use it. */
  async function startSandbox(command: string): Promise<void> {
    const words = command.trim().split(' ').slice(1)
    sandbox = spawn(process.execPath, [...VARMOR, ...words], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    await new Promise<void>((resolve, reject) => {
      sandbox!.once('exit', () => reject(new Error(`the sandbox has ended: ${printed}`)))
      sandbox!.stdout!.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        if (printed.includes('KUBECONFIG=')) resolve()
      })
    })
  }

  it('leads from nothing to a model, by its commands as they stand', async function () {
    this.timeout(600_000)
    // The page builds the program that this process runs, so a shell function replaces it.
    const program = [process.execPath, ...VARMOR].map(quoted).join(' ')
    const shell = `set -e\nvarmor() { ${program} "$@"; }\nexport KUBECONFIG=${join(folder, 'cluster', 'kubeconfig')}\n`
    let printed = ''
    for (const step of steps(folder)) {
      if (step.kind === 'save') writeFileSync(step.file, step.text)
      else if (step.kind === 'prints') for (const line of step.lines) expect(printed).to.include(line)
      else if (step.script.startsWith('npm ci')) continue
      else if (step.script.startsWith('varmor sandbox')) await startSandbox(step.script)
      else {
        if (step.script.startsWith('rm ')) await stopSandbox()
        const { status, stdout, stderr } = await result('sh', ['-c', shell + step.script], { cwd: ROOT })
        expect(status, `${step.script}${stdout}${stderr}`).to.equal(0)
        printed = stdout
      }
    }
  })
})
