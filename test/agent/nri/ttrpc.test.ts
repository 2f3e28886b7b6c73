import { expect } from 'chai'
import fc from 'fast-check'
import { NriError } from '../../../src/agent/nri/nri-error.ts'
import {
  type ConfigureRequest,
  type ContainerRequest,
  decodeMessage,
  encodeMessage,
  nriPackage,
  type SynchronizeRequest,
} from '../../../src/agent/nri/nri-messages.ts'
import { described } from '../../../src/agent/nri/starting-container.ts'
import { type Answer, maxUnanswered, TtrpcClient, TtrpcServer } from '../../../src/agent/nri/ttrpc-ends.ts'
import { MessageReader, maxBody, messageBytes, type TtrpcMessage } from '../../../src/agent/nri/ttrpc-message.ts'
import { cut, places } from './cut.ts'
import { container, pod } from './fake-runtime.ts'

const read = (pieces: readonly Buffer[]): TtrpcMessage[] => {
  const messages: TtrpcMessage[] = []
  const reader = new MessageReader()
  for (const piece of pieces) reader.push(piece, (message) => void messages.push(message))
  return messages
}

const message = fc
  .record({
    stream: fc.nat(2 ** 31),
    type: fc.nat(255),
    flags: fc.nat(255),
    bytes: fc.uint8Array({ maxLength: 5_000 }),
  })
  .map(({ bytes, ...rest }): TtrpcMessage => ({ ...rest, body: Buffer.from(bytes) }))

describe('messages of ttrpc', () => {
  it('have the length, the stream, the type and the flags before the body', () => {
    const bytes = messageBytes({ stream: 3, type: 2, flags: 1, body: Buffer.from('ab') })
    expect(bytes.toString('hex')).to.equal('000000020000000302016162')
  })

  it('are read as they were written, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), places, (messages, cuts) => {
        expect(read(cut(Buffer.concat(messages.map(messageBytes)), cuts))).to.deep.equal(messages)
      }),
    )
  })

  it('have 4 MiB at the most, in both directions', () => {
    const largest = { stream: 1, type: 1, flags: 0, body: Buffer.alloc(maxBody) }
    expect(read([messageBytes(largest)])[0]!.body).to.have.length(maxBody)
    expect(() => messageBytes({ ...largest, body: Buffer.alloc(maxBody + 1) })).to.throw(NriError, 'the limit of ttrpc')
    const header = Buffer.alloc(10)
    header.writeUInt32BE(maxBody + 1)
    expect(() => read([header])).to.throw(NriError, 'the limit of ttrpc')
  })
})

/** A server that holds each request until a test answers it. */
class World {
  readonly sent: Buffer[] = []
  readonly failures: unknown[] = []
  readonly waiting: (() => void)[] = []
  readonly server = new TtrpcServer({
    methods: new Map<string, Answer>([
      ['s/echo', (payload) => payload],
      ['s/wait', (payload) => new Promise<Buffer>((resolve) => void this.waiting.push(() => resolve(payload)))],
      ['s/fail', () => Promise.reject(new Error('broken'))],
    ]),
    send: (bytes) => void this.sent.push(bytes),
    fail: (error) => void this.failures.push(error),
  })

  ask(stream: number, method: string, payload = ''): void {
    const body = encodeMessage('ttrpc.Request', { service: 's', method, payload: Buffer.from(payload) })
    this.server.push(messageBytes({ stream, type: 1, flags: 0, body }))
  }

