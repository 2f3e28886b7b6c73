import { expect } from 'chai'
import { asWall } from '../../src/base/clock.ts'
import { type EventNote, EventRecorder, type EventRecorderOptions } from '../../src/kube/event-recorder.ts'
import type { KubeEvent } from '../../src/kube/resources.ts'
import { type TestClient, testClient } from './harness.ts'
import { json, ScriptedServer, silence, status, until } from './scripted-server.ts'

const note = (more: Partial<EventNote> = {}): EventNote => ({
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'team', name: 'web', uid: 'u' },
  type: 'Warning',
  reason: 'ProfileFailed',
  action: 'LoadProfile',
  note: 'it did not load',
  ...more,
})

describe('kube event recorder', () => {
  let server: ScriptedServer
  let test: TestClient
  let recorder: EventRecorder

  const start = (options: Partial<EventRecorderOptions> = {}) => {
    recorder = new EventRecorder({
      client: test.client,
      reportingController: 'varmor.org/manager',
      reportingInstance: 'manager-0',
      clock: Object.assign(test.clock, { wall: () => asWall(1_700_000_000_000) }),
      ...options,
    })
  }
  const sent = () =>
    server.seen.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body) as KubeEvent)
  const patches = () => server.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body))
  const quiet = () => until('all answers', () => recorder.depth === 0)

  beforeEach(async () => {
    server = await ScriptedServer.start()
    server.otherwise = json({})
    test = testClient(server.url)
    start()
  })
  afterEach(async () => {
    await test.connection.close()
    await server.stop()
  })

  it('sends an event as events.k8s.io/v1 wants it', async () => {
    recorder.record(note())
    await until('the event', () => sent().length === 1)
    const [{ metadata, ...event }] = sent() as [KubeEvent]
    expect(server.seen[0]!.path).to.equal('/apis/events.k8s.io/v1/namespaces/team/events')
    expect(metadata.name).to.match(/^web\.[0-9a-f]{16}$/)
    expect(event).to.deep.equal({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      eventTime: '2023-11-14T22:13:20.000000Z',
      reportingController: 'varmor.org/manager',
      reportingInstance: 'manager-0',
      action: 'LoadProfile',
      reason: 'ProfileFailed',
      regarding: note().regarding,
      note: 'it did not load',
      type: 'Warning',
    })
  })

  it('sends what is recorded in the moment in which the one before has been sent', async () => {
    for (let turns = 0; turns < 12; turns++) {
      let count = 0
      const create = async () => {
        if (count++ > 0) return {}
        let turn = Promise.resolve()
        for (let i = 0; i < turns; i++) turn = turn.then(() => undefined)
        void turn.then(() => recorder.record(note({ reason: 'Later' })))
        return {}
      }
      start({ client: { create } as unknown as EventRecorderOptions['client'] })
      recorder.record(note())
      await until(`the second event, ${turns} turns after the first`, () => count === 2)
    }
  })

  it('puts events about what has no namespace into default', async () => {
    recorder.record(note({ regarding: { kind: 'VarmorClusterPolicy', name: 'all' } }))
    await until('the event', () => sent().length === 1)
    expect(server.seen[0]!.path).to.match(/namespaces\/default\/events$/)
  })

  it('counts the same event instead of sending it again, and writes the count once in a while', async () => {
    for (let i = 0; i < 100; i++) recorder.record(note({ note: `attempt ${i}` }))
    await until('the event', () => sent().length === 1)
    await quiet()
    await test.clock.advance(30_000)
    await until('the count', () => sent().length + patches().length === 2)
    expect(patches()).to.deep.equal([{ series: { count: 100, lastObservedTime: '2023-11-14T22:13:20.000000Z' } }])
  })

  it('starts a new Event after a long time, and writes a series again that the server forgot', async () => {
    recorder.record(note())
    await until('the event', () => sent().length === 1)
    recorder.record(note())
    server.script = [status(404, 'NotFound')]
    await test.clock.advance(30_000)
    await until('the series again', () => sent().length === 2)
    expect(sent()[1]!.series?.count).to.equal(2)
    await test.clock.advance(360_001)
    recorder.record(note())
    await until('a new event', () => sent().length === 3)
    expect(sent()[2]!.series).to.equal(undefined)
    expect(sent()[2]!.metadata.name).to.not.equal(sent()[0]!.metadata.name)
  })

  it('limits events about one object, not those about others, and lets one more through later', async () => {
    start({ burst: 3, refill: 1000 })
    const about = (name: string, reason: string) =>
      recorder.record(note({ regarding: { name, namespace: 'team' }, reason }))
    for (let i = 0; i < 10; i++) about('noisy', `Reason${i}`)
    about('quiet', 'Reason')
    await until('the events', () => sent().length === 4)
    expect(recorder.lost.rateLimited).to.equal(7)
    await test.clock.advance(1000)
    about('noisy', 'ReasonX')
    await until('one more', () => sent().length === 5)
  })

  it('is bounded while the server does not answer, counts what is lost, and ends in time', async () => {
    start({ bound: 5 })
    server.otherwise = silence
    for (let i = 0; i < 20; i++) recorder.record(note({ regarding: { name: `pod-${i}` } }))
    expect([recorder.depth, recorder.lost.queueFull]).to.be.deep.oneOf([
      [5, 15],
      [5, 14],
    ])
    const stopped = recorder.stop(5000)
    await test.clock.advance(5000)
    await stopped
    expect(recorder.lost.failed + recorder.lost.queueFull).to.equal(20)
    expect(test.clock.waiting).to.equal(0)
  })

  it('sends what waits before it ends, with the last counts', async () => {
    for (let i = 0; i < 3; i++) recorder.record(note())
    await until('the event', () => sent().length === 1)
    await quiet()
    recorder.record(note())
    await recorder.stop()
    const counts = [sent()[0]!.series?.count, ...patches().map(({ series }) => series.count)]
    expect(counts.at(-1)).to.equal(4)
    expect(recorder.lost).to.deep.equal({ rateLimited: 0, queueFull: 0, failed: 0, invalid: 0 })
    expect(test.clock.waiting).to.equal(0)
  })

  it('never throws at its caller, and counts what is no event', async () => {
    const rows = [{ regarding: {} }, { reason: '' }, { action: 'x'.repeat(129) }, { type: 'Odd' as 'Normal' }]
    for (const row of rows) recorder.record(note(row))
    recorder.record(undefined as unknown as EventNote)
    await recorder.stop()
    recorder.record(note())
    expect(recorder.lost.invalid).to.equal(6)
    expect(server.seen).to.have.length(0)
  })

  it('sends again what the server failed at, which may have come in all the same', async () => {
    server.script.push(status(504, 'Timeout'), status(409, 'AlreadyExists'), status(500, 'InternalError'))
    for (const reason of ['Came', 'CameLater']) recorder.record(note({ reason }))
    while (sent().length < 4) {
      await test.clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await quiet()
    expect(sent().map(({ reason }) => reason)).to.deep.equal(['Came', 'Came', 'CameLater', 'CameLater'])
    expect(recorder.lost).to.deep.equal({ rateLimited: 0, queueFull: 0, failed: 0, invalid: 0 })
  })

  it('counts what the server refuses', async () => {
    const lost: string[] = []
    start({ observer: { lost: (why) => void lost.push(why) } })
    server.otherwise = status(403, 'Forbidden')
    recorder.record(note())
    await until('the loss', () => recorder.lost.failed === 1)
    expect(lost).to.deep.equal(['failed'])
  })

  it('cuts a note that is too long, at a whole character', async () => {
    recorder.record(note({ note: 'ä'.repeat(1000) }))
    await until('the event', () => sent().length === 1)
    const text = sent()[0]!.note ?? ''
    expect(Buffer.byteLength(text)).to.be.within(1020, 1024)
    expect(text).to.match(/^ä+…$/)
  })
})
