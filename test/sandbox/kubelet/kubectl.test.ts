import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { image } from './real-node.ts'
import { shell, withSandboxNode } from './sandbox-node.ts'

interface Run {
  status: number | null
  stdout: string
  stderr: string
}

/** kubectl from the cluster tier's cache; undefined if that tier never ran. */
function findKubectl(): string | undefined {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'varmor/cluster')
  const folders = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('kubernetes-')) : []
  return folders.map((name) => join(cache, name, 'kubectl')).find(existsSync)
}

describe('kubectl and a node of the sandbox with a real containerd', () => {
  const kubectlPath = findKubectl()
  const world = withSandboxNode()
  const { create, until, running, remove } = world
  const needsKubectl = (test: Mocha.Context): void => {
    if (kubectlPath !== undefined) return
    console.log('      needs kubectl: run npm run test:cluster once, which builds it')
    test.skip()
  }
  const kubectl = (args: readonly string[], input?: string | Buffer): Promise<Run> =>
    new Promise((resolve, reject) => {
      const child = spawn(kubectlPath!, ['--kubeconfig', world.sandbox.kubeconfigPath, ...args])
      const run = { stdout: '', stderr: '' }
      child.stdout.on('data', (text) => {
        run.stdout += text
      })
      child.stderr.on('data', (text) => {
        run.stderr += text
      })
      child.once('error', reject)
      child.once('close', (status) => resolve({ ...run, status }))
      // The process may end before it has read its whole input.
      child.stdin.on('error', () => undefined)
      if (input !== undefined) child.stdin.end(input)
    })

  before(async function () {
    needsKubectl(this)
    await create('talk', {
      containers: [
        shell('echo one; echo two; echo three; exec sleep 1000'),
        { name: 'other', image, command: ['sleep', '1000'] },
      ],
    })
    await running('talk')
  })
  const exec = (flags: string, command: readonly string[], input?: string | Buffer): Promise<Run> =>
    kubectl(['exec', ...flags.split(' ').filter((one) => one !== ''), 'talk', '-c', 'main', '--', ...command], input)

  it('reads logs, and the last lines of them', async () => {
    expect((await kubectl(['logs', 'talk', '-c', 'main'])).stdout).to.equal('one\ntwo\nthree\n')
    expect((await kubectl(['logs', 'talk', '-c', 'main', '--tail=1'])).stdout).to.equal('three\n')
  })

  it('follows a log to the end of its container', async () => {
    await create('brief', {
      restartPolicy: 'Never',
      containers: [shell('for i in 1 2 3; do echo $i; sleep 0.3; done')],
    })
    await until('brief', 'running', ({ status }) => status?.phase === 'Running')
    expect(await kubectl(['logs', '--follow', 'brief'])).to.deep.equal({ status: 0, stdout: '1\n2\n3\n', stderr: '' })
    await remove('brief')
  })

  it('runs a command, with both outputs and the exit code', async () => {
    const run = await exec('', ['sh', '-c', 'echo out; echo err >&2; exit 42'])
    expect(run).to.deep.equal({ status: 42, stdout: 'out\n', stderr: 'err\ncommand terminated with exit code 42\n' })
  })

  it('ends the input of a command, which the command sees', async () => {
    expect(await exec('-i', ['cat'], 'x')).to.deep.equal({ status: 0, stdout: 'x', stderr: '' })
    expect(await exec('-i', ['wc', '-c'], '')).to.include({ status: 0, stdout: '0\n' })
  })

  it('carries much through a command without loss, either way', async () => {
    const bytes = Buffer.alloc(3_000_000, 'abcdefghij\n')
    const run = await exec('-i', ['cat'], bytes)
    expect(run.status).to.equal(0)
    expect(run.stdout === bytes.toString()).to.equal(true)
    expect((await exec('-i', ['md5sum'], bytes)).stdout).to.match(/^[0-9a-f]{32} {2}-\n$/)
  })

  it('says what went wrong with a command that cannot be started', async () => {
    const run = await exec('', ['/no/such'])
    expect(run.status).to.equal(1)
    expect(run.stderr).to.match(/\/no\/such/)
  })

  it('says which container there is not, and which does not run', async () => {
    const unknown = await kubectl(['exec', 'talk', '-c', 'nope', '--', 'true'])
    expect(unknown.stderr).to.match(/container nope (not found|is not valid)/)
    await create('over', { restartPolicy: 'Never', containers: [shell('true')] })
    await until('over', 'over', ({ status }) => status?.phase === 'Succeeded')
    const run = await kubectl(['exec', 'over', '--', 'true'])
    expect(run.status).to.equal(1)
    expect(run.stderr).to.match(/cannot exec into a container in a completed pod|container not found/)
    await remove('over')
  })

  it('gives a command a terminal of the size of the own window', async function () {
    if (spawnSync('script', ['--version']).error !== undefined) {
      console.log('      needs script (Debian package bsdutils)')
      this.skip()
    }
    const command = `stty rows 33 cols 77; '${kubectlPath}' --kubeconfig '${world.sandbox.kubeconfigPath}' exec -it talk -c main -- sh -c 'until stty size | grep -q 77; do sleep 0.1; done; stty size; tty; echo $TERM; exit 6'`
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'])
    let shown = ''
    child.stdout.on('data', (text) => {
      shown += text
    })
    const [status] = (await once(child, 'close')) as [number | null]
    expect(shown).to.match(/33 77\r\n\/dev\/pts\/\d+\r\nxterm/)
    expect(status).to.equal(6)
  })

  it('copies a file into a container and back', async () => {
    writeFileSync(join(world.real.folder, 'copied'), 'a file\n')
    const there = await kubectl(['cp', join(world.real.folder, 'copied'), 'talk:/tmp/copied', '-c', 'main'])
    expect(there).to.include({ status: 0, stderr: '' })
    const back = await kubectl(['cp', 'talk:/tmp/copied', join(world.real.folder, 'back'), '-c', 'main'])
    expect(back.status, back.stderr).to.equal(0)
  })
})
