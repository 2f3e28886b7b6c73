import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { FIXTURES, ROOT, type Run, varmor } from '../cli/run.ts'

/** Folder of the sources, also for a test that was compiled beside a link to this file. */
const sources = dirname(realpathSync(join(ROOT, 'package.json')))

/** Tests of whole processes, which must pass with the bundles as with the sources. */
const ofRoles = ['test/cli/manager-and-agent.test.ts', 'test/cli/standalone.test.ts', 'test/agent/audit-only.test.ts']

function node(...args: string[]): Promise<Run> {
  return run(process.execPath, args)
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const child = spawn(command, args, {
    cwd: sources,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: Run = { status: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said.stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ ...said, status }))
  })
}

describe('bundles of an installation', () => {
  let folder: string
  let bundled: string[]
  const program = (): string => join(folder, 'varmor.js')

  before(async () => {
    folder = join(mkdtempSync(join(tmpdir(), 'varmor-bundles-')), 'bundles')
    const built = await node('--import', 'tsx', 'deploy/build-bundles.ts', folder)
    expect(built, built.stderr).to.include({ status: 0, stderr: '' })
    bundled = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).bundled
  })
  after(() => rmSync(join(folder, '..'), { recursive: true }))

  it('do what the sources do', async () => {
    const policy = join(FIXTURES, readdirSync(FIXTURES).sort()[0]!)
    for (const args of [
      ['version'],
      ['rules', 'disallow-mount'],
      ['compile', '-f', policy],
      ['validate', '-f', policy],
    ])
      expect(await node(program(), ...args), args.join(' ')).to.deep.equal(await varmor(args))
  })

  it('pass the tests of the roles: threads, native modules and files are found', async () => {
    const mocha = ['node_modules/mocha/bin/mocha.js', '--no-config', '--node-option', 'import=tsx', '--exit']
    const passed = await run(process.execPath, [...mocha, '--timeout', '120000', ...ofRoles], {
      VARMOR_PROGRAM: program(),
    })
    expect(passed, `${passed.stdout}${passed.stderr}`).to.include({ status: 0 })
  })

  it('have no sandbox, and no test', async () => {
    const { status, stderr } = await node(program(), 'sandbox')
    expect(status).to.equal(2)
    expect(stderr).to.match(/unknown command/)
    const maps = readdirSync(folder).filter((name) => name.endsWith('.js.map'))
    const paths = maps.flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).sources as string[])
    expect(paths.filter((path) => /src\/agent\/node-agent\.ts$/.test(path))).to.have.length(1)
    expect(paths.filter((path) => /(^|\/)(test|bench|src\/sandbox)\//.test(path))).to.deep.equal([])
    // The paths must not name a folder of the build machine.
    expect(paths.filter((path) => !/^(src|actors|native|node_modules|deploy)\//.test(path))).to.deep.equal([])
  })

  it('load for a role only what it uses', () => {
    const inputs = (name: string): string =>
      JSON.parse(readFileSync(join(folder, `${name}.js.map`), 'utf8')).sources.join('\n')
    expect(inputs('manager-command')).not.to.match(/grpc|client-node\/dist\/gen\/(apis|models)\/[A-Z]/)
    expect(inputs('agent-command')).not.to.match(/@peculiar|client-node\/dist\/gen\/(apis|models)\/[A-Z]/)
  })

  it('say whose code is in them, with the licenses', () => {
    const licenses = readFileSync(join(folder, 'THIRD-PARTY-LICENSES'), 'utf8')
    expect(bundled).to.include.members(['undici', 'piscina', 'pino'].map(installed))
    for (const which of bundled) expect(licenses).to.include(`${which.replace(/@(?=\d)/, ' ')}: `)
  })

  it('have a file for each command, beside the program that loads it', () => {
    for (const [, name] of readFileSync(program(), 'utf8').matchAll(/import\("\.\/([\w-]+\.js)"\)/g))
      expect(existsSync(join(folder, name!)), name).to.equal(true)
  })
})

const installed = (name: string): string =>
  `${name}@${JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version}`
