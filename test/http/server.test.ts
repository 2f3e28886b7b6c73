import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type RequestOptions, request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { expect } from 'chai'
import { mebibyte } from '../../src/base/bytes.ts'
import { asWall } from '../../src/base/clock.ts'
import { type Handler, json, type Routes, text } from '../../src/http/routes.ts'
import { type HttpServer, type ServerOptions, startServer } from '../../src/http/server.ts'
import { webhookRoutes } from '../../src/manager/http/webhook-routes.ts'
import { issueServing, type KeyPair, newAuthority } from '../../src/manager/tls/issue.ts'
import { ManualClock } from '../audit/manual-clock.ts'

const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
const logged: { err?: unknown; message: string }[] = []
const log = {
  warn: (context: object, message: string) => logged.push({ ...context, message }),
  error: (context: object, message: string) => logged.push({ ...context, message }),
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A client certificate like the API server's for its webhooks. */
async function clientCertificate(
  authority: KeyPair,
  name: string,
  hosts: readonly string[] = [],
): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const der = x509.PemConverter.decode(authority.key)[0]!
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: new x509.X509Certificate(authority.certificate).subject,
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ...(hosts.length > 0
        ? [new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value })))]
        : []),
    ],
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { cert: certificate.toString('pem'), key }
}

interface Answer {
  status: number
  body: string
  headers: Record<string, string | string[] | undefined>
  reused: boolean
}

