import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { digestOf } from '../../../deploy/release/oci.ts'
import { RegistryClient } from '../../../deploy/release/registry-client.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

describe('the client of a registry', () => {
  let server: Server
  let answer: Answer
  let seen: string[]
  let origin: string
  const host = (): string => new URL(origin).host
  beforeEach(async () => {
    seen = []
    server = createServer(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim())
      answer(request, response, Buffer.concat(parts).toString())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  it('exchanges the credentials for a token, which it then sends', async () => {
    answer = ({ url, headers }, response) => {
      const challenge = `Bearer realm="${origin}/token",service="s",scope="repository:a:pull"`
      if (url!.startsWith('/token')) response.end(JSON.stringify({ token: 'T' }))
      else if (headers.authorization === 'Bearer T') response.end('manifest')
      else response.writeHead(401, { 'www-authenticate': challenge }).end()
    }
    const client = new RegistryClient(host(), { user: 'u', password: 'p' })
    expect(await client.digest('a', '1')).to.equal(digestOf(Buffer.from('manifest')))
    expect(seen).to.deep.equal([
      'GET /v2/a/manifests/1',
      `GET /token?service=s&scope=repository%3Aa%3Apull Basic ${Buffer.from('u:p').toString('base64')}`,
      'GET /v2/a/manifests/1 Bearer T',
    ])
  })

  it('does not send the credentials to another host that the registry names', async () => {
    const other: string[] = []
    const storage = createServer((request, response) => {
      other.push(`${request.method} ${request.headers.authorization ?? 'nothing'}`)
      request.resume().on('end', () => response.writeHead(201).end())
    })
    await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve))
    const location = `http://127.0.0.1:${(storage.address() as AddressInfo).port}/upload?state=x`
    answer = ({ method, headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      else response.writeHead(method === 'POST' ? 202 : 201, { location }).end()
    }
    try {
      const client = new RegistryClient(host(), { user: 'u', password: 'p' })
      await client.push('a', '1', { manifest: Buffer.from('{}'), blobs: [Buffer.from('blob')] })
      expect(other).to.deep.equal(['PUT nothing'])
    } finally {
      storage.closeAllConnections()
      storage.close()
    }
  })

  const failures: [string, number, RegExp][] = [
    ['a refusal with the remedy', 403, /answered 403 why; log in: buildah login 127/],
    ['a fault with its text', 500, /answered 500 why$/],
  ]
  for (const [title, status, expected] of failures)
    it(`reports ${title}`, async () => {
      answer = (_, response) => response.writeHead(status).end('why')
      const ended = await new RegistryClient(host(), undefined).digest('a', '1').catch((error: Error) => error.message)
      expect(ended).to.match(expected)
    })

  it('knows that a tag is missing', async () => {
    answer = (_, response) => response.writeHead(404).end('{}')
    expect(await new RegistryClient(host(), undefined).digest('a', '1')).to.equal(undefined)
  })
})
