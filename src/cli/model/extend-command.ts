import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ArmorProfileModel } from '../../api/types.ts'
import { fromDynamicResult } from '../../model/behaviour.ts'
import { onlyIn } from '../../model/compare/differences.ts'
import { alone, type Fact, factOf } from '../../model/compare/violation-facts.ts'
import { columns } from '../columns.ts'
import { isSystemError, reasonOf } from '../input.ts'
import { enforcerOf } from '../logs/attempted-operation.ts'
import { parseViolation, textOf } from '../logs/violation.ts'
import { misuse } from '../misuse.ts'
import { print, printable, printData } from '../output.ts'
import { madeModel } from './made-model.ts'
import { type ClusterArguments, complain, placeOf, readModel } from './model-source.ts'

export interface ExtendArguments extends ClusterArguments {
  from: string
  only?: number[]
  all: boolean
  generalise: boolean
  output: 'json' | 'yaml'
}

/** Something that can be added to a model. */
interface Offer {
  what: string
  count: number
  /** Where it was seen first. */
  pod: string
  fact: Fact
}

/** Offers that are shown at once; a log with more of them is not one of a workload that a model was made for. */
const MAX_OFFERS = 10_000

/**
 * Shows what of a log of violations the model lacks, numbered, or prints the model with all or some of it added. Returns the
 * exit status.
 */
export async function extendCommand(source: string, given: ExtendArguments): Promise<number> {
  const model = await readModel(source, given)
  if (model === undefined) return 1
  const offers = await offersOf(given.from, model.object)
  if (offers === undefined) return 1
  if (!given.all && given.only === undefined) {
    show(offers)
    return 0
  }
  const chosen = given.all ? offers : choose(offers, given.only ?? [])
  if (chosen === undefined) return misuse
  const behaviour = fromDynamicResult(model.object.data.dynamicResult ?? {})
  for (const { fact } of chosen) fact(behaviour)
  const made = madeModel(behaviour, placeOf(model.object), given.generalise)
  if (made === undefined) return 1
  await printData(made, given.output)
  return 0
}

/** A log may be larger than what other commands read at once. */
function linesOf(file: string): AsyncIterable<string> {
  return createInterface({
    input: file === '-' ? process.stdin : createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
}

async function offersOf(file: string, model: ArmorProfileModel): Promise<Offer[] | undefined> {
  const { name } = placeOf(model)
  const offers = new Map<string, Offer>()
  const others = { profiles: 0, noFact: 0, noLine: 0 }
  try {
    for await (const line of linesOf(file)) {
      if (line.trim() === '') continue
      const parsed = parseViolation(line)
      if (!parsed.ok) others.noLine += 1
      else if (textOf(parsed.violation.fields, 'profileName') !== name) others.profiles += 1
      else if (!offer(parsed.violation.fields, parsed.violation.event, model, offers)) others.noFact += 1
      if (offers.size > MAX_OFFERS) {
        complain(`${file}: has more than ${MAX_OFFERS} different violations of ${name}: record the workload again`)
        return undefined
      }
    }
  } catch (error) {
    if (!isSystemError(error)) throw error
    complain(`${file}: ${reasonOf(error)}`)
    return undefined
  }
  sayOthers(file, name, others)
  return [...offers.values()].sort((a, b) => (a.what < b.what ? -1 : 1))
}

function sayOthers(file: string, name: string, others: { profiles: number; noFact: number; noLine: number }): void {
  const said = [
    [others.profiles, `of other profiles than ${name}`],
    [others.noFact, 'of what a model does not hold: see varmor logs for these'],
    [others.noLine, 'no violations'],
  ] as const
  for (const [count, what] of said) {
    const lines = count === 1 ? '1 line is' : `${count} lines are`
    if (count > 0) process.stderr.write(`${printable(`${file}: ${lines} ${what}`)}\n`)
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Whether a fact could be made of the line; it is offered unless the model has it. */
function offer(fields: Fields, event: Fields, model: ArmorProfileModel, offers: Map<string, Offer>): boolean {
  const fact = factOf(enforcerOf(fields), event)
  if (fact === undefined) return false
  const missing = onlyIn(alone(fact).toDynamicResult(), model.data.dynamicResult ?? {})
  if (missing.length === 0) return true
  const what = missing.map(({ enforcer, kind, what: text }) => `${enforcer} ${kind}: ${text}`).join('; ')
  const known = offers.get(what)
  if (known !== undefined) known.count += 1
  else offers.set(what, { what, count: 1, pod: textOf(fields, 'podName'), fact })
  return true
}

function show(offers: readonly Offer[]): void {
  if (offers.length === 0) {
    print('Nothing to add: the model allows all violations of this log that a model can allow.')
    return
  }
  const rows = offers.map(({ what, count, pod }, i) =>
    [String(i + 1), count === 1 ? '1 time' : `${count} times`, pod, what].map(printable),
  )
  print(`${columns(rows)}\n\nAdd all with --all, or some with --only NUMBER,NUMBER; the model with these is printed.`)
}

function choose(offers: readonly Offer[], numbers: readonly number[]): Offer[] | undefined {
  const unknown = numbers.filter((number) => number < 1 || number > offers.length)
  if (unknown.length === 0) return numbers.map((number) => offers[number - 1]!)
  complain(`--only ${unknown.join(',')}: there are the numbers 1 to ${offers.length}; leave out --only to see them`)
  return undefined
}