describe('an HTTPS server of a role', () => {
  let authority: KeyPair
  let other: KeyPair
  let pair: { cert: string; key: string }
  const servers: HttpServer[] = []

  const serving = async (from = authority) => {
    const { certificate, key } = await issueServing(from, ['localhost', '127.0.0.1'], validity)
    return { cert: certificate, key }
  }
  before(async () => {
    authority = await newAuthority(validity)
    other = await newAuthority(validity)
    pair = await serving()
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.drain(0)))
    logged.length = 0
  })

  const listen = async (routes: Routes, options: Partial<ServerOptions> = {}): Promise<HttpServer> => {
    const server = await startServer({ name: 'test', routes, host: '127.0.0.1', port: 0, tls: pair, log, ...options })
    servers.push(server)
    return server
  }

  const ask = (server: HttpServer, options: RequestOptions & { body?: string | Buffer } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { body, ...rest } = options
      const method = body === undefined ? 'GET' : 'POST'
      const asked = request(
        { host: '127.0.0.1', port: server.port, ca: authority.certificate, path: '/', method, agent: false, ...rest },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk) => chunks.push(chunk))
          response.on('end', () =>
            resolve({
              status: response.statusCode!,
              body: Buffer.concat(chunks).toString(),
              headers: response.headers,
              reused: asked.reusedSocket,
            }),
          )
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })

  const echo: Handler = { handle: (body) => ({ status: 200, body }) }
  const routes: Routes = {
    exact: { '/echo': { POST: echo }, '/hello': { GET: { handle: () => json(200, { hello: true }) } } },
    under: [{ prefix: '/under/', route: { GET: { handle: (_, { path }) => text(200, path) } } }],
  }

  const rows: { title: string; options: RequestOptions & { body?: string | Buffer }; status: number; says: RegExp }[] =
    [
      { title: 'gives a body back', options: { path: '/echo', body: 'abc' }, status: 200, says: /^abc$/ },
      {
        title: 'takes a body of just the bound',
        options: { path: '/echo', body: Buffer.alloc(1000, 97) },
        status: 200,
        says: /^a{1000}$/,
      },
      {
        title: 'refuses a body over the bound',
        options: { path: '/echo', body: Buffer.alloc(1001) },
        status: 413,
        says: /longer than 1000/,
      },
      {
        title: 'refuses a body over the bound that does not say its length',
        options: { path: '/echo', body: Buffer.alloc(200_000), headers: { 'transfer-encoding': 'chunked' } },
        status: 413,
        says: /longer/,
      },
      { title: 'passes over a query', options: { path: '/hello?timeout=10s' }, status: 200, says: /hello/ },
      { title: 'answers HEAD without a body', options: { path: '/hello', method: 'HEAD' }, status: 200, says: /^$/ },
      { title: 'knows no other path', options: { path: '/none' }, status: 404, says: /not have the path \/none/ },
      { title: 'knows no path of objects', options: { path: '/__proto__' }, status: 404, says: /not have the path/ },
      {
        title: 'knows the methods of a path',
        options: { path: '/hello', body: 'x' },
        status: 405,
        says: /accepts GET/,
      },
      { title: 'finds what is under a prefix', options: { path: '/under/a/b' }, status: 200, says: /a\/b/ },
      {
        title: 'refuses a head that is too long',
        options: { path: '/hello', headers: { x: 'y'.repeat(20_000) } },
        status: 431,
        says: /^$/,
      },
    ]
  for (const { title, options, status, says } of rows)
    it(title, async () => {
      const server = await listen(routes, { limits: { maxBody: 1000 } })
      const answer = await ask(server, options)
      expect(answer.status, answer.body).to.equal(status)
      expect(answer.body).to.match(says)
      // The server still serves the next request.
      expect((await ask(server, { path: '/hello' })).status).to.equal(200)
    })

  it('turns a failure of a handler into 500, and says the reason only in its log', async () => {
    const server = await listen({
      exact: {
        '/fail': {
          GET: {
            handle: () => {
              throw new Error('secret')
            },
          },
        },
      },
    })
    const { status, body } = await ask(server, { path: '/fail' })
    expect(status).to.equal(500)
    expect(body).to.not.match(/secret/)
    expect(String(logged[0]?.err)).to.match(/secret/)
  })

  it('does not read the body of one who may not ask', async () => {
    let handled = 0
    const server = await listen({
      exact: {
        '/guarded': {
          POST: {
            admit: async () => text(401, 'who are you'),
            handle: () => {
              handled++
              return text(200, '')
            },
          },
        },
      },
    })
    const { status, headers } = await ask(server, { path: '/guarded', body: Buffer.alloc(1_000_000) })
    expect({ status, handled, connection: headers.connection }).to.deep.equal({
      status: 401,
      handled: 0,
      connection: 'close',
    })
  })

  it('serves many requests on one connection', async () => {
    const server = await listen(routes)
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.certificate })
    const answers: Answer[] = []
    for (let i = 0; i < 3; i++) answers.push(await ask(server, { path: '/echo', body: String(i), agent }))
    expect(answers.map(({ reused }) => reused)).to.deep.equal([false, true, true])
    agent.destroy()
  })

  it('keeps so many connections open between requests, and ends the others with their answers', async () => {
    const server = await listen(routes, { limits: { kept: 2 } })
    const agents = Array.from(
      { length: 3 },
      () => new Agent({ keepAlive: true, maxSockets: 1, ca: authority.certificate }),
    )
    const connections: unknown[] = []
    for (const agent of agents) connections.push((await ask(server, { path: '/hello', agent })).headers['connection'])
    expect(connections).to.deep.equal(['keep-alive', 'keep-alive', 'close'])
    expect((await ask(server, { path: '/hello', agent: agents[0]! })).reused).to.equal(true)
    expect((await ask(server, { path: '/hello', agent: agents[2]! })).reused).to.equal(false)
    for (const agent of agents) agent.destroy()
  })

  it('closes the silent connection that waits longest for a new connection when too many are open', async () => {
    let release: () => void = () => undefined
    const slow: Handler = {
      handle: () =>
        new Promise((resolve) => {
          release = () => resolve(text(200, 'at last'))
        }),
    }
    const server = await listen({ exact: { ...routes.exact, '/slow': { GET: slow } } }, { limits: { connections: 3 } })
    const working = ask(server, { path: '/slow' })
    while (server.connections < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    const closed: number[] = []
    const idle = async (number: number, secure: boolean): Promise<void> => {
      const to = { port: server.port, host: '127.0.0.1' }
      const socket = secure ? connect({ ...to, ca: authority.certificate }) : connectTcp(to)
      socket.on('error', () => undefined).on('close', () => closed.push(number))
      await once(socket, secure ? 'secureConnect' : 'connect')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const number of [0, 1, 2, 3]) await idle(number, number % 2 === 1)
    expect(closed).to.deep.equal([0, 1])
    expect((await ask(server, { path: '/hello' })).status).to.equal(200)
    expect(closed).to.deep.equal([0, 1, 2])
    expect(server.connections).to.be.at.most(3)
    release()
    expect((await working).body).to.equal('at last\n')
    expect(logged).to.deep.equal([])
  })

  const taker: Handler = { handle: (body) => text(200, String(body.length)) }
  /** The head of a request, and its body without the last byte. */
  const almost = async (
    server: HttpServer,
    bytes: number,
    closed: () => void = () => undefined,
    localAddress = '127.0.0.1',
  ): Promise<TLSSocket> => {
    const to = { port: server.port, host: '127.0.0.1', localAddress, ca: authority.certificate }
    const socket = connect(to)
    socket.on('error', () => undefined).on('close', closed)
    await once(socket, 'secureConnect')
    socket.write(`POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes + 1}\r\n\r\n`)
    await new Promise<void>((resolve) => socket.write(Buffer.alloc(bytes), () => resolve()))
    await pause(50)
    return socket
  }

  it('closes the oldest unfinished request for a new connection when too many are open', async () => {
    const server = await listen({ exact: { '/take': { POST: taker } } }, { limits: { connections: 3 } })
    const closed: number[] = []
    const slow: TLSSocket[] = []
    for (const number of [0, 1, 2, 3]) slow.push(await almost(server, 10, () => closed.push(number)))
    expect(closed).to.deep.equal([0])
    expect((await ask(server, { path: '/take', method: 'POST', body: 'abc' })).body).to.equal('3\n')
    expect(closed).to.deep.equal([0, 1])
    for (const socket of slow) socket.destroy()
  })

  it('holds so many bytes of bodies: the request that takes longest goes for another one', async () => {
    const limits = { bodies: 1 << 20, maxBody: 900_000 }
    const server = await listen({ exact: { '/take': { POST: taker } } }, { limits })
    const closed: number[] = []
    const slow: TLSSocket[] = []
    for (const number of [0, 1, 2]) slow.push(await almost(server, 400_000, () => closed.push(number)))
    expect(closed).to.deep.equal([0])
    const whole = await ask(server, { path: '/take', method: 'POST', body: 'a'.repeat(800_000) })
    expect(whole.body).to.equal('800000\n')
    while (closed.length < 3) await pause(5)
    expect(closed).to.have.members([0, 1, 2])
    expect(logged.map(({ message }) => message)).to.deep.equal([
      'requests take too much memory; closed a slow request, or a request of the address with the most memory',
    ])
  })

  it('takes no more bodies than it has room for while handlers are at work on others', async () => {
    const releases: (() => void)[] = []
    const holder: Handler = { handle: () => new Promise((resolve) => releases.push(() => resolve(text(200, 'done')))) }
    const server = await listen({ exact: { '/take': { POST: holder } } }, { limits: { bodies: 1 << 20 } })
    const body = 'a'.repeat(600_000)
    const first = ask(server, { path: '/take', method: 'POST', body })
    while (releases.length < 1) await pause(5)
    const refused = await ask(server, { path: '/take', method: 'POST', body })
    expect([refused.status, refused.body]).to.deep.equal([
      429,
      'The server is reading too many requests; try again later\n',
    ])
    releases[0]!()
    expect((await first).status).to.equal(200)
    const again = ask(server, { path: '/take', method: 'POST', body })
    while (releases.length < 2) await pause(5)
    releases[1]!()
    expect((await again).status).to.equal(200)
  })

  it('gives up what the address with most has sent for what comes from another one, whether it is read or handled', async () => {
    let [inside, letGo] = [0, 0]
    const holder: Handler = {
      givesWay: true,
      handle: (body, { signal }) => {
        if (body.length < 100_000) return text(200, 'done')
        inside++
        return new Promise((resolve) => {
          signal!.addEventListener('abort', () => {
            letGo++
            resolve(text(200, 'given up'))
          })
        })
      },
    }
    const server = await listen({ exact: { '/take': { POST: holder } } }, { limits: { bodies: 1 << 20 } })
    const from = (localAddress: string, bytes: number) =>
      ask(server, { path: '/take', method: 'POST', localAddress, body: 'a'.repeat(bytes) })
    const failed = (asked: Promise<unknown>): Promise<boolean> => asked.then(() => false).catch(() => true)
    const held = [1, 2, 3].map(() => failed(from('127.0.0.9', 300_000)))
    while (inside < 3) await pause(5)
    const closed: string[] = []
    for (const address of ['127.0.0.1', '127.0.0.9']) await almost(server, 60_000, () => closed.push(address), address)
    // The server does not drop a body in favour of another one from the same address, because that would give other
    // clients no space.
    expect((await from('127.0.0.9', 300_000)).status).to.equal(429)
    while (closed.length < 1) await pause(5)
    expect([closed, letGo]).to.deep.equal([['127.0.0.9'], 0])
    expect(await from('127.0.0.1', 90_000)).to.include({ status: 200, body: 'done\n' })
    expect(await held[2]).to.equal(true)
    expect([closed, letGo]).to.deep.equal([['127.0.0.9'], 1])
  })

  it('lets a body have its time where there is one, so that of many large ones some come to their end', async () => {
    const limits = { bodies: 1 << 20, maxBody: 900_000, bodyTime: 600_000 }
    const server = await listen({ exact: { '/take': { POST: taker } } }, { limits })
    const slow = await almost(server, 800_000)
    expect((await ask(server, { path: '/take', method: 'POST', body: 'a'.repeat(800_000) })).status).to.equal(429)
    const answered = once(slow, 'data')
    slow.write('a')
    expect(String((await answered)[0])).to.match(/^HTTP\/1\.1 200/)
    slow.destroy()
  })

  it('closes a body that is not there in the time that its handler gives, and no other one', async () => {
    const server = await listen({
      exact: { '/take': { POST: { ...taker, bodyWithin: 100 } }, '/slow': { POST: taker } },
    })
    let closed = false
    await almost(server, 10, () => {
      closed = true
    })
    while (!closed) await pause(5)
    expect((await ask(server, { path: '/take', method: 'POST', body: 'abc' })).body).to.equal('3\n')
  })

  it('takes as long a body as the handler says', async () => {
    const server = await listen({ exact: { '/take': { POST: { ...taker, maxBody: 10 } } } })
    const post = (body: string) => ask(server, { path: '/take', method: 'POST', body })
    expect([(await post('a'.repeat(10))).status, (await post('a'.repeat(11))).status]).to.deep.equal([200, 413])
  })

  it('tells a handler when what it let in is over, also when the client left before', async () => {
    let [inside, done] = [0, 0]
    let arrived: () => void = () => undefined
    const admitted = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const handler: Handler = {
      admit: ({ headers }) => {
        if (headers['x-refuse'] !== undefined) return text(403, 'no')
        inside++
        arrived()
        return undefined
      },
      handle: () => text(200, 'taken'),
      done: () => void done++,
    }
    const server = await listen({ exact: { '/gate': { POST: handler } } })
    const half = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
    await once(half, 'secureConnect')
    half.write('POST /gate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc')
    await admitted
    half.destroy()
    expect((await ask(server, { path: '/gate', method: 'POST', body: 'x' })).status).to.equal(200)
    const refused = await ask(server, { path: '/gate', method: 'POST', body: 'x', headers: { 'x-refuse': '1' } })
    expect(refused.status).to.equal(403)
    while (done < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect({ inside, done }).to.deep.equal({ inside: 2, done: 2 })
  })

  it('takes no TLS before 1.2', async () => {
    const server = await listen(routes)
    const socket = connect({
      port: server.port,
      host: '127.0.0.1',
      ca: authority.certificate,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    const [error] = await once(socket, 'error')
    expect(String(error)).to.match(/protocol|alert|unsupported|handshake/i)
  })

  it('changes its certificate while connections go on', async () => {
    const server = await listen(routes)
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.certificate })
    const first = await ask(server, { path: '/hello', agent })
    server.setCredentials(await serving(other))
    const second = await ask(server, { path: '/hello', agent })
    expect([first.status, second.status, second.reused]).to.deep.equal([200, 200, true])
    const refused = await ask(server, { path: '/hello' }).catch((error: Error) => error)
    expect(String(refused)).to.match(/signature|issuer|self-signed|verify/i)
    expect((await ask(server, { path: '/hello', ca: other.certificate })).status).to.equal(200)
    agent.destroy()
  })

  it('lets what is under way end, and takes nothing new', async () => {
    let release: () => void = () => undefined
    let entered: () => void = () => undefined
    const inside = new Promise<void>((resolve) => {
      entered = resolve
    })
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const server = await listen({
      exact: {
        '/slow': {
          GET: {
            handle: async () => {
              entered()
              await held
              return text(200, 'done')
            },
          },
        },
      },
    })
    const agent = new Agent({ keepAlive: true, ca: authority.certificate })
    const slow = ask(server, { path: '/slow', agent })
    await inside
    const drained = server.drain(30_000)
    const refused = await ask(server, { path: '/slow' }).catch((error: NodeJS.ErrnoException) => error.code)
    expect(refused).to.equal('ECONNREFUSED')
    release()
    const { status, headers } = await slow
    expect({ status, connection: headers.connection }).to.deep.equal({ status: 200, connection: 'close' })
    await drained
    agent.destroy()
  })

  describe('that leaves', () => {
    const delay = 10_000
    /**
     * Some connections without a request, and the number of connections that the server has closed. The first
     * connection has waited longest.
     */
    const idle = async (server: HttpServer, count: number) => {
      const closed: number[] = []
      for (let i = 0; i < count; i++) {
        const socket = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
        await once(socket, 'secureConnect')
        socket.write('GET /hello HTTP/1.1\r\nhost: x\r\n\r\n')
        await once(socket, 'data')
        socket.resume().once('close', () => closed.push(i))
      }
      return closed
    }

    it('answers on kept and on new connections, and ends each of them with its answer', async () => {
      const clock = new ManualClock()
      const server = await listen(routes, { clock })
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.certificate })
      expect((await ask(server, { path: '/hello', agent })).headers.connection).to.equal('keep-alive')
      let over = false
      const retired = server.retire(delay).then(() => {
        over = true
      })
      for (const reused of [true, false, false]) {
        const { status, headers, ...answer } = await ask(server, { path: '/hello', agent })
        expect([status, headers.connection, answer.reused]).to.deep.equal([200, 'close', reused])
        await clock.advance(delay / 4)
      }
      expect(over).to.equal(false)
      await clock.advance(delay / 4)
      await retired
      await server.drain(0)
      const refused = await ask(server, { path: '/hello' }).catch((error: NodeJS.ErrnoException) => error.code)
      expect(refused).to.equal('ECONNREFUSED')
      agent.destroy()
    })

    it('closes connections without a request one by one, those first that wait longest', async () => {
      const clock = new ManualClock()
      const server = await listen(routes, { clock })
      const closed = await idle(server, 4)
      const retired = server.retire(delay)
      await clock.advance(delay / 4 - 200)
      expect(closed).to.deep.equal([])
      for (const count of [1, 2, 3, 4]) {
        await clock.advance(count === 1 ? 200 : delay / 4)
        while (closed.length < count) await pause(5)
        expect(closed).to.deep.equal([0, 1, 2, 3].slice(0, count))
      }
      await retired
    })

    it('answers a request that has come just before its connection would be closed', async () => {
      let time = 0
      let fire = (): void => undefined
      const after = (_: number, callback: () => void) => {
        fire = callback
        return { cancel: () => undefined }
      }
      const server = await listen(routes, { clock: { now: () => time, wall: () => asWall(time), after } })
      const socket = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
      await once(socket, 'secureConnect')
      socket.write('GET /hello HTTP/1.1\r\nhost: x\r\n\r\n')
      await once(socket, 'data')
      const retired = server.retire(1)
      const answered = once(socket, 'data')
      // After a pause of the thread, timers fire first. The request is in the kernel, and the server reads it
      // afterwards.
      setTimeout(() => {
        socket.write('GET /hello HTTP/1.1\r\nhost: x\r\n\r\n')
        const until = performance.now() + 20
        while (performance.now() < until);
        time = 1
        fire()
      })
      const [answer] = await answered
      expect(String(answer)).to.match(/^HTTP\/1\.1 200 /)
      await retired
      socket.destroy()
    })

    it('takes no longer with more connections than there are milliseconds', async () => {
      const clock = new ManualClock()
      const server = await listen(routes, { clock })
      await idle(server, 50)
      const retired = server.retire(30)
      await clock.advance(30)
      await retired
      while (server.connections > 0) await pause(5)
    })
  })

  it('closes what does not end in time, also connections that never spoke', async () => {
    const server = await listen({ exact: { '/never': { GET: { handle: () => new Promise(() => undefined) } } } })
    const never = ask(server, { path: '/never' }).catch((error: NodeJS.ErrnoException) => error.code)
    const silent = connectTcp(server.port, '127.0.0.1')
    await once(silent, 'connect')
    // The connection may be reset or closed; in both cases it is gone.
    silent.on('error', () => undefined)
    const closed = new Promise((resolve) => silent.once('close', resolve))
    await server.drain(50)
    await closed
    expect(await never).to.be.oneOf(['ECONNRESET', 'ECONNREFUSED'])
  })

  it('lets a handler end whose client has left, before what it uses is closed', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let entered = (): void => undefined
    const inside = new Promise<void>((resolve) => {
      entered = resolve
    })
    const handle = async () => {
      entered()
      await held
      return text(200, 'it is not read')
    }
    const server = await listen({ exact: { '/slow': { GET: { handle } } } })
    const client = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
    await once(client, 'secureConnect')
    client.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
    await inside
    client.destroy()
    let over = false
    const drained = server.drain(30_000).then(() => {
      over = true
    })
    // Waits until the server has noticed the client's disconnect.
    const connections = () => new Promise<number>((resolve) => setTimeout(() => resolve(server.connections), 10))
    while ((await connections()) > 0);
    expect(over).to.equal(false)
    release()
    await drained
  })

  it('survives clients that leave in the middle, or speak something else', async () => {
    const server = await listen(routes)
    const half = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
    await once(half, 'secureConnect')
    half.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc')
    half.destroy()
    const garbage = connectTcp(server.port, '127.0.0.1')
    await once(garbage, 'connect')
    garbage.end('GET / HTTP/1.0\r\n\r\n')
    garbage.on('error', () => undefined)
    await once(garbage, 'close')
    expect((await ask(server, { path: '/hello' })).status).to.equal(200)
    expect(logged).to.deep.equal([])
  })

  it('closes the connection of one who does not read the answer', async () => {
    const body = Buffer.alloc(64 * mebibyte)
    const routes: Routes = { exact: { '/much': { GET: { handle: () => ({ status: 200, body }) } } } }
    const server = await listen(routes, { limits: { inactivity: 50 } })
    const client = connect({ port: server.port, host: '127.0.0.1', ca: authority.certificate })
    await once(client, 'secureConnect')
    client.on('error', () => undefined)
    client.write('GET /much HTTP/1.1\r\nhost: x\r\n\r\n')
    const connections = () => new Promise<number>((resolve) => setTimeout(() => resolve(server.connections), 10))
    while ((await connections()) > 0);
    client.destroy()
  })

  it('says when its port is taken', async () => {
    const { port } = await listen(routes)
    const failed = await listen(routes, { port }).catch((error: NodeJS.ErrnoException) => error.code)
    expect(failed).to.equal('EADDRINUSE')
  })

  describe('the webhook server', () => {
    const reviewer = {
      mutate: async (body: string) => ({ status: 400 as const, message: `mutate ${body}` }),
      validate: async (body: string) => ({ status: 503 as const, message: `validate ${body}` }),
    }
    const states = { isAlive: () => true, isReady: () => false }
    const post = (path: string, more: RequestOptions = {}) => ({
      path,
      body: 'x',
      headers: { 'content-type': 'application/json' },
      ...more,
    })

    it('has its paths, and wants JSON', async () => {
      const server = await listen(webhookRoutes({ reviewer, ...states }))
      expect(await ask(server, post('/mutate'))).to.include({ status: 400, body: 'mutate x\n' })
      expect(await ask(server, post('/validate'))).to.include({ status: 503, body: 'validate x\n' })
      expect((await ask(server, { path: '/health/liveness' })).status).to.equal(200)
      expect((await ask(server, { path: '/health/readiness' })).status).to.equal(503)
      for (const headers of [
        {},
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      ])
        expect((await ask(server, post('/mutate', { headers }))).status).to.equal(415)
      expect(
        (await ask(server, post('/mutate', { headers: { 'content-type': 'application/json; charset=utf-8' } }))).status,
      ).to.equal(400)
    })

    it('lets only API servers in that it knows, where it is set up so', async () => {
      const server = await listen(webhookRoutes({ reviewer, ...states, callers: { names: ['apiserver'] } }), {
        tls: { ...pair, clientCa: authority.certificate },
      })
      const statusFor = async (more: RequestOptions = {}) => (await ask(server, post('/mutate', more))).status
      const verdicts = async () => [
        await statusFor(),
        await statusFor(await clientCertificate(other, 'apiserver')),
        await statusFor(await clientCertificate(authority, 'somebody')),
        await statusFor(await clientCertificate(authority, 'apiserver')),
      ]
      expect(await verdicts()).to.deep.equal([401, 401, 403, 400])
      expect((await ask(server, { path: '/health/liveness' })).status).to.equal(200)
      server.setCredentials(await serving())
      expect(await verdicts()).to.deep.equal([401, 401, 403, 400])
    })

    const names = ['system:apiserver', 'api.example.org']
    for (const { title, name, hosts = [], status } of [
      { title: 'a common name among those that may', name: 'system:apiserver', status: 400 },
      { title: 'a DNS name among those that may', name: 'x', hosts: ['y', 'api.example.org'], status: 400 },
      { title: 'another common name', name: 'system:apiservers', status: 403 },
      { title: 'a wildcard', name: 'x', hosts: ['*.example.org'], status: 403 },
      { title: 'a name that may, with more around it', name: 'api.example.org.evil.org', status: 403 },
      { title: 'a name that may as part of another field', name: 'x/CN=system:apiserver', status: 403 },
    ])
      it(`answers ${status} to a client whose certificate has ${title}`, async () => {
        const refused: string[] = []
        const callers = { names, refused: (_: string, reason: string) => void refused.push(reason) }
        const server = await listen(webhookRoutes({ reviewer, ...states, callers }), {
          tls: { ...pair, clientCa: authority.certificate },
        })
        const certificate = await clientCertificate(authority, name, hosts)
        expect((await ask(server, post('/mutate', certificate))).status).to.equal(status)
        expect(refused).to.have.length(status === 403 ? 1 : 0)
      })

    it('takes no session of TLS in place of a certificate, with names and without', async () => {
      for (const callers of [{}, { names: ['apiserver'] }]) {
        const server = await listen(webhookRoutes({ reviewer, ...states, callers }), {
          tls: { ...pair, clientCa: authority.certificate },
        })
        for (const own of [{}, await clientCertificate(other, 'apiserver')]) {
          const options = { port: server.port, host: '127.0.0.1', ca: authority.certificate, ...own }
          const head =
            'POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\nx'
          const statusOf = async (socket: TLSSocket) => {
            await once(socket, 'secureConnect')
            socket.write(head)
            return /^HTTP\/1\.1 (\d+)/.exec(String((await once(socket, 'data'))[0]))?.[1]
          }
          const first = connect(options)
          const session = once(first, 'session')
          expect(await statusOf(first)).to.equal('401')
          const again = connect({ ...options, session: (await session)[0] })
          expect(await statusOf(again)).to.equal('401')
          expect(again.isSessionReused()).to.equal(true)
          first.destroy()
          again.destroy()
        }
      }
    })

    it('knows its clients by new authorities from when these change', async () => {
      const server = await listen(webhookRoutes({ reviewer, ...states, callers: {} }), {
        tls: { ...pair, clientCa: authority.certificate },
      })
      const verdicts = async () => [
        (await ask(server, post('/mutate', await clientCertificate(authority, 'a')))).status,
        (await ask(server, post('/mutate', await clientCertificate(other, 'a')))).status,
      ]
      expect(await verdicts()).to.deep.equal([400, 401])
      server.setClientCa(other.certificate)
      expect(await verdicts()).to.deep.equal([401, 400])
      server.setCredentials(await serving())
      expect(await verdicts()).to.deep.equal([401, 400])
    })
  })
})
