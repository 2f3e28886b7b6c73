import { expect } from 'chai'
import fc from 'fast-check'
import { Mailbox, type MailboxOptions, mailboxPolicy } from '../../../actors/runtime/mailbox.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { actorOf } from './behaviours.ts'

type Level = { key: string | undefined; value: number }

const levels = (text: string): Level[] =>
  text.split(' ').map((word) => {
    const key = word.replace(/\d/g, '')
    return { key: key === '' ? undefined : key, value: Number(word.replace(/\D/g, '')) }
  })

const print = (messages: readonly Level[]): string => messages.map(({ key, value }) => `${key ?? ''}${value}`).join(' ')

/** The messages that an actor with this mailbox receives when all messages are sent at once. */
async function received(mailbox: MailboxOptions<Level>, sent: string) {
  const simulation = new Simulation()
  const got: Level[] = []
  const actor = actorOf<undefined, Level>(
    simulation.system,
    { start: () => undefined, receive: (_, message) => void got.push(message) },
    { mailbox },
  )
  const taken = levels(sent).map((message) => actor.tell(message))
  await simulation.settle()
  const { coalesced, deadLetters, queued } = simulation.system.stats().total
  return { got: print(got), refused: taken.filter((was) => !was).length, coalesced, deadLetters, queued }
}

const coalesce = ({ key }: Level): string | undefined => key

describe('mailbox', () => {
  it('rejects what finds it full, and says so to the sender', async () => {
    const { got, refused, deadLetters, queued } = await received({ capacity: 3 }, '1 2 3 4 5')
    expect(got).to.equal('1 2 3')
    expect(refused).to.equal(2)
    expect(deadLetters['mailbox-full']).to.equal(2)
    expect(queued).to.equal(0)
  })

  it('replaces an older message of the key in its place', async () => {
    const { got, coalesced } = await received({ coalesce }, 'a1 b1 7 a2 b2 8 a3')
    expect(got).to.equal('a3 b2 7 8')
    expect(coalesced).to.equal(3)
  })

  it('replaces even when it is full, so a level-triggered message always gets through', async () => {
    const { got, refused } = await received({ capacity: 2, coalesce }, 'a1 b1 a2 c1 b2')
    expect(got).to.equal('a2 b2')
    expect(refused).to.equal(1)
  })

  it('never replaces a message of an ask', async () => {
    const { system } = new Simulation()
    const actor = actorOf<undefined, { key: string; value: number }>(
      system,
      { start: () => undefined, receive: () => undefined },
      { mailbox: { coalesce } },
    )
    const ask = (actor as unknown as { ask(message: unknown): Promise<unknown> }).ask({ key: 'a', value: 1 })
    actor.tell({ key: 'a', value: 2 })
    expect(system.stats().total).to.include({ coalesced: 0, queued: 2 })
    await ask.then(
      () => expect.fail('there is no reply'),
      (error) => expect(error.code).to.equal('NO_REPLY'),
    )
  })

  it('needs room for at least one message', () => {
    expect(() => mailboxPolicy({ capacity: 0 })).to.throw(RangeError)
  })

  it('is a queue with replacement, whatever is pushed and taken', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const), key: fc.constantFrom('a', 'b', 'c', undefined) }),
      fc.record({ do: fc.constant('take' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const mailbox = new Mailbox()
        mailbox.open(mailboxPolicy<Level>({ coalesce }))
        const model: { message: Level }[] = []
        let value = 0
        for (const { do: what, ...rest } of steps) {
          const key = 'key' in rest ? rest.key : undefined
          const message = { key, value: value++ }
          const older = key === undefined ? undefined : model.find((entry) => entry.message.key === key)
          if (what === 'take') {
            if (model.length > 0) expect(mailbox.take()).to.equal(model.shift()?.message)
          } else if (older !== undefined) {
            expect(mailbox.replace(key!, message)).to.equal(true)
            older.message = message
          } else {
            if (key === undefined) mailbox.push(message, undefined)
            else {
              expect(mailbox.replace(key, message)).to.equal(false)
              mailbox.pushKeyed(message, key)
            }
            model.push({ message })
          }
          expect(mailbox.size).to.equal(model.length)
        }
        expect(model.map(() => mailbox.take())).to.deep.equal(model.map((entry) => entry.message))
      }),
    )
  })
})
