import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { isBug } from '../../src/base/bug.ts'
import type { ConfigMap, Secret } from '../../src/kube/core-objects.ts'
import type { WebhookConfiguration } from '../../src/manager/admission/webhook-configurations.ts'
import { MAX_AUTHORITIES } from '../../src/manager/tls/certificate-keeper.ts'
import { dataKeys } from '../../src/manager/tls/certificate-state.ts'
import { givenCertificates } from '../../src/manager/tls/given-certificates.ts'
import { newAuthority } from '../../src/manager/tls/issue.ts'
import { hostileValues } from '../fakes/hostile-json.ts'
import { configurations, day, type Manager, names, start, started, trusts, World } from './certificate-world.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Starts a manager, and waits until its certificates are settled. */
async function startIn(world: World): Promise<Manager> {
  const manager = world.manager()
  void manager.keeper.start()
  await manager.keeper.settled()
  return manager
}

function expectTrust(world: World, manager: Manager): void {
  expect(world.errors).to.deep.equal([])
  expect(trusts(world.bundle, manager.certificate, world.now), 'clients trust the certificate').to.equal(true)
  expect(new Set(world.caBundles)).to.deep.equal(new Set([world.bundle]))
  // All values must be strings, because the API server refuses values of other types.
  for (const { objects, writes } of [world.secrets, world.configMaps])
    if (writes > 1)
      for (const { data = {} } of objects.values())
        for (const text of Object.values(data)) expect(text).to.be.a('string')
}

describe('objects that managers read again, whatever is in them,', () => {
  let whole: { secret: Secret; configMap: ConfigMap; webhooks: WebhookConfiguration[] }
  let other: string

  before(async () => {
    const world = new World()
    await started(world.manager())
    const [secret] = world.secrets.objects.values()
    const [configMap] = world.configMaps.objects.values()
    whole = { secret: secret!, configMap: configMap!, webhooks: [...world.webhooks.objects.values()] }
    const made = await newAuthority({ notBefore: start - day, notAfter: start + 300 * day })
    other = made.certificate + made.key
  })

  it('give a certificate that clients trust: the Secret', async () => {
    const { data = {} } = whole.secret
    const cut = fc
      .tuple(fc.constantFrom(...Object.values(dataKeys)), fc.nat(2_000), fc.constantFrom('', other, '\0'))
      .map(([key, end, more]) => {
        const text = Buffer.from(data[key]!, 'base64').toString()
        return { ...data, [key]: base64(text.slice(0, end) + more) }
      })
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileValues(data), cut), async (found) => {
        const world = new World()
        world.secrets.put({ ...whole.secret, data: found } as Secret)
        expectTrust(world, await startIn(world))
      }),
      { numRuns: 80 },
    )
  })

  it('give a certificate that clients trust: the ConfigMap', async () => {
    await fc.assert(
      fc.asyncProperty(hostileValues(whole.configMap.data), async (data) => {
        const world = new World()
        world.configMaps.put({ ...whole.configMap, data } as ConfigMap)
        expectTrust(world, await startIn(world))
      }),
      { numRuns: 40 },
    )
  })

  it('give a certificate that clients trust: the webhook configurations', async () => {
    await fc.assert(
      fc.asyncProperty(hostileValues(configurations.mutating.webhooks), async (webhooks) => {
        const world = new World()
        const { port } = world.webhooks
        const { name = '' } = world.webhooks.put({ ...configurations.mutating, webhooks } as WebhookConfiguration)
          .metadata!
        const { keeper } = world.manager({ webhooks: [{ port, name }] })
        void keeper.start()
        await keeper.settled()
        for (const error of world.errors.splice(0))
          expect([(error as Error).message.includes(name), isBug(error)]).to.deep.equal([true, false])
        expectTrust(world, await startIn(world))
      }),
      { numRuns: 40 },
    )
  })

  it('give a few authorities of a Secret that is as large as it may be', async () => {
    const made = await Promise.all(
      Array.from({ length: 3 * MAX_AUTHORITIES }, (_, i) =>
        newAuthority({ notBefore: start - (i + 1) * day, notAfter: start + 300 * day }),
      ),
    )
    const times = Math.ceil(500_000 / made.length / made[0]!.certificate.length)
    const texts = {
      [dataKeys.bundle]: made.map(({ certificate }) => certificate.repeat(times)).join(''),
      [dataKeys.caKeys]: made.map(({ key }) => key.repeat(times)).join(''),
    }
    const world = new World()
    const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, base64(text)]))
    world.secrets.put({ ...whole.secret, data })
    expectTrust(world, await startIn(world))
    expect(world.bundle.match(/BEGIN/g)!.length).to.be.within(1, MAX_AUTHORITIES + 1)
  })

  it('give the certificates of a folder, or an error that names it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'given-'))
    const texts = Object.fromEntries(
      Object.entries(whole.secret.data!).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
    )
    const change = fc.tuple(
      fc.constantFrom(dataKeys.bundle, dataKeys.certificate, dataKeys.key),
      fc.nat(1_500),
      fc.oneof(fc.string(), fc.constantFrom('', other, '-----BEGIN CERTIFICATE-----\n'.repeat(40_000))),
    )
    try {
      await fc.assert(
        fc.asyncProperty(change, async ([key, end, more]) => {
          for (const [name, text] of Object.entries(texts))
            writeFileSync(join(folder, name), name === key ? text.slice(0, end) + more : text)
          try {
            const { serving, authorities } = await givenCertificates(folder, names)()
            expect([serving !== undefined, authorities.length > 0]).to.deep.equal([true, true])
          } catch (error) {
            expect((error as Error).message).to.contain(folder)
          }
        }),
        { numRuns: 100 },
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
