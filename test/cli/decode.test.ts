import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkLine } from '../audit/check-line.ts'
import { denial } from '../audit/pipeline-world.ts'
import { ROOT, VARMOR, varmor } from './run.ts'

const parsed = (stdout: string) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => checkLine(line) as { event: Record<string, unknown> } & Record<string, unknown>)
const broken = 'type=AVC msg=audit(odd): apparmor="DENIED" profile="varmor-demo-demo-1" name="/x\u001b[2J"\n'
const foreign = denial('/f').replace('varmor-demo-demo-1', 'snap.firefox')

describe('varmor decode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-decode-'))
  const file = (name: string, text: string | Uint8Array): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  after(() => rmSync(folder, { recursive: true }))

  it('prints the violations of a file, and of standard input, as the agent writes them', async () => {
    const log = `noise\n${denial('/a')}${foreign}${denial('/b')}`
    for (const run of [
      await varmor(['decode', file('audit.log', log)]),
      await varmor(['decode', '-'], log),
      await varmor(['decode'], log),
    ]) {
      expect(run).to.include({ status: 0, stderr: '' })
      expect(parsed(run.stdout).map(({ event }) => event.name)).to.deep.equal(['/a', '/b'])
    }
  })

  it('prints events of strange profiles when asked to', async () => {
    const { stdout } = await varmor(['decode', '--all'], foreign)
    expect(parsed(stdout).map(({ profileName }) => profileName)).to.deep.equal(['snap.firefox'])
  })

  it('puts what it cannot decode on standard error, with its number and without its control characters', async () => {
    const run = await varmor(['decode'], `${denial('/a')}noise\n${broken}${denial('/b')}${broken}`)
    expect(run.status).to.equal(1)
    expect(parsed(run.stdout)).to.have.length(2)
    const complaints = run.stderr.split('\n').slice(0, -1)
    expect(complaints.map((line) => /line (\d+) cannot/.exec(line)?.[1])).to.deep.equal(['3', '5'])
    expect(run.stderr).not.to.include('\u001b')
  })

  it('counts lines, not records, in a log of /dev/kmsg', async () => {
    const record = (text: string) =>
      `5,1,2,-;audit: ${text.replace('msg=', '')} SUBSYSTEM=x\n`.replace('\n SUB', '\n SUB')
    const run = await varmor(
      ['decode', '--source', 'kmsg'],
      record(denial('/a')) + record(broken) + record(denial('/b')),
    )
    expect(parsed(run.stdout).map(({ event }) => event.name)).to.deep.equal(['/a', '/b'])
    expect(run.stderr).to.include('line 3 cannot')
  })

  for (const [what, args, input, says] of [
    [
      'of dmesg read as /dev/kmsg',
      ['--source', 'kmsg'],
      `[   12.345678] ${denial('/a').replace('msg=', '')}`,
      /: 1 lines.*leave out --source/,
    ],
    ['that is no audit log', [], 'hello\nworld\n', /^standard input: 2 lines, but no violation of vArmor's profiles: /],
    ['of other profiles alone', [], foreign, /--all also prints events of other profiles/],
  ] as const)
    it(`says that it has found nothing in a log ${what}`, async () => {
      const run = await varmor(['decode', ...args], input)
      expect(run).to.include({ status: 0, stdout: '' })
      expect(run.stderr).to.match(says)
    })

  it('says nothing of an empty log', async () => {
    expect(await varmor(['decode'], '')).to.include({ status: 0, stdout: '', stderr: '' })
  })

  it('adds the container and policy of a file', async () => {
    const contents = {
      containers: [{ containerID: 'c1', podName: 'web', initPid: 3811300 }],
      policies: [{ profileName: 'varmor-demo-demo-1', kind: 'VarmorClusterPolicy', name: 'demo-1' }],
    }
    const { stdout } = await varmor(
      ['decode', '--containers', file('containers.json', JSON.stringify(contents))],
      denial('/a'),
    )
    expect(parsed(stdout)[0]).to.include({
      containerID: 'c1',
      podName: 'web',
      policyKind: 'VarmorClusterPolicy',
      policyNamespace: '',
    })
  })

  it('says what is wrong with its files', async () => {
    const bad = file('bad.json', '{"containers":[{"containerID":5,"pod":"x"}]}')
    const rows = [
      { args: [join(folder, 'none')], says: /no such file/ },
      { args: [folder], says: /directory/ },
      { args: ['--containers', bad], says: /containers\[0\]\.containerID[\s\S]*containers\[0\]\.pod: no such field/ },
      { args: ['--containers', join(folder, 'none')], says: /no such file/ },
    ]
    for (const { args, says } of rows) {
      const run = await varmor(['decode', ...args])
      expect(run).to.include({ status: 1, stdout: '' })
      expect(run.stderr).to.match(says)
    }
    expect((await varmor(['decode', '--source', 'odd'])).status).to.equal(2)
  })

  it('ends quietly when the reader of its output has seen enough', async () => {
    const big = file('big.log', denial('/a').repeat(20_000))
    const command = `"${process.execPath}" ${VARMOR.join(' ')} decode "${big}" | head -n 1`
    const child = spawn('bash', ['-c', `set -o pipefail; ${command} >/dev/null`], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += String(text)
    })
    const [status] = await once(child, 'exit')
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' })
  })

  it('takes bytes of any kind', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 256))
    const run = await varmor(['decode'], bytes)
    expect(run.status).to.be.oneOf([0, 1])
    const records = await varmor(['decode', '--source', 'record'], bytes)
    expect(records).to.include({ status: 1, stdout: '' })
    expect(records.stderr).to.match(/record 1 cannot be decoded/)
  })
})
