import { expect } from 'chai'
import type { ProfileStatus, WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import { LIVENESS_PATH, READINESS_PATH, Readiness, serveHealth } from '../../../src/agent/lifecycle/readiness.ts'
import { noLogger } from '../../../src/base/logger.ts'

const wanted = (generation = 1, leaving = false): WantedProfile => ({
  uid: 'u1',
  generation,
  profile: 'varmor-a',
  leaving,
  contents: new Map(),
})
const standing = (more: Partial<ProfileStatus> = {}): ProfileStatus => ({
  key: 'demo/a',
  uid: 'u1',
  generation: 1,
  state: 'loaded',
  enforcers: [],
  ...more,
})

describe('readiness of an agent', () => {
  const rows: [title: string, wants: WantedProfile[], stands: ProfileStatus[], ready: boolean, strict: boolean][] = [
    ['nothing is wanted', [], [], true, true],
    ['all is loaded', [wanted()], [standing()], true, true],
    ['nothing is known of a profile', [wanted()], [], false, false],
    ['an older generation is loaded', [wanted(2)], [standing()], false, false],
    [
      'the profile of an earlier ArmorProfile of the same name is loaded',
      [wanted()],
      [standing({ uid: 'u0' })],
      false,
      false,
    ],
    ['a profile is being tried again', [wanted()], [standing({ state: 'failed', passing: true })], false, false],
    [
      'a profile is refused',
      [wanted()],
      [standing({ state: 'failed', passing: false, message: 'no AppArmor' })],
      true,
      false,
    ],
    ['a profile is on its way out', [wanted(1, true)], [], true, true],
  ]
  for (const [title, wants, stands, ready, strictly] of rows)
    it(`is ${ready}, and strictly ${strictly}, when ${title}`, () => {
      for (const strict of [false, true]) {
        const entries = () => wants.map((one): [string, WantedProfile] => ['demo/a', one])
        const readiness = new Readiness({ wanted: { entries }, strict })
        for (const one of stands) readiness.set(one)
        expect(readiness.report().ready).to.equal(false)
        readiness.listed()
        expect(readiness.report().ready).to.equal(strict ? strictly : ready)
      }
    })

  it('is false while there is a problem beside profiles, which it names', () => {
    let problems = ['a.yaml: no']
    const readiness = new Readiness({ wanted: { entries: () => [] }, problems: () => problems })
    readiness.listed()
    expect(readiness.report()).to.deep.include({ ready: false, problems: ['a.yaml: no'] })
    problems = []
    expect(readiness.report()).to.include({ ready: true }).and.not.to.have.property('problems')
  })

  it('is true, and says so, where nothing of what is enforced is reported', () => {
    const none = { why: 'the kernel does not write audit records', remedy: 'start it without audit=0' }
    let unreported: typeof none | undefined = none
    const readiness = new Readiness({ wanted: { entries: () => [] }, strict: true, unreported: () => unreported })
    readiness.listed()
    expect(readiness.report()).to.deep.include({ ready: true, unreported: none })
    unreported = undefined
    expect(readiness.report()).not.to.have.property('unreported')
  })

  it('counts restarts of parts', () => {
    const counts = { containerWatch: 0, violations: 0 }
    const readiness = new Readiness({ wanted: { entries: () => [] }, restarts: () => counts })
    readiness.listed()
    expect(readiness.report()).not.to.have.property('restarts')
    counts.violations = 2
    expect(readiness.report()).to.deep.include({ ready: true, restarts: { violations: 2 } })
  })

  it('is served with what is missing', async () => {
    const entries = (): [string, WantedProfile][] => [
      ['demo/a', wanted()],
      ['demo/b', wanted()],
      ['demo/c', wanted()],
    ]
    const readiness = new Readiness({ wanted: { entries } })
    const server = await serveHealth(readiness, { port: 0, host: '127.0.0.1' }, noLogger)
    const ask = async (path: string, method = 'GET') => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
      const isJson = answer.headers.get('content-type') === 'application/json' && method !== 'HEAD'
      return { status: answer.status, body: isJson ? await answer.json() : await answer.text() }
    }
    try {
      readiness.listed()
      readiness.set(standing())
      readiness.set(standing({ key: 'demo/b', state: 'failed', message: 'why' }))
      expect(await ask(`${READINESS_PATH}?verbose`)).to.deep.equal({
        status: 503,
        body: {
          ready: false,
          listed: true,
          wanted: 3,
          loaded: 1,
          pending: ['demo/c'],
          failed: [{ profile: 'demo/b', message: 'why' }],
        },
      })
      expect(readiness.whole).to.equal(false)
      readiness.set(standing({ key: 'demo/c' }))
      expect(readiness.whole).to.equal(true)
      expect((await ask(READINESS_PATH)).status).to.equal(200)
      expect((await ask(READINESS_PATH, 'HEAD')).status).to.equal(200)
      expect((await ask(LIVENESS_PATH)).body).to.deep.equal({ alive: true })
      expect((await ask('/')).status).to.equal(404)
      expect((await ask(READINESS_PATH, 'POST')).status).to.equal(405)
    } finally {
      await server.drain(1_000)
    }
  })
})
