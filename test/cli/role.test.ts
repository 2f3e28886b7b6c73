import { EventEmitter } from 'node:events'
import { expect } from 'chai'
import { parseMetadata } from '../../src/cli/metadata.ts'
import { type Role, runRole } from '../../src/cli/role.ts'
import { textLine } from '../../src/cli/role-logger.ts'
import { EnforcerError } from '../../src/enforcer/enforcer-error.ts'

class FakeRole implements Role {
  readonly calls: string[] = []
  readonly #steps: { start?: () => Promise<void>; stop?: () => Promise<void> }
  readonly status = { profiles: 3 }

  constructor(steps: { start?: () => Promise<void>; stop?: () => Promise<void> } = {}) {
    this.#steps = steps
  }

  async start(): Promise<void> {
    this.calls.push('start')
    await this.#steps.start?.()
  }

  async stop(): Promise<void> {
    this.calls.push('stop')
    await this.#steps.stop?.()
  }
}

const forEver = () => new Promise<void>(() => undefined)

describe('a role', () => {
  const setUp = (role: FakeRole, timeout?: number) => {
    const signals = new EventEmitter()
    const said: string[] = []
    const log = (context: object, message: string) => void said.push(`${message} ${JSON.stringify(context)}`)
    const logger = { info: log, error: log }
    const running = runRole(role, { name: 'manager', logger, signals, ...(timeout !== undefined && { timeout }) })
    return { signals, said, running }
  }

  for (const signal of ['SIGTERM', 'SIGINT'])
    it(`ends with status 0 when ${signal} comes, and leaves no listener`, async () => {
      const role = new FakeRole()
      const { signals, running } = setUp(role)
      signals.emit(signal)
      expect(await running).to.equal(0)
      expect(role.calls).to.deep.equal(['start', 'stop'])
      expect(signals.listenerCount('SIGUSR1')).to.equal(0)
    })

  it('ends also while it is still starting', async () => {
    const role = new FakeRole({ start: forEver })
    const { signals, running } = setUp(role)
    signals.emit('SIGTERM')
    expect(await running).to.equal(0)
    expect(role.calls).to.deep.equal(['start', 'stop'])
  })

  it('ends with status 1, and what is to be mended in words, when it cannot start', async () => {
    const refused = Object.assign(new Error('port 8080 is taken'), { code: 'EADDRINUSE' })
    const role = new FakeRole({ start: () => Promise.reject(refused) })
    const { running, said } = setUp(role)
    expect(await running).to.equal(1)
    expect(said).to.deep.equal(['the manager failed and stops {"code":"EADDRINUSE","reason":"port 8080 is taken"}'])
    expect(role.calls).to.deep.equal(['start', 'stop'])
  })

  it('names the reason that an enforcer gives', async () => {
    const context = { path: '/x', reason: 'permission denied' }
    const role = new FakeRole({ start: () => Promise.reject(new EnforcerError('IO', 'list the profiles', context)) })
    const { running, said } = setUp(role)
    expect(await running).to.equal(1)
    expect(said[0]).to.match(/"code":"IO","reason":"list the profiles: permission denied \(path \/x\)"/)
  })

  it('does not wait for ever for an end that does not come', async () => {
    const { signals, running, said } = setUp(new FakeRole({ stop: forEver }), 5)
    signals.emit('SIGTERM')
    expect(await running).to.equal(1)
    expect(said.at(-1)).to.match(/did not stop in time.*"status":{"profiles":3}/)
  })

  it('ends at once on a second signal', async () => {
    const role = new FakeRole({ stop: forEver })
    const { signals, running, said } = setUp(role)
    signals.emit('SIGINT')
    while (!role.calls.includes('stop')) await new Promise((resolve) => setImmediate(resolve))
    signals.emit('SIGINT')
    expect(await running).to.equal(1)
    expect(said.at(-1)).to.match(/a second signal stopped the manager at once/)
  })

  it('says how it stands on SIGUSR1', async () => {
    const { signals, running, said } = setUp(new FakeRole())
    signals.emit('SIGUSR1')
    signals.emit('SIGTERM')
    await running
    expect(said[0]).to.equal('status {"status":{"profiles":3}}')
  })
})

describe('the log as text', () => {
  const time = '2026-01-02T03:04:05.000Z'
  const rows: [what: string, fields: object, text: string][] = [
    ['a message alone', { level: 30, time, msg: 'it runs' }, `${time} INFO  it runs`],
    ['plain values', { level: 40, time, msg: 'm', a: 1, b: 'x/y.z', c: true }, `${time} WARN  m a=1 b=x/y.z c=true`],
    ['a text with spaces and line ends', { level: 50, time, msg: 'm', a: 'x\ny z' }, `${time} ERROR m a="x\\ny z"`],
    ['an object', { level: 20, time, msg: 'm', a: { b: [1] } }, `${time} DEBUG m a={"b":[1]}`],
    [
      'an error',
      { level: 50, time, msg: 'm', err: { message: 'e', stack: 'e\n at x' } },
      `${time} ERROR m err="e\\n at x"`,
    ],
    ['a message that would begin a line', { level: 30, time, msg: 'a\nb' }, `${time} INFO  a\\u000ab`],
  ]
  for (const [what, fields, text] of rows)
    it(`is one line for ${what}`, () => expect(textLine(JSON.stringify(fields))).to.equal(`${text}\n`))
})

describe('metadata of violations', () => {
  const rows: [what: string, flag: string, json: string, value: object | RegExp][] = [
    ['nothing', '', '{}', {}],
    ['the flag', 'a=1, b=x=y', '{}', { a: '1', b: 'x=y' }],
    ['the environment', '', '{"clusterID":"c","n":{"m":1}}', { clusterID: 'c', n: { m: 1 } }],
    ['the flag over the environment', 'a=2', '{"a":1,"b":2}', { a: '2', b: 2 }],
    ['a pair without a key', '=1', '{}', /KEY=VALUE/],
    ['no JSON', '', '{', /not a JSON object/],
    ['a list', '', '[]', /not a JSON object/],
    ['null', '', 'null', /not a JSON object/],
  ]
  for (const [what, flag, json, value] of rows)
    it(`from ${what}`, () => {
      const parsed = parseMetadata(flag, json)
      if (value instanceof RegExp) expect(parsed).to.have.property('problem').that.matches(value)
      else expect(parsed).to.deep.equal({ ok: true, value })
    })

  it('keeps a key that objects have of themselves as data', () => {
    const parsed = parseMetadata('__proto__=x', '{}')
    expect(parsed.ok && JSON.stringify(parsed.value)).to.equal('{"__proto__":"x"}')
  })
})
