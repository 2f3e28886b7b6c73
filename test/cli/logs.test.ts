import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import { DigestWorld } from '../audit/digest/digest-world.ts'
import { linesOf, run as runBatch } from '../audit/harness.ts'
import { ManualClock } from '../audit/manual-clock.ts'
import { denial } from '../audit/pipeline-world.ts'
import { Child } from './child.ts'
import { ROOT, VARMOR, varmor } from './run.ts'

/** The lines that the agent writes for denials of these names. */
const violations = (...names: string[]): string =>
  linesOf(runBatch('auditlog', names.map((name) => denial(name)).join('')).output)
    .map((line) => `${line}\n`)
    .join('')

const targets = (stdout: string): (string | undefined)[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(/ {2,}/).at(-1))

describe('varmor logs', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-logs-'))
    path = join(folder, 'violations.log')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('prints one aligned line for each violation, without colour where it is no terminal', async () => {
    writeFileSync(`${path}.1`, violations('/old'))
    writeFileSync(path, violations('/a', '/b c'))
    const { status, stdout, stderr } = await varmor(['logs', '--file', path], '', { FORCE_COLOR: '1' })
    const start = '2025-02-24T07:14:24Z  DENIED  demo/demo-1-5bccf6777c-c8lzr/c1  demo/demo-1  cat[3811300]  open r  '
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' })
    expect(stdout).to.equal(`${start}/old\n${start}/a\n${start}"/b c"\n`)
  })

  it('prints the digest beside the log with --digest: first violations, and numbers of a minute', async () => {
    const world = new DigestWorld(new ManualClock(), 1)
    const scratch = new Scratch({ kinds: 'lines' })
    world.add(runBatch('auditlog', denial('/a').repeat(3) + denial('/b c'), {}, scratch))
    world.digest.close()
    writeFileSync(join(folder, 'violations-digest.log'), world.digestLog.text)
    writeFileSync(path, world.log.text)
    const [digest, log] = await Promise.all([
      varmor(['logs', '--digest', '--file', path, '-n', 'demo']),
      varmor(['logs', '--file', path, '-n', 'demo']),
    ])
    expect(digest).to.include({ status: 0, stderr: '' })
    const [a, b, numbers] = targets(digest.stdout)
    expect([a, b]).to.deep.equal(['/a', '"/b c"'])
    expect(numbers).to.match(/^4 events from=\S+ to=\S+ \[3 × DENIED open \/a\] \[1 × DENIED open "\/b c"\]$/)
    expect(log.stdout).to.match(/HELD .* held back ended {2}2 events .*\[2 × DENIED open \/a\]/)
  })

  it('prints the lines as they are with -o json, and only those that are asked for', async () => {
    const text = violations('/a', '/b', '/c')
    writeFileSync(path, `${text}${text.replaceAll('"podName":"demo', '"podName":"other')}`)
    const logs = (...args: string[]) => varmor(['logs', '--file', path, '-o', 'json', ...args])
    const [all, some, none, recent] = await Promise.all([
      logs(),
      logs('-n', 'demo', '--pod', 'demo-*', '--policy', 'demo/demo-1', '--action', 'denied', '--tail', '2'),
      logs('--action', 'AUDIT,ALLOWED'),
      logs('--since', '1h'),
    ])
    expect(all.stdout).to.equal(`${text}${text.replaceAll('"podName":"demo', '"podName":"other')}`)
    expect(some.stdout).to.equal(violations('/b', '/c'))
    for (const run of [none, recent]) expect(run).to.deep.equal({ status: 0, stdout: '', stderr: '' })
  })

  it('goes on over lines that are no violations, and ends with 1', async () => {
    writeFileSync(path, `${violations('/a')}odd\n${violations('/b')}`)
    const run = await varmor(['logs', '--file', path])
    expect(run).to.include({ status: 1, stderr: `${path}: line 2 is not JSON: odd\n` })
    expect(targets(run.stdout)).to.deep.equal(['/a', '/b'])
  })

  it('says what is wrong with its file, and what to do', async () => {
    const rows = [
      { file: join(folder, 'none.log'), says: /there is no such file.*--file FILE.*--follow/ },
      { file: join(folder, 'no', 'folder'), says: /there is no such file/ },
      { file: folder, says: /is a directory; name a file in it with --file/ },
      { file: '/dev/null', says: /is not a regular file; name a log with --file/ },
    ]
    for (const { file, says } of rows) {
      const run = await varmor(['logs', '--file', file])
      expect(run).to.include({ status: 1, stdout: '' })
      expect(run.stderr).to.match(says)
    }
  })

  for (const args of [['--tail', '-1'], ['--since', '5'], ['--action', 'refused'], ['-o', 'yaml'], ['more']])
    it(`refuses ${args.join(' ')}`, async () => {
      const run = await varmor(['logs', ...args])
      expect(run).to.include({ status: 2, stdout: '' })
      expect(run.stderr).to.match(/^error: /)
    })

  it('ends quietly when the reader of its output has seen enough', async () => {
    writeFileSync(path, violations('/a').repeat(20_000))
    const command = `"${process.execPath}" ${VARMOR.join(' ')} logs --file "${path}" | head -n 1`
    const child = spawn('bash', ['-c', `set -o pipefail; ${command} >/dev/null`], { cwd: ROOT, stdio: 'pipe' })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += String(text)
    })
    const [status] = await once(child, 'exit')
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' })
  })

  it('follows over rotation by rename and by copy, and ends with Ctrl-C', async () => {
    writeFileSync(path, violations('/1', '/2', '/3'))
    const child = new Child(['logs', '-f', '--tail', '1', '--file', path])
    try {
      await child.says(/\/3\n/)
      appendFileSync(path, violations('/4'))
      await child.says(/\/4\n/)
      renameSync(path, `${path}.1`)
      appendFileSync(`${path}.1`, violations('/5'))
      writeFileSync(path, violations('/6'))
      await child.says(/\/6\n/)
      copyFileSync(path, `${path}.1`)
      truncateSync(path)
      appendFileSync(path, violations('/7'))
      await child.says(/\/7\n/)
    } finally {
      expect(await child.end('SIGINT')).to.equal(0)
    }
    expect(targets(child.stdout)).to.deep.equal(['/3', '/4', '/5', '/6', '/7'])
    expect(child.stderr).to.equal('')
  })

  it('waits for a file that is not there yet, and says so', async () => {
    const late = join(folder, 'varmor', 'violations.log')
    const child = new Child(['logs', '-f', '--file', late])
    try {
      await child.says(/waiting for this file; the agent on this node writes it/)
      mkdirSync(join(folder, 'varmor'))
      writeFileSync(late, violations('/a'))
      await child.says(/\/a\n/)
    } finally {
      expect(await child.end('SIGTERM')).to.equal(0)
    }
    expect(targets(child.stdout)).to.deep.equal(['/a'])
  })
})
