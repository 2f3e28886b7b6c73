import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { givenCertificates } from '../../src/manager/tls/given-certificates.ts'
import { issueServing, type KeyPair, newAuthority } from '../../src/manager/tls/issue.ts'
import { day, hour, names, start, World } from './certificate-world.ts'

const validity = { notBefore: start - hour, notAfter: start + 30 * day }

describe('a certificate that somebody else keeps', () => {
  let folder: string
  let authority: KeyPair
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-given-'))
    authority = await newAuthority(validity)
    write(authority.certificate, await issueServing(authority, names, validity))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const write = (ca: string, { certificate, key }: KeyPair): void => {
    for (const [name, text] of Object.entries({ 'ca.crt': ca, 'tls.crt': certificate, 'tls.key': key }))
      writeFileSync(join(folder, name), text)
  }
  const read = givenCertificates

  it('is served, its authority is published, and no Secret is made', async () => {
    const world = new World()
    const manager = world.manager({ given: read(folder, names), every: hour })
    await manager.keeper.start()
    await manager.keeper.settled()
    expect(world.errors).to.deep.equal([])
    expect(manager.keeper.isPublished).to.equal(true)
    expect(world.secrets.objects.size).to.equal(0)
    expect(world.bundle).to.equal(authority.certificate)
    expect(new Set(world.caBundles)).to.deep.equal(new Set([authority.certificate]))
    await manager.keeper.stop()
  })

  it('is replaced in the server after its renewal', async () => {
    const world = new World()
    const manager = world.manager({ given: read(folder, names), every: hour })
    await manager.keeper.start()
    await manager.keeper.settled()
    const renewed = await issueServing(authority, names, validity)
    write(authority.certificate, renewed)
    manager.keeper.changed()
    await world.clock.advance(1_000)
    await manager.keeper.settled()
    expect(manager.served.map(({ cert }) => cert)).to.have.length(2)
    expect(manager.served[1]!.cert).to.equal(renewed.certificate)
    await manager.keeper.stop()
  })

  const refused = async (says: RegExp): Promise<void> => {
    const problem = await read(folder, names)().then(
      () => 'nothing',
      (error: unknown) => String(error),
    )
    expect(problem).to.match(says)
  }

  it('says what is wrong with it: a file that is not there', async () => {
    rmSync(join(folder, 'tls.key'))
    await refused(/cannot read a certificate file: ENOENT.*tls\.key/)
  })

  it('says what is wrong with it: another key', async () => {
    const other = await issueServing(authority, names, validity)
    writeFileSync(join(folder, 'tls.key'), other.key)
    await refused(/must be a certificate and its key/)
  })

  it('says what is wrong with it: another authority', async () => {
    writeFileSync(join(folder, 'ca.crt'), (await newAuthority(validity)).certificate)
    await refused(/was not issued by the authority/)
  })

  it('says what is wrong with it: names that it lacks', async () => {
    write(authority.certificate, await issueServing(authority, [names[0]!], validity))
    await refused(/is not valid for varmor-status-svc\.varmor\.svc, 127\.0\.0\.1/)
  })
})
