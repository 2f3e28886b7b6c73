import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { isAlive } from '../../cluster/owner.ts'
import { eventually } from '../../cluster/wait.ts'
import { Guest, type GuestOptions } from './guest.ts'
import { NotAvailable } from './not-available.ts'

/** Boots a guest that the test stops itself; skips the test if the kernel is not available. */
async function bootOrSkip(test: Mocha.Context, options: Partial<GuestOptions> = {}): Promise<Guest> {
  try {
    return await Guest.boot({ kernel: '6.12', ...options })
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    console.warn(error.message)
    return test.skip()
  }
}

describe('commands in a guest', () => {
  let guest: Guest
  before(async function () {
    guest = await bootOrSkip(this)
  })
  after(() => guest?.stop())

  const rows: [title: string, command: string[], expected: { code: number; stdout?: string; stderr?: string }][] = [
    ['their exit status', ['sh', '-c', 'exit 7'], { code: 7, stdout: '' }],
    ['a signal that ended them', ['sh', '-c', 'kill -TERM $$'], { code: 143 }],
    ['both of their streams', ['sh', '-c', 'echo out; echo err >&2'], { code: 0, stdout: 'out\n', stderr: 'err\n' }],
    ['arguments as they are', ['printf', '%s|', 'a b', '', "'\n$x"], { code: 0, stdout: "a b||'\n$x|" }],
  ]
  for (const [title, command, expected] of rows) {
    it(`give ${title}`, async () => expect(await guest.run(command)).to.include(expected))
  }

  it('have the folder and the variables that they are given, and usual ones', async () => {
    const { stdout } = await guest.run(['sh', '-c', 'pwd; echo $COLOUR $HOME'], { cwd: '/tmp', env: { COLOUR: 'red' } })
    expect(stdout).to.equal('/tmp\nred /root\n')
  })

  it('say why they cannot be started', async () => {
    const error = await guest.run(['no-such-program']).catch((error: Error) => error)
    expect(error).to.be.instanceOf(Error).with.property('message', 'No such file or directory')
  })

  it('take and give more than any buffer holds', async () => {
    const input = Buffer.alloc(3_000_000, 'some bytes, ')
    const { stdout } = await guest.run(['sh', '-c', 'cat | sha256sum'], { input })
    expect(stdout).to.contain(createHash('sha256').update(input).digest('hex'))
    const copied = await guest.run(['cat'], { input })
    expect(copied.stdout.length).to.equal(input.length)
  })

  it('do not wait for a command whose output is not read, or that does not read its input', async () => {
    const noisy = guest.spawn(['yes'])
    const deaf = guest.spawn(['sleep', '1000'])
    deaf.stdin.write(Buffer.alloc(2_000_000))
    expect((await guest.run(['echo', 'here'])).stdout).to.equal('here\n')
    noisy.kill()
    deaf.kill('SIGTERM')
    expect(await deaf.exited).to.deep.equal({ code: 143, signal: 'SIGTERM' })
    expect(await noisy.exited).to.deep.equal({ code: 137, signal: 'SIGKILL' })
    noisy.stdout.destroy()
  })

  it('give their output as it comes', async () => {
    const asking = guest.spawn(['sh', '-c', 'echo name?; read name; echo hello $name'])
    const answers: string[] = []
    for await (const bytes of asking.stdout) {
      answers.push(String(bytes))
      if (answers.length === 1) asking.stdin.end('world\n')
    }
    expect(answers).to.deep.equal(['name?\n', 'hello world\n'])
  })

  it('end with all that they have started when they take too long', async () => {
    const error = await guest.run(['sh', '-c', 'sleep 4321 & sleep 4321'], { timeoutMs: 500 }).catch((error) => error)
    expect(error).to.be.instanceOf(Error).with.property('message').that.contains('took more than 500 ms')
    await eventually('the processes to go', async () => !(await guest.run(['ps'])).stdout.includes('sleep 4321'))
  })
})

describe('a guest that ends', () => {
  it('by a panic says so, with the end of its console, and so do its commands', async function () {
    const guest = await bootOrSkip(this)
    const waiting = guest.spawn(['sleep', '1000'])
    const output = text(waiting.stdout)
    guest.spawn(['sh', '-c', 'echo c > /proc/sysrq-trigger'])
    const error = await guest.ended
    expect(error?.message).to.match(/^kernel 6\.12 panicked: sysrq triggered crash\. The end of its console:\n(.*\n)+/)
    expect(await waiting.exited.catch((error) => error)).to.equal(error)
    expect(await output).to.equal('')
    expect(existsSync(guest.folder)).to.equal(false)
  })

  it('out of memory says so', async function () {
    const guest = await bootOrSkip(this, { memoryMiB: 384 })
    guest.spawn(['sh', '-c', 'for folder in /tmp /run /dev/shm; do dd if=/dev/zero of=$folder/full bs=1M; done'])
    expect((await guest.ended)?.message).to.contain('the guest (kernel 6.12) ran out of memory')
  })

  it('without a sign of life is ended', async function () {
    const guest = await bootOrSkip(this, { timeout: 1_000 })
    process.kill(guest.pid, 'SIGSTOP')
    expect((await guest.ended)?.message).to.contain('has given no sign of life for 1 s')
  })

  it('on purpose has no error', async function () {
    const guest = await bootOrSkip(this)
    await guest.stop()
    expect(await guest.ended).to.equal(undefined)
    expect(existsSync(guest.folder)).to.equal(false)
  })

  it('with the program that booted it leaves nothing behind', async function () {
    await (await bootOrSkip(this)).stop()
    const { owner, folder, pid } = await guestElsewhere()
    owner.kill('SIGKILL')
    await eventually('the guest to go', async () => !existsSync(folder) && !existsSync(`/proc/${pid}`))
    expect(isAlive({ pid, started: '' })).to.equal(false)
  })
})

const script = `
const { Guest } = await import('./test/kernel/guest/guest.ts')
const guest = await Guest.boot({ kernel: '6.12' })
console.log(JSON.stringify({ folder: guest.folder, pid: guest.pid }))
setInterval(() => undefined, 1000)
`

/** Boots a guest in a process of its own. */
async function guestElsewhere(): Promise<{ owner: ChildProcess; folder: string; pid: number }> {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '..', '..', '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const chunk of owner.stdout!)
    return { owner, ...(JSON.parse(String(chunk)) as { folder: string; pid: number }) }
  throw new Error('the guest did not boot')
}
