import { eventOperations } from '../../advice/event-operations.ts'
import { modelOperations } from '../../advice/model-operations.ts'
import type { Recorded } from '../../advice/recorded.ts'
import { Replay, type Replayed } from '../../advice/replay.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { systemClock } from '../../base/clock.ts'
import { type Selection, selector } from '../logs/selection.ts'
import { misuse } from '../misuse.ts'
import { type ModelArguments, modelFrom, Trouble } from '../model/model-source.ts'
import { type Format, print, printable, printData } from '../output.ts'
import { type CompilingArguments, policiesFrom, type SoundPolicy } from './policies-from.ts'
import { readEvents } from './read-events.ts'
import { isUnjudged, replayText } from './replay-text.ts'

export interface TestArguments extends CompilingArguments, ModelArguments {
  file: string[]
  model?: string
  events?: string
  namespace?: string
  pod?: string
  policy?: string
  action?: string[]
  /** Age in milliseconds; older violations are left out. */
  since?: number
  output: Format
}

/** The recorded operations, and the parts of the input that are not operations. */
interface Seen {
  operations: Map<string, { recorded: Recorded; count: number }>
  unjudged: Map<string, { count: number; example: string }>
  programs: readonly string[]
}

/**
 * Prints the operations that policies would have refused. Returns the exit status: 1 if an operation would be refused,
 * 2 if no operation could be judged.
 */
export async function testCommand(given: TestArguments): Promise<number> {
  if ((given.model === undefined) === (given.events === undefined)) return complain('give either --model or --events')
  try {
    const model = given.model === undefined ? undefined : await modelFrom(given.model, given)
    const policies = await policiesFrom(given.file, given, model)
    if (policies === undefined) return misuse
    const seen = model === undefined ? await fromEvents(given) : ofModel(model)
    const results = policies.map((one) => ({ policy: one.name, ...replay(one, seen) }))
    if (given.output === 'text') print(results.map(replayText).join('\n'))
    else await printData(results, given.output)
    if (results.some(({ refused }) => refused.length > 0)) return 1
    const silent = results.filter(isUnjudged)
    return silent.length === 0 ? 0 : complain(silent.map(({ policy }) => `${policy}: ${nothingJudged}`).join('\n'))
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return complain(error.message)
  }
}

const nothingJudged =
  'nothing could be judged: the input has no operation that rules apply to, or the filters exclude all'

function complain(problem: string): number {
  process.stderr.write(`${problem.split('\n').map(printable).join('\n')}\n`)
  return misuse
}

function replay({ policy, compiled, options }: SoundPolicy, { operations, unjudged, programs }: Seen): Replayed {
  const replaying = new Replay(policy, compiled, options, programs)
  for (const { recorded, count } of operations.values()) replaying.add(recorded, count)
  for (const [why, { count, example }] of unjudged) replaying.unjudged.add(why, example, count)
  return replaying.end()
}

function ofModel(model: ArmorProfileModel): Seen {
  const read = modelOperations(model.data.dynamicResult ?? {}, model.metadata.name)
  const seen: Seen = { operations: new Map(), unjudged: new Map(), programs: read.programs }
  for (const recorded of read.operations) count(seen, recorded)
  for (const { why, count: number, examples } of read.unjudged.all)
    seen.unjudged.set(why, { count: number, example: examples[0] ?? '' })
  return seen
}

async function fromEvents(given: TestArguments): Promise<Seen> {
  const seen: Seen = { operations: new Map(), unjudged: new Map(), programs: [] }
  const selection = selectionOf(given)
  const isWanted = selector(selection)
  const { broken, missing } = await readEvents(given.events!, selection.since, (violation) => {
    if (!isWanted(violation)) return
    const found = eventOperations(violation.fields)
    if (found.ok) for (const recorded of found.recorded) count(seen, recorded)
    else leave(seen, found.why)
  })
  if (broken.count > 0) seen.unjudged.set('the line is not a violation', { count: broken.count, example: broken.first })
  for (const one of missing) leave(seen, 'lines may be missing', one)
  return seen
}

/** Maximum different operations of a log. Further operations count as not judged. */
const MAX_OPERATIONS = 200_000

function count(seen: Seen, recorded: Recorded): void {
  const key = JSON.stringify(recorded)
  const known = seen.operations.get(key)
  if (known !== undefined) known.count++
  else if (seen.operations.size < MAX_OPERATIONS) seen.operations.set(key, { recorded, count: 1 })
  else leave(seen, `there are more than ${MAX_OPERATIONS} different operations`)
}

function leave({ unjudged }: Seen, why: string, example = ''): void {
  const known = unjudged.get(why)
  if (known === undefined) unjudged.set(why, { count: 1, example })
  else known.count++
}

function selectionOf({ namespace, pod, policy, action, since }: TestArguments): Selection {
  return {
    ...(namespace !== undefined && { namespace }),
    ...(pod !== undefined && { pod }),
    ...(policy !== undefined && { policy }),
    ...(action !== undefined && { actions: action }),
    ...(since !== undefined && { since: (systemClock.wall() - since) / 1_000 }),
  }
}
