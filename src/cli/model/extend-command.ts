import { createHash } from 'node:crypto'
import type { ArmorProfileModel } from '../../api/types.ts'
import { fromDynamicResult } from '../../model/behaviour.ts'
import { Allowed } from '../../model/compare/differences.ts'
import { alone, type Fact, factOf } from '../../model/compare/violation-facts.ts'
import { columns } from '../columns.ts'
import { enforcerOf } from '../logs/attempted-operation.ts'
import { textOf } from '../logs/violation.ts'
import { misuse } from '../misuse.ts'
import { print, printable, printData } from '../output.ts'
import { readEvents } from '../policy/read-events.ts'
import { madeModel } from './made-model.ts'
import { filled } from './model-commands.ts'
import { complain, type ModelArguments, modelFrom, placeOf, Trouble } from './model-source.ts'

export interface ExtendArguments extends ModelArguments {
  from: string
  only?: string[]
  all: boolean
  generalise: boolean
  output: 'json' | 'yaml'
}

/** A possible addition to a model, which is offered to the user. */
interface Offer {
  id: string
  what: string
  count: number
  /** The pod of the first violation that shows this addition. */
  pod: string
  fact: Fact
}

/** Maximum offers. A log with more different violations cannot belong to the model's workload. */
const MAX_OFFERS = 10_000

/**
 * The id of an offer. It is a hash, so that it stays the same when the log grows. It is long, because processes in the
 * container influence the lines, and could forge a collision with a short hash.
 */
const idOf = (what: string): string => createHash('sha256').update(what).digest('hex').slice(0, 32)

/**
 * Lists the violations of a log that the model does not allow, each with an id, or prints the model extended by all or
 * by chosen violations. Returns the exit status.
 */
export async function extendCommand(source: string, given: ExtendArguments): Promise<number> {
  try {
    const model = filled(await modelFrom(source, given), source)
    const offers = await offersOf(given.from, model)
    const { only } = given
    const wrong = only?.find((id) => !offers.some((offer) => offer.id === id))
    if (wrong !== undefined)
      return complain(
        new Trouble(`--only ${wrong}: no violation has this id; leave out --only to list all ${offers.length}`),
        misuse,
      )
    if (only !== undefined)
      await extend(
        model,
        offers.filter(({ id }) => only.includes(id)),
        given,
      )
    else if (given.all) await extend(model, offers, given)
    else show(offers)
    return 0
  } catch (error) {
    return complain(error, 1)
  }
}

async function extend(model: ArmorProfileModel, offers: readonly Offer[], given: ExtendArguments): Promise<void> {
  const behaviour = fromDynamicResult(model.data.dynamicResult ?? {})
  for (const { what, fact } of offers) {
    fact(behaviour)
    process.stderr.write(`${printable(`added: ${what}`)}\n`)
  }
  await printData(madeModel(behaviour, placeOf(model), given.generalise), given.output)
}

interface Others {
  profiles: number
  noFact: number
}

/** @throws {Trouble} if the log cannot be read */
async function offersOf(file: string, model: ArmorProfileModel): Promise<Offer[]> {
  const { name } = placeOf(model)
  const offers = new Map<string, Offer>()
  const allowed = new Allowed(model.data.dynamicResult ?? {})
  const others: Others = { profiles: 0, noFact: 0 }
  const { broken, missing } = await readEvents(file, undefined, ({ fields, event }) => {
    if (textOf(fields, 'profileName') !== name) others.profiles += 1
    else if (!offer(fields, event, allowed, offers)) others.noFact += 1
    if (offers.size <= MAX_OFFERS) return
    throw new Trouble(`${file}: has more than ${MAX_OFFERS} different violations of ${name}: record the workload again`)
  })
  say(file, others.profiles, `about profiles other than ${name}`)
  say(file, others.noFact, 'about operations that a model cannot contain; varmor logs shows them')
  say(file, broken.count, `not a violation; the first: ${broken.first}`)
  for (const problem of missing) process.stderr.write(`${printable(`lines may be missing: ${problem}`)}\n`)
  return [...offers.values()].sort((a, b) => (a.what < b.what ? -1 : 1))
}

function say(file: string, count: number, what: string): void {
  const lines = count === 1 ? '1 line is' : `${count} lines are`
  if (count > 0) process.stderr.write(`${printable(`${file}: ${lines} ${what}`)}\n`)
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Offers the behaviour that a line shows, unless the model allows it already. @returns whether a model can contain it
 */
function offer(fields: Fields, event: Fields, allowed: Allowed, offers: Map<string, Offer>): boolean {
  const fact = factOf(enforcerOf(fields), event)
  if (fact === undefined) return false
  const missing = allowed.missing(alone(fact).toDynamicResult())
  if (missing.length === 0) return true
  const what = missing.map(({ enforcer, kind, what: text }) => `${enforcer} ${kind}: ${text}`).join('; ')
  const known = offers.get(what)
  if (known !== undefined) known.count += 1
  else offers.set(what, { id: idOf(what), what, count: 1, pod: textOf(fields, 'podName'), fact })
  return true
}

function show(offers: readonly Offer[]): void {
  if (offers.length === 0) {
    print('Nothing to add: the model allows every violation of this log that a model can allow.')
    return
  }
  const rows = offers.map(({ id, what, count, pod }) =>
    [id, count === 1 ? '1 time' : `${count} times`, pod, what].map(printable),
  )
  print(
    `${columns(rows)}\n\nAdd all with --all, or some with --only ID,ID; the command then prints the extended model.`,
  )
}
