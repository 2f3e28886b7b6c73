import { type ChildProcess, spawn } from 'node:child_process'
import { expect } from 'chai'
import { nodeArguments } from '../run/as-run.ts'
import { LeaseServer } from './lease-server.ts'
import { until } from './scripted-server.ts'

describe('kube leader that is stopped by SIGSTOP past its lease', () => {
  let server: LeaseServer
  const children: ChildProcess[] = []

  beforeEach(async () => {
    server = await LeaseServer.start()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await server.stop()
  })

  const leader = (identity: string) => {
    const child = spawn(
      process.execPath,
      [...nodeArguments('./paused-leader.ts', import.meta.url), server.url, identity],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    children.push(child)
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk))
    return { child, said: (word: string) => output.includes(word) }
  }
  const writesOf = (identity: string) =>
    server.server.seen.filter(({ method, path }) => method === 'PUT' && path.endsWith(`/things/${identity}`)).length
  const forMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  it('writes nothing more after SIGCONT, while another leads', async () => {
    const first = leader('first')
    await until('the first to write', () => writesOf('first') > 50)
    first.child.kill('SIGSTOP')
    // Requests that were already sent arrive. A stopped process sends no more requests.
    await forMs(300)
    const atPause = writesOf('first')
    const second = leader('second')
    await until('the second to write', () => writesOf('second') > 50)
    first.child.kill('SIGCONT')
    await until('the first to notice', () => first.said('fenced'))
    await forMs(500)
    expect(writesOf('first')).to.equal(atPause)
    expect(second.said('fenced')).to.equal(false)
    expect(server.lease?.spec?.holderIdentity).to.match(/^second_/)
  })

  it('writes nothing more after SIGCONT, even if no other leader writes', async () => {
    const only = leader('only')
    await until('it to write', () => writesOf('only') > 50)
    only.child.kill('SIGSTOP')
    await forMs(5_500)
    const atPause = writesOf('only')
    server.change((spec) => ({ ...spec, holderIdentity: 'somebody' }))
    only.child.kill('SIGCONT')
    await until('it to notice', () => only.said('fenced'))
    await forMs(500)
    expect(writesOf('only')).to.equal(atPause)
  })
})
