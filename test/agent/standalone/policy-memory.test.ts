import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { policyMemory } from '../../../src/agent/standalone/policy-memory.ts'
import { titleOf } from '../../../src/agent/standalone/policy-set.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'
import { held } from './made-policies.ts'

describe('the memory of what is in force', () => {
  let folder: string
  const warned: string[] = []
  const logger = { ...noLogger, warn: (_fields: object, message: string) => void warned.push(message) }
  const memory = (name = 'policies.json') => policyMemory(join(folder, name), 'varmor', logger)

  beforeEach(() => {
    warned.length = 0
    folder = mkdtempSync(join(tmpdir(), 'varmor-memory-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('has the same policies at the next start, and only its owner may read it', async () => {
    expect(await memory().load()).to.equal(undefined)
    const policies = new Map([held('/p/a.yaml', 'a'), held('/p/b.yaml', 'b')].map((one) => [titleOf(one), one]))
    await memory('new/policies.json').save(policies)
    expect(await memory('new/policies.json').load()).to.deep.equal(policies)
    expect(readdirSync(join(folder, 'new'))).to.deep.equal(['policies.json'])
    expect(statSync(join(folder, 'new', 'policies.json')).mode & 0o777).to.equal(0o600)
    expect(warned).to.deep.equal([])
  })

  const strange = JSON.stringify({ policies: [{ file: 'a', document: { metadata: {}, spec: { profile: {} } } }] })
  for (const text of ['', '{', '[]', '{"policies":[{"file":"a"}]}', 'null', '{"policies":[null]}', strange])
    it(`is none, and says so, when its file has ${text || 'nothing'}`, async () => {
      writeFileSync(join(folder, 'policies.json'), text)
      expect(await memory().load()).to.equal(undefined)
      expect(warned).to.deep.equal([
        'cannot read the stored policies: policies whose files have mistakes are not in force until the mistakes are corrected',
      ])
    })

  it('has at the next start what can be read, where one of them cannot, and keeps the file aside', async () => {
    const good = held('/p/a.yaml', 'a')
    const text = JSON.stringify({
      policies: [good, { ...held('/p/b.yaml', 'b'), document: { metadata: { labels: null } } }],
    })
    writeFileSync(join(folder, 'policies.json'), text)
    expect(await memory().load()).to.deep.equal(new Map([[titleOf(good), good]]))
    expect(warned).to.have.length(1)
    expect(readFileSync(join(folder, 'policies.json.bad'), 'utf8')).to.equal(text)
  })

  it('never keeps an agent from starting, whatever is in its file', async () => {
    const policies = [held('/p/a.yaml', 'a'), held('/p/b.yaml', 'b', { enforcer: 'AppArmorBPFSeccomp' })]
    await fc.assert(
      fc.asyncProperty(hostileTexts({ policies }), async (text) => {
        writeFileSync(join(folder, 'policies.json'), text)
        for (const [title, { document }] of (await memory().load()) ?? []) {
          expect(title).to.contain(document.metadata.namespace ?? '')
          expect(document.spec.profile.name).to.equal(document.metadata.name)
        }
      }),
    )
  })

  it('says when it cannot be kept, once until it is, and whether it was', async () => {
    const kept = memory('file/policies.json')
    const save = (): Promise<boolean> => kept.save(new Map())
    writeFileSync(join(folder, 'file'), '')
    expect([await save(), await save()]).to.deep.equal([false, false])
    const warning = 'cannot store the policies in force for the next start; retrying; check the space on the disk'
    expect(warned).to.deep.equal([warning])
    rmSync(join(folder, 'file'))
    expect(await save()).to.equal(true)
    rmSync(join(folder, 'file'), { recursive: true })
    writeFileSync(join(folder, 'file'), '')
    expect(await save()).to.equal(false)
    expect(warned).to.deep.equal([warning, warning])
  })
})