  get answers(): string[] {
    return read(this.sent).map(({ stream, type, body }) => {
      const { status, payload } = decodeMessage<{ status: { code: number } | null; payload: Buffer }>(
        'ttrpc.Response',
        body,
      )
      return `${stream} type ${type}: ${status === null ? payload.toString() : `code ${status.code}`}`
    })
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a server of ttrpc', () => {
  it('answers each request under its number, when its answer is there', async () => {
    const world = new World()
    world.ask(1, 'wait', 'slow')
    world.ask(3, 'echo', 'fast')
    await turn()
    expect(world.answers).to.deep.equal(['3 type 2: fast'])
    world.waiting[0]!()
    await turn()
    expect(world.answers).to.deep.equal(['3 type 2: fast', '1 type 2: slow'])
  })

  it('answers UNIMPLEMENTED to what it does not know, and goes on', async () => {
    const world = new World()
    for (const [index, method] of ['nothing', 'constructor', '__proto__', 'echo'].entries())
      world.ask(2 * index + 1, method)
    await turn()
    expect(world.answers).to.deep.equal(['1 type 2: code 12', '3 type 2: code 12', '5 type 2: code 12', '7 type 2: '])
    expect(world.failures).to.deep.equal([])
  })

  it('fails as a whole where an answer fails, and sends none', async () => {
    const world = new World()
    world.ask(1, 'fail')
    await turn()
    expect(world.answers).to.deep.equal([])
    expect(world.failures.map(String)).to.deep.equal(['Error: broken'])
  })

  it(`holds at most ${maxUnanswered} requests`, () => {
    const world = new World()
    for (let index = 0; index < maxUnanswered; index++) world.ask(2 * index + 1, 'wait')
    expect(() => world.ask(2 * maxUnanswered + 1, 'wait')).to.throw(NriError, 'without an answer')
  })

  const wrong: { what: string; message: Partial<TtrpcMessage>; says: string }[] = [
    { what: 'an answer', message: { type: 2 }, says: 'type 2' },
    { what: 'a part of a stream', message: { type: 3 }, says: 'type 3' },
    { what: 'an even number', message: { stream: 4 }, says: 'number 4' },
    { what: 'a number that was there', message: { stream: 1 }, says: 'number 1 after 1' },
    {
      what: 'a body that is no request',
      message: { body: Buffer.from([0xff, 0xff]) },
      says: 'are not a ttrpc.Request',
    },
  ]
  for (const { what, message, says } of wrong)
    it(`refuses ${what}`, () => {
      const world = new World()
      world.ask(1, 'echo')
      const bytes = messageBytes({ stream: 3, type: 1, flags: 0, body: Buffer.alloc(0), ...message })
      expect(() => world.server.push(bytes)).to.throw(NriError, says)
    })

  it('takes any bytes for requests or refuses them by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), places, (bytes, framed, cuts) => {
        const world = new World()
        const body = Buffer.from(bytes)
        const stream = framed ? messageBytes({ stream: 1, type: 1, flags: 0, body }) : body
        try {
          for (const piece of cut(stream, cuts)) world.server.push(piece)
        } catch (error) {
          expect(error).to.be.instanceOf(NriError)
        }
      }),
    )
  })
})

describe('a client of ttrpc', () => {
  const answer = (client: TtrpcClient, stream: number, response: object): void =>
    client.push(messageBytes({ stream, type: 2, flags: 0, body: encodeMessage('ttrpc.Response', response) }))

  it('counts up in odd numbers, and finds the call of each answer', async () => {
    const sent: Buffer[] = []
    const client = new TtrpcClient((bytes) => void sent.push(bytes))
    const calls = ['a', 'b'].map((method) => client.call('s', method, Buffer.alloc(0), 1_000))
    expect(read(sent).map(({ stream, type }) => [stream, type])).to.deep.equal([
      [1, 1],
      [3, 1],
    ])
    answer(client, 3, { payload: Buffer.from('of b') })
    answer(client, 1, { status: { code: 3, message: 'no' } })
    expect((await calls[1]!).toString()).to.equal('of b')
    const error = await calls[0]!.catch((error: unknown) => error)
    expect(error).to.be.instanceOf(NriError).and.include({ code: 'REFUSED', message: 's/a: no (INVALID_ARGUMENT)' })
  })

  it('refuses an answer to nothing', () => {
    const client = new TtrpcClient(() => undefined)
    expect(() => answer(client, 1, {})).to.throw(NriError, 'without a request')
  })
})

describe('messages of NRI', () => {
  const types = ['ConfigureRequest', 'SynchronizeRequest', 'StartContainerRequest', 'StateChangeEvent']
  const whole = (type: string): Buffer =>
    encodeMessage(`${nriPackage}.${type}`, {
      ...{ runtimeName: 'containerd', requestTimeout: '2000', event: 'START_CONTAINER', pod, pods: [pod], more: true },
      ...{ container: container('a', { pid: 7 }), containers: [container('a'), container('b')] },
    })

  it('are what their types say, or are refused, whatever bytes come', () => {
    const bytes = fc.constantFrom(...types).chain((type) =>
      fc.record({
        type: fc.constant(type),
        bytes: fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc
            .array(fc.tuple(fc.nat(whole(type).length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
            .map((changes) => {
              const changed = Buffer.from(whole(type))
              for (const [at, byte] of changes) changed[at] = byte
              return changed
            }),
        ),
      }),
    )
    fc.assert(
      fc.property(bytes, ({ type, bytes }) => {
        let message: Partial<SynchronizeRequest & ContainerRequest & ConfigureRequest>
        try {
          message = decodeMessage(`${nriPackage}.${type}`, Buffer.from(bytes))
        } catch (error) {
          expect(error).to.be.instanceOf(NriError).and.include({ code: 'PROTOCOL' })
          return
        }
        expect(message.requestTimeout ?? '0').to.match(/^-?\d+$/)
        for (const one of [...(message.containers ?? []), message.container ?? undefined]) {
          if (one === undefined) continue
          const { containerID, labels, annotations, podLabels, initPid = 1 } = described(one, message.pod)
          for (const text of [containerID, ...[labels, annotations, podLabels].flatMap((all) => Object.values(all))])
            expect(text).to.be.a('string')
          expect(initPid).to.be.within(1, 2 ** 32 - 1)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
