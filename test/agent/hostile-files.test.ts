import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { expect } from 'chai'
import fc from 'fast-check'
import { Collector } from '../../actors/modeller/collector.ts'
import { NodeQuota } from '../../actors/modeller/node-room.ts'
import { OwnRecording } from '../../actors/modeller/recording.ts'
import { RecordingFolder } from '../../src/agent/modeller/recording-files.ts'
import { dockerNames } from '../../src/agent/standalone/docker-names.ts'
import { ContainersFile } from '../../src/agent/violations/containers-file.ts'
import { readContents } from '../../src/audit/enrich/node-contents.ts'
import { Snapshot } from '../../src/audit/enrich/snapshot.ts'
import { parseRingPlace } from '../../src/audit/source/bpf-ring.ts'
import { parseKmsgPosition } from '../../src/audit/source/kmsg.ts'
import { noLogger } from '../../src/base/logger.ts'
import { FileCredentials } from '../../src/http/file-credentials.ts'
import { newAuthority } from '../../src/manager/tls/issue.ts'
import { demo } from '../audit/harness.ts'
import { ManualClock } from '../audit/manual-clock.ts'
import { hostileTexts, hostileValues } from '../fakes/hostile-json.ts'

describe('files that an agent reads again, whatever is in them,', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-hostile-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('are recordings, or none, which are kept aside', async () => {
    const files = new RecordingFolder(folder)
    const path = join(folder, 'demo_web.recording')
    const valid = {
      ...{ version: 1, id: 'u.1', began: 1_000, complete: false, records: 3, ofRuntime: 1, lost: 0 },
      gaps: [{ from: 'a', to: 'b', why: 'c' }],
      behaviour: { result: { appArmor: { files: [{ path: '/etc/hosts', permissions: ['r'] }] } }, leftOut: [] },
    }
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), fc.boolean(), async (body, hasDigest) => {
        const digest = createHash('sha256').update(body).digest('hex')
        writeFileSync(path, hasDigest ? `${digest}\n${body}` : body)
        const found = await files.read('demo/web')
        expect(found).to.not.equal(undefined)
        if (found === undefined || 'broken' in found) return
        const recording = OwnRecording.of(found.stored, new Collector(new NodeQuota().begin('demo/web')))
        expect(recording.summary().began).to.match(/^$|Z$/)
      }),
      { numRuns: 200 },
    )
    // The folder keeps at most one file of each kind.
    expect(readdirSync(folder).length).to.be.at.most(2)
  })

  it('say what is wrong with containers, or give what fits', async () => {
    const containers = demo.containers.map(({ cgroupID: _, ...one }) => one)
    fc.assert(
      fc.property(hostileTexts({ containers, policies: demo.policies }), (text) => {
        const contents = readContents(text)
        if (contents.ok) new Snapshot({ ...demo, ...contents.value })
        else for (const { path } of contents.errors) expect(path).to.be.a('string')
      }),
    )
    const path = join(folder, 'containers.json')
    writeFileSync(path, '{}')
    truncateSync(path, 65 * 1_048_576)
    const said: string[] = []
    const logger = { ...noLogger, error: (_: object, message: string) => void said.push(message) }
    expect(await ContainersFile.open(path, logger)).to.equal(undefined)
    expect(said[0]).to.contain('is ignored')
  })

  it('give names of Docker, or none', async () => {
    const id = 'a'.repeat(64)
    mkdirSync(join(folder, 'containers', id), { recursive: true })
    const valid = { Name: '/web', Config: { Labels: { a: '1', b: '2' } } }
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), async (text) => {
        writeFileSync(join(folder, 'containers', id, 'config.v2.json'), text)
        const found = await dockerNames(folder, id)
        for (const label of Object.values(found?.labels ?? {})) expect(label).to.be.a('string')
      }),
    )
    const odd = { Name: '/web', Config: { Labels: { a: '1', b: { toString: 1 } } } }
    writeFileSync(join(folder, 'containers', id, 'config.v2.json'), JSON.stringify(odd))
    expect(await dockerNames(folder, id)).to.deep.equal({ name: 'web', labels: { a: '1' } })
  })

  it('give a place of a ring that the addon takes, or none', () => {
    fc.assert(
      fc.property(hostileValues({ id: 7, position: 4_096, ringFull: 1, noScratch: 0 }), (value) => {
        const place = parseRingPlace(value)
        if (place === undefined) return
        expect(place.id).to.be.within(0, 2 ** 32 - 1)
        for (const one of Object.values(place)) expect(Number.isSafeInteger(one) && one >= 0).to.equal(true)
      }),
    )
    expect(parseRingPlace({ id: 2 ** 40, position: 0, ringFull: 0, noScratch: 0 })).to.equal(undefined)
  })

  it('give a position in kmsg that a source takes, or none', () => {
    fc.assert(
      fc.property(hostileValues({ boot: '6f1c6d4e-0b5a-4d0c-8f0e-0d3f3d6c1b2a', sequence: 7 }), (value) => {
        const position = parseKmsgPosition(value)
        if (position === undefined) return
        expect(position).to.have.all.keys('boot', 'sequence')
        expect(position.boot).to.be.a('string').and.have.property('length').that.is.at.most(64)
        expect(Number.isSafeInteger(position.sequence) && position.sequence >= -2).to.equal(true)
      }),
    )
    expect(parseKmsgPosition({ boot: 'b', sequence: 7, more: 1 })).to.deep.equal({ boot: 'b', sequence: 7 })
    for (const sequence of [-3, 1.5, 2 ** 53, '7', null])
      expect(parseKmsgPosition({ boot: 'b', sequence })).to.equal(undefined)
  })

  it('are certificates, or an error that names the file', async () => {
    const made = await newAuthority({ notBefore: 0, notAfter: 4e12 })
    const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const options = { clock: new ManualClock(), log: noLogger }
    const cuts = (text: string): fc.Arbitrary<string> =>
      fc.oneof(
        fc.nat(text.length).map((end) => text.slice(0, end)),
        fc
          .tuple(fc.nat(text.length), fc.string({ maxLength: 8 }))
          .map(([at, odd]) => text.slice(0, at) + odd + text.slice(at + odd.length)),
        fc.constantFrom('', made.key, made.certificate, `${made.key}\n${made.certificate}`, text + text),
        fc.string(),
      )
    await fc.assert(
      fc.asyncProperty(cuts(made.certificate), cuts(made.key), async (certText, keyText) => {
        writeFileSync(cert, certText)
        writeFileSync(key, keyText)
        const given = [
          FileCredentials.open({ ...options, files: { cert, key } }),
          FileCredentials.openClientCa({ ...options, file: cert }),
        ]
        for (const found of await Promise.allSettled<FileCredentials<object>>(given)) {
          if (found.status === 'fulfilled') createSecureContext(found.value.current)
          else expect(String(found.reason)).to.contain(cert)
        }
      }),
      { numRuns: 200 },
    )
  })
})
