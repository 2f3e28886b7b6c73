import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { ManagerTransport } from '../../../src/agent/cluster/manager-transport.ts'
import { publishedAuthority } from '../../../src/agent/cluster/published-authority.ts'
import { Uninstalled } from '../../../src/agent/cluster/uninstalled.ts'
import type { AgentReport } from '../../../src/api/agent-report.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { checkObject } from '../../../src/kube/answers.ts'
import type { ApiClient } from '../../../src/kube/client.ts'
import { newAuthority } from '../../../src/manager/tls/issue.ts'
import { hostileValues } from '../../fakes/hostile-json.ts'

const report: AgentReport = { node: 'n1', agent: 'a1', epoch: '', complete: true, profiles: [] }
const context = { verb: 'get', path: '/configmaps/one' }

/** A client whose API server has one object; the client checks the object. */
const clientWith = (object: () => unknown): ApiClient => {
  const get = async (): Promise<object> => {
    const found = object()
    checkObject(found, context)
    return found as object
  }
  return { get } as unknown as ApiClient
}

describe('ConfigMaps that an agent reads again, whatever is in them,', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'hostile-'))
    writeFileSync(join(folder, 'token'), 'token-1')
  })
  after(() => rmSync(folder, { recursive: true }))

  /** Sends a report to a port where no process listens. @returns the error's text */
  async function reportWith(found: unknown): Promise<string> {
    const authority = publishedAuthority(
      clientWith(() => found),
      'varmor',
      new SimulatedClock(),
    )
    const transport = new ManagerTransport({ authority, tokenFile: join(folder, 'token') })
    try {
      const reply = await transport.send('https://127.0.0.1:1', report, new AbortController().signal)
      return reply.kind === 'unreachable' ? reply.message : reply.kind
    } finally {
      await transport.close()
    }
  }
  const said = /ECONNREFUSED|the ConfigMap of the managers has |\/configmaps\/one/

  it('are an authority of the managers, or an error that names them', async () => {
    const { certificate } = await newAuthority({ notBefore: 0, notAfter: 4e12 })
    const begin = '-----BEGIN CERTIFICATE-----\n'
    const odd = fc.oneof(
      fc.nat(certificate.length).map((end) => certificate.slice(0, end)),
      fc.nat(certificate.length).map((end) => certificate + certificate.slice(0, end)),
      fc.constantFrom(begin, begin.repeat(100), `${begin}x`, certificate + begin),
    )
    const object = { metadata: { name: 'one', resourceVersion: '1' }, data: { 'ca.crt': certificate } }
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          hostileValues(object),
          hostileValues(object.data).map((data) => ({ ...object, data })),
          odd.map((text) => ({ ...object, data: { 'ca.crt': text } })),
        ),
        async (found) => {
          expect(await reportWith(found)).to.match(said)
        },
      ),
      { numRuns: 300 },
    )
    expect(await reportWith(object)).to.match(/ECONNREFUSED/)
    // Node.js does not see an incomplete certificate, and would trust the public authorities.
    const unseen = certificate.replace('-----END CERTIFICATE-----', '')
    expect(await reportWith({ ...object, data: { 'ca.crt': unseen } })).to.match(/has an invalid certificate/)
  })

  it('are refused at once where they are as large as they may be', async () => {
    const [begin, end] = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----']
    for (const text of [begin, end, end + begin, `${begin}\n`, `${begin} `, begin + end, '-'])
      expect(await reportWith({ data: { 'ca.crt': text.repeat(1_048_576 / text.length) } })).to.match(
        /the ConfigMap of the managers has /,
      )
  })

  it('say whether vArmor is being uninstalled, and keep profiles in doubt', async () => {
    const object = { metadata: { name: 'varmor-uninstall', uid: 'u', resourceVersion: '1' } }
    await fc.assert(
      fc.asyncProperty(hostileValues(object), hostileValues(object), async (atStart, atEnd) => {
        let found = atStart
        const uninstalled = new Uninstalled(
          clientWith(() => found),
          'varmor',
          new SimulatedClock(),
        )
        void uninstalled.begin(noLogger)
        await new Promise(setImmediate)
        found = atEnd
        const doubts: string[] = []
        const answer = await uninstalled.ask((doubt) => doubts.push(doubt))
        if (doubts.length > 0) expect(answer).to.equal(false)
        for (const doubt of doubts) expect(doubt).to.match(/varmor-uninstall|\/configmaps\/one/)
      }),
      { numRuns: 300 },
    )
  })
})
