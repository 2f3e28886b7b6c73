import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { expect } from 'chai'
import { asWall } from '../../src/base/clock.ts'
import { pemBlocks } from '../../src/manager/tls/pem.ts'
import { checkCertificatePolicy, defaultCertificatePolicy } from '../../src/manager/tls/plan.ts'
import {
  configurations,
  day,
  hour,
  names,
  policy,
  settled,
  start,
  started,
  trusts,
  World,
} from './certificate-world.ts'

const hooks = Object.values(configurations).flatMap(({ webhooks = [] }) => webhooks).length

describe('certificates of the manager', () => {
  it('are made, served and made known when there are none', async () => {
    const world = new World()
    const manager = world.manager()
    await started(manager)
    const leaf = new X509Certificate(manager.certificate)
    for (const name of names.slice(0, 2)) expect(leaf.checkHost(name)).to.equal(name)
    expect(leaf.checkIP('127.0.0.1')).to.equal('127.0.0.1')
    expect(trusts(world.bundle, manager.certificate, world.now)).to.equal(true)
    expect(world.caBundles).to.deep.equal(Array(hooks).fill(world.bundle))
    expect([...world.webhooks.objects.keys()]).to.deep.equal([
      'varmor-resource-mutating-webhook-cfg',
      'varmor-policy-validating-webhook-cfg',
    ])
    expect(world.configMaps.objects.get('varmor-ca')!.data).to.have.all.keys('ca.crt')
    expect(manager.keeper.isPublished).to.equal(true)
    await manager.keeper.stop()
  })

  it('are the same for managers that start at once', async () => {
    const world = new World()
    // All managers notice the missing secret before one manager writes it.
    let reading = 3
    let release: () => void = () => undefined
    const all = new Promise<void>((resolve) => {
      release = resolve
    })
    world.secrets.before = async (verb) => {
      if (verb !== 'get' || reading === 0) return
      if (--reading === 0) release()
      await all
    }
    const managers = [world.manager(), world.manager(), world.manager()]
    await started(...managers)
    expect(new Set(managers.map(({ certificate }) => certificate)).size).to.equal(1)
    expect(world.secrets.writes).to.equal(1)
    expect(world.errors).to.deep.equal([])
    for (const { keeper } of managers) await keeper.stop()
  })

  it('go on for years without a moment at which somebody trusts nothing that is served', async () => {
    const world = new World()
    const managers = [world.manager(), world.manager()]
    await started(...managers)
    const authorities = new Set<string>()
    let known = world.bundle
    let restarts = 0
    while (world.now < start + 2 * 365 * day) {
      const before = known
      known = world.bundle
      await world.clock.advance(12 * hour)
      await settled(...managers)
      for (const pem of pemBlocks(world.bundle, 'CERTIFICATE')) authorities.add(pem)
      for (const { certificate } of managers) {
        // The clocks of clients may be half a day slow.
        for (const bundle of [before, known, world.bundle, ...world.caBundles])
          if (!trusts(bundle, certificate, world.now))
            throw new Error(`untrusted at ${new Date(world.now).toISOString()}`)
      }
      if (world.random() < 0.04) {
        const at = restarts++ % 2
        await managers[at]!.keeper.stop()
        managers[at] = world.manager()
        await started(managers[at]!)
      }
    }
    expect(authorities.size).to.be.within(3, 4)
    expect(restarts).to.be.greaterThan(20)
    expect(world.errors).to.deep.equal([])
    // The managers write only for renewals, and once for each renewal.
    expect(world.secrets.writes).to.be.lessThan(60)
    expect(pemBlocks(world.secretText('ca.key'), 'PRIVATE KEY').length).to.be.at.most(2)
    for (const { keeper } of managers) await keeper.stop()
  })

  it('are replaced after the cluster was off for longer than their lifetime', async () => {
    const world = new World()
    const first = world.manager()
    await started(first)
    await first.keeper.stop()
    world.clock.jump(3 * 365 * day)
    const second = world.manager()
    await started(second)
    expect(trusts(world.bundle, second.certificate, world.now)).to.equal(true)
    expect(pemBlocks(world.bundle, 'CERTIFICATE')).to.have.length(1)
    await second.keeper.stop()
  })

  it('let a new authority sign only when it is known everywhere', async () => {
    const world = new World()
    const manager = world.manager({ backoff: { first: hour, max: 12 * hour } })
    await started(manager)
    const firstCa = pemBlocks(world.bundle, 'CERTIFICATE')[0]!
    world.webhooks.before = (verb) => {
      if (verb === 'update') throw new Error('forbidden')
    }
    for (let i = 0; i < 305 * 2 && pemBlocks(world.secretText('ca.crt'), 'CERTIFICATE').length < 3; i++) {
      await world.clock.advance(12 * hour)
      await settled(manager)
    }
    expect(world.errors.length).to.be.greaterThan(0)
    expect(manager.keeper.isPublished).to.equal(false)
    // The API server trusts only the first authority's bundle, so that certificate is served until near its end.
    expect(trusts(firstCa, manager.certificate, world.now)).to.equal(true)
    for (const caBundle of world.caBundles) expect(trusts(caBundle, manager.certificate, world.now)).to.equal(true)
    world.webhooks.before = () => undefined
    for (let i = 0; i < 60; i++) {
      await world.clock.advance(12 * hour)
      await settled(manager)
    }
    for (const caBundle of world.caBundles) expect(trusts(caBundle, manager.certificate, world.now)).to.equal(true)
    expect(manager.keeper.isPublished).to.equal(true)
    await manager.keeper.stop()
  })

  it('are put back where somebody changed them', async () => {
    const world = new World()
    const manager = world.manager()
    await started(manager)
    const bundle = world.bundle
    world.configMaps.put({ metadata: { name: 'varmor-ca' }, data: { 'ca.crt': 'x', note: 'mine' } })
    for (const [name, configuration] of world.webhooks.objects) {
      const webhooks = configuration.webhooks!.map((each) => ({
        ...each,
        failurePolicy: 'Fail',
        clientConfig: { ...each.clientConfig, caBundle: '' },
      }))
      world.webhooks.put({ ...configuration, metadata: { name }, webhooks })
    }
    manager.keeper.changed()
    manager.keeper.changed()
    await world.clock.advance(1000)
    await settled(manager)
    expect(world.caBundles).to.deep.equal(Array(hooks).fill(bundle))
    expect(world.configMaps.objects.get('varmor-ca')!.data).to.deep.equal({ 'ca.crt': bundle, note: 'mine' })
    // Fields that users may set stay unchanged.
    expect(
      [...world.webhooks.objects.values()].flatMap(({ webhooks }) => webhooks!.map((each) => each.failurePolicy)),
    ).to.deep.equal(Array(hooks).fill('Fail'))
    await manager.keeper.stop()
  })

  it('outlive a Secret that is deleted', async () => {
    const world = new World()
    const manager = world.manager()
    await started(manager)
    const { certificate } = manager
    world.secrets.objects.clear()
    manager.keeper.changed()
    await world.clock.advance(1000)
    await settled(manager)
    expect(world.secretText('tls.crt')).to.equal(certificate)
    expect(manager.served).to.have.length(1)
    await manager.keeper.stop()
  })

  const broken: { title: string; keep: (data: Record<string, string>) => Record<string, string> }[] = [
    { title: 'no PEM', keep: (data) => Object.fromEntries(Object.keys(data).map((key) => [key, 'eHg='])) },
    { title: 'no key', keep: ({ 'tls.key': _, ...data }) => data },
    { title: 'no authority', keep: ({ 'ca.crt': _, ...data }) => data },
    { title: 'no data', keep: () => ({}) },
    { title: 'the key of another', keep: (data) => ({ ...data, 'tls.key': data['ca.key']! }) },
  ]
  for (const { title, keep } of broken)
    it(`are replaced when the Secret holds ${title}`, async () => {
      const world = new World()
      const first = world.manager()
      await started(first)
      await first.keeper.stop()
      const secret = structuredClone(world.secrets.objects.get('varmor')!)
      world.secrets.put({ ...secret, data: keep(secret.data!) })
      const second = world.manager()
      await started(second)
      expect(trusts(world.bundle, second.certificate, world.now)).to.equal(true)
      expect(world.secretText('tls.crt')).to.equal(second.certificate)
      await second.keeper.stop()
    })

  it('gain a name that a manager is reached by, and keep those of the others', async () => {
    const world = new World()
    const first = world.manager()
    await started(first)
    const second = world.manager({ names: ['elsewhere.example', 'fd00::1'] })
    await started(second)
    const leaf = new X509Certificate(second.certificate)
    expect(leaf.checkHost('elsewhere.example')).to.equal('elsewhere.example')
    expect(leaf.checkIP('fd00::1')).to.equal('fd00::1')
    expect(leaf.checkHost(names[0]!)).to.equal(names[0])
    const { writes } = world.secrets
    first.keeper.changed()
    await world.clock.advance(1000)
    await settled(first)
    expect(world.secrets.writes).to.equal(writes)
    expect(first.certificate).to.equal(second.certificate)
    for (const { keeper } of [first, second]) await keeper.stop()
  })

  it('wait for an API server that is away', async () => {
    const world = new World()
    let failures = 3
    world.secrets.before = () => {
      if (failures-- > 0) throw new Error('connection refused')
    }
    const manager = world.manager()
    const running = manager.keeper.start()
    for (let i = 0; i < 10; i++) {
      await settled(manager)
      await world.clock.advance(2000)
    }
    await running
    expect(world.errors).to.have.length(3)
    expect(manager.keeper.failures).to.equal(3)
    expect(manager.served).to.have.length(1)
    await settled(manager)
    await manager.keeper.stop()
  })

  for (const [what, by] of [
    ['an hour', 3_600_000],
    ['a year', 31_536_000_000],
    ['ten years', 315_360_000_000],
  ] as const)
    it(`are valid again once a clock that was ${what} ahead is set right`, async () => {
      const world = new World()
      let ahead: number = by
      const manager = world.manager({ wallClock: () => asWall(world.now + ahead) })
      await started(manager)
      ahead = 0
      await world.clock.advance(24 * 3_600_000)
      await settled(manager)
      const { validFrom, validTo } = new X509Certificate(manager.certificate)
      expect(Date.parse(validFrom)).to.be.at.most(world.now)
      expect(Date.parse(validTo)).to.be.above(world.now)
      await manager.keeper.stop()
    })

  it('vouch for nothing once what is served has ended', async () => {
    const world = new World()
    let ahead = 0
    const manager = world.manager({ wallClock: () => asWall(world.now + ahead) })
    await started(manager)
    expect(manager.keeper.isPublished).to.equal(true)
    ahead = manager.keeper.expiries!.serving - world.now + 1
    expect(manager.keeper.isPublished).to.equal(false)
    await manager.keeper.stop()
  })

  it('do not hold up the end of a manager whose API server does not answer', async () => {
    const world = new World()
    const silence = new Promise<never>(() => undefined)
    const manager = world.manager({ secrets: { ...world.secrets.port, get: () => silence } })
    void manager.keeper.start()
    let isOver = false
    const stopping = manager.keeper.stop(3_000).then(() => {
      isOver = true
    })
    await world.clock.advance(2_999)
    expect(isOver).to.equal(false)
    await world.clock.advance(1)
    await stopping
  })

  it('refuse times that leave a gap', () => {
    expect(() => checkCertificatePolicy(defaultCertificatePolicy)).to.not.throw()
    expect(() => checkCertificatePolicy({ ...policy, authorityRenewBefore: 5 * day })).to.throw(RangeError)
    expect(() => checkCertificatePolicy({ ...policy, servingRenewBefore: 31 * day })).to.throw(RangeError)
  })

  it('convince a TLS client, also in the middle of a change of authorities', async () => {
    // The TLS library uses the machine's clock, so the simulated time starts early enough to end at it.
    const days = 305
    const world = new World(Date.now() - days * day)
    const manager = world.manager()
    await started(manager)
    const old = world.bundle
    for (let i = 0; i < days; i++) {
      await world.clock.advance(day)
      await settled(manager)
    }
    expect(pemBlocks(world.bundle, 'CERTIFICATE')).to.have.length(2)
    const server: Server = createServer(manager.served.at(-1)!)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const verdict = (ca: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', ca, rejectUnauthorized: false }, () => {
          resolve(String(socket.authorizationError ?? 'authorized'))
          socket.destroy()
        })
      })
    expect(await verdict(world.bundle)).to.equal('authorized')
    expect(await verdict(old)).to.be.oneOf(['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'])
    await manager.keeper.stop()
    await new Promise((resolve) => server.close(resolve))
  })
})
