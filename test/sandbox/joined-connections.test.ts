import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { join } from '../../src/sandbox/api-server/http/http-adapter.ts'

/** The two ends of a connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ours = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [theirs] = (await once(server, 'connection')) as [Socket]
  server.close()
  return [ours, theirs]
}

describe('a connection that is upgraded and passed on to another', () => {
  let [client, clientSide, backendSide, backend]: Socket[] = []
  beforeEach(async () => {
    ;[client, clientSide] = await pair()
    ;[backendSide, backend] = await pair()
    for (const socket of [client!, clientSide!, backend!]) socket.on('error', () => undefined)
    const upgrade = { type: 'upgrade', code: 101, headers: { upgrade: 'x' }, backend: backendSide! } as const
    join(clientSide!, Buffer.from('first '), { ...upgrade, head: Buffer.from('start ') })
  })

  it('carries the first bytes of both sides, and all later bytes', async () => {
    const received = text(client!)
    client!.write('second')
    const [chunk] = (await once(backend!, 'data')) as [Buffer]
    expect('first second'.startsWith(chunk.toString())).to.equal(true)
    backend!.end('end')
    expect(await received).to.equal('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nstart end')
  })

  it('ends for a client that still writes what the other side never reads', async () => {
    const ended = new Promise((resolve) => client!.once('close', resolve))
    client!.write(Buffer.alloc(10_000_000))
    backend!.write('bye')
    let received = ''
    client!.on('data', (chunk) => {
      received += chunk
      if (received.endsWith('bye')) backend!.destroy()
    })
    await ended
  })

  it('ends for the other side when the client goes', async () => {
    const ended = new Promise((resolve) => backend!.once('close', resolve))
    backend!.resume()
    client!.destroy()
    await ended
  })
})
