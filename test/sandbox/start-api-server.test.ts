import { request } from 'node:https'
import { expect } from 'chai'
import type { JsonObject } from '../../src/sandbox/api-server/schema/json.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { faultsOf } from './faults.ts'
import { startInProcess, take } from './in-process.ts'

interface Reply {
  status: number
  bytes: Buffer
}

function get(
  { url, caPem }: RunningApiServer,
  identity: { certificatePem: string; keyPem: string },
  path: string,
  headers = {},
) {
  return new Promise<Reply>((resolve, reject) => {
    const options = { ca: caPem, cert: identity.certificatePem, key: identity.keyPem, headers, agent: false }
    const sent = request(`${url}${path}`, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          bytes: Buffer.concat(chunks),
        }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

const maps = '/api/v1/namespaces/default/configmaps'

describe('the embedded API server on a port', () => {
  it('goes on from a snapshot: objects, versions, and the certificates of its clients', async () => {
    const first = await startApiServer()
    const admin = first.client({ name: 'a', groups: ['system:masters'] })
    const made = await admin({ method: 'POST', path: maps, body: { metadata: { name: 'kept' }, data: { a: 'b' } } })
    const snapshot = JSON.parse(JSON.stringify(first.snapshot())) as ReturnType<typeof first.snapshot>
    await first.close()
    const second = await startApiServer({ restore: snapshot })
    // A client of the first server, with its authority and its certificate, still works.
    const reply = await get({ ...second, caPem: first.caPem }, first.adminCertificate, `${maps}/kept`)
    await second.close()
    expect(reply.status).to.equal(200)
    const { metadata, data } = JSON.parse(reply.bytes.toString()) as { metadata: JsonObject; data: JsonObject }
    expect(data).to.deep.equal({ a: 'b' })
    const before = (made.type === 'json' ? made.body : {}) as { metadata: JsonObject }
    expect(metadata['resourceVersion']).to.equal(before.metadata['resourceVersion'])
  })
})

describe('an injected fault', () => {
  it('of latency lets a request wait so long', async () => {
    const { server, admin, clock } = await startInProcess()
    faultsOf(server).add({ verb: 'list', fault: { type: 'latency', milliseconds: 5000 } })
    let answered = false
    const asked = admin({ method: 'GET', path: maps }).then((response) => {
      answered = true
      return response
    })
    clock.advance(4999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).to.equal(false)
    clock.advance(1)
    expect((await asked).code).to.equal(200)
  })

  it('calls the version of a list, and that of a watch, too old', async () => {
    const { server, call, watch } = await startInProcess()
    faultsOf(server).add({ resource: 'configmaps', fault: { type: 'expired' }, times: 2 })
    expect(await call('GET', `${maps}?resourceVersion=1`)).to.include({ code: 410, reason: 'Expired' })
    const [record] = await take(await watch(`${maps}?watch=true&resourceVersion=1`), 1)
    expect(record).to.deep.include({ type: 'ERROR' })
    expect(record!.object).to.include({ code: 410, reason: 'Expired' })
    expect(await call('GET', maps)).to.include({ kind: 'ConfigMapList' })
  })
})
