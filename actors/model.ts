import type { ModelAnswer, ModelReport } from '../src/api/model-report.ts'
import { recordingOf } from '../src/api/recording.ts'
import type { ArmorProfile, ArmorProfileModel } from '../src/api/types.ts'
import { backoff } from '../src/base/backoff.ts'
import type { ModelPorts } from './model/ports.ts'
import { isAnothers, RECORDED_FOR } from './model/recorded-for.ts'
import type { ModelState } from './model/state.ts'
import { isWhole, leftOutOf, type Part, storedDigests } from './model/status.ts'
import { writeModel, writeThatItStays } from './model/write.ts'
import { Collector } from './modeller/collector.ts'
import { PortError } from './ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions, type Request } from './runtime/index.ts'

export type ModelMessage =
  /** What a node has to say of what it recorded. */
  | Request<{ type: 'report'; report: ModelReport }, ModelAnswer>
  /** The ArmorProfile, its model or the nodes may be others now. */
  | { type: 'changed' }
type WriteDue = { type: 'write-due' }
type Message = ModelMessage | WriteDue

/**
 * What was learnt of the workloads of one ArmorProfile; its key is `namespace/name`. Nodes offer what they recorded once the modelling is
 * over; what is missing is asked for piece by piece, and merged as it comes: a piece is whole by itself, and one that comes twice changes
 * nothing. State is a cache: the model that the API server has is read first, and nodes keep what they sent.
 */
export const model = (ports: ModelPorts): Behaviour<ModelState, Message> => ({
  start: (context) => {
    context.after('write', 0, { type: 'write-due' })
    return nothing()
  },
  async receive(before, message, context) {
    const state = await following(ports, before, context)
    switch (message.type) {
      case 'report': {
        const next = take(ports, state, message.report, context)
        context.reply(message, next.answer)
        return next.state
      }
      case 'changed': {
        // Somebody may have deleted what he had changed: then it is written anew.
        const next = { ...state, dirty: state.dirty || state.stays }
        planWrite(ports, next, context)
        return next
      }
      case 'write-due':
        return write(ports, state, context)
      default:
        return assertNever(message)
    }
  },
})

export const modelFamily = (ports: ModelPorts): FamilyOptions<ModelState, Message> => ({
  behaviour: model(ports),
  mailbox: { capacity: 20_000, coalesce: ({ type }) => (type === 'report' ? undefined : type) },
  // Agents offer every five minutes what is stored, and what was merged of parts that are not need not be asked for again.
  idleAfter: 900_000,
})

type Context = ActorContext<Message>

const nothing = (): ModelState => ({
  recording: '',
  over: undefined,
  parts: new Map(),
  merged: new Collector(),
  stored: new Map(),
  dirty: false,
  written: false,
  stays: false,
  lost: new Set(),
  leftOutBefore: '',
  failures: 0,
})

/** The ArmorProfile where its modelling is over and it is the one that this is about. */
function overProfile({ profile: of }: ModelPorts, key: string): ArmorProfile | undefined {
  const profile = of(key)
  if (profile === undefined || profile.metadata.deletionTimestamp !== undefined) return undefined
  return recordingOf(profile)?.open === false ? profile : undefined
}

/** Begins anew with another ArmorProfile, from what the API server has of it. */
async function following(ports: ModelPorts, state: ModelState, context: Context): Promise<ModelState> {
  const profile = overProfile(ports, context.key)
  const recording = profile === undefined ? '' : (recordingOf(profile)?.id ?? '')
  if (recording === state.recording) return state
  if (profile === undefined) return nothing()
  try {
    const found = await ports.api.readModel(profile.metadata.namespace ?? '', profile.metadata.name)
    return {
      ...nothing(),
      recording,
      over: context.now(),
      ...(found !== undefined && (await known(ports, found, recording, context))),
    }
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    context.after('write', ports.settings.firstBackoff, { type: 'write-due' })
    return { ...nothing() }
  }
}

/** What a manager before this one has gathered for the same ArmorProfile. One that was recorded before, or that somebody imported, is replaced. */
async function known(
  ports: ModelPorts,
  found: ArmorProfileModel,
  recording: string,
  context: Context,
): Promise<Partial<ModelState>> {
  if (found.metadata.labels?.[RECORDED_FOR] !== recording) return {}
  const stored = storedDigests(found.status)
  const lost = new Set(stored.keys())
  if (isAnothers(found, recording)) return { lost, written: true, stays: true }
  const local = found.storageType === 'LocalDisk'
  const data = local ? await ports.files.read(context.key) : found.data.dynamicResult
  // A file of another manager: nodes have all of it, and are asked again. Of those that are gone, the profiles alone are left.
  if (local && data === undefined) return { lost, written: true }
  const merged = new Collector()
  merged.add(data ?? {})
  return { merged, stored, written: true, leftOutBefore: leftOutOf(found.status) }
}

/** Seconds until a node comes again: one whose part is stored, one that waits for that, and one that has nothing to bring. */
const retry = { stored: 300, waiting: 10, unknown: 60 }

interface Taken {
  state: ModelState
  answer: ModelAnswer
}

function take(ports: ModelPorts, state: ModelState, report: ModelReport, context: Context): Taken {
  if (state.recording === '' || report.recording !== state.recording || !ports.nodeExists(report.node)) {
    const profile = ports.profile(context.key)
    const isOpen = profile !== undefined && recordingOf(profile)?.id === report.recording
    const answer = isOpen
      ? ({ state: 'waiting', retrySeconds: retry.waiting } as const)
      : ({ state: 'unknown', retrySeconds: retry.unknown } as const)
    return { state, answer }
  }
  const part = partOf(state, report)
  const { piece } = report
  let { dirty } = state
  if (piece !== undefined && piece.index === part.next) {
    state.merged.addPiece(piece.content)
    part.next++
    dirty = true
  }
  state.parts.set(report.node, part)
  const next = { ...state, dirty: dirty || !part.stored }
  if (isWhole(part)) planWrite(ports, next, context)
  return { state: next, answer: answerTo(part, state) }
}

function partOf({ parts, stored }: ModelState, { node, digest, pieces, summary }: ModelReport): Part {
  const known = parts.get(node)
  if (known?.digest === digest && known.pieces === pieces) return known
  const isStored = stored.get(node) === digest
  return { digest, pieces, summary, next: isStored ? pieces : 0, stored: isStored }
}

function answerTo(part: Part, { stays }: ModelState): ModelAnswer {
  if (!isWhole(part)) return { state: 'wanted', next: part.next, retrySeconds: retry.waiting }
  return part.stored || stays
    ? { state: 'stored', retrySeconds: retry.stored }
    : { state: 'waiting', retrySeconds: retry.waiting }
}

/** At once when nobody is missing that is not written yet; else when the time for that is over, and then now and then. */
function planWrite(ports: ModelPorts, state: ModelState, context: Context): void {
  const { patience, writeInterval } = ports.settings
  if (state.over === undefined) return
  const left = state.over + patience - context.now()
  if (state.dirty && isComplete(ports, state))
    context.after('write', state.written ? writeInterval : 0, { type: 'write-due' })
  else if (left > 0) context.after('write', left, { type: 'write-due' })
  else if (state.dirty || !state.written) context.after('write', writeInterval, { type: 'write-due' })
}

/** Nodes whose part is in the model that the API server has, and nowhere else: they have not sent it again. */
const missing = ({ lost, parts }: ModelState): string[] =>
  [...lost].filter((node) => {
    const part = parts.get(node)
    return part === undefined || !isWhole(part)
  })

function isComplete({ expected }: ModelPorts, { parts, stored }: ModelState): boolean {
  for (const node of expected()) {
    const part = parts.get(node)
    if (part === undefined ? !stored.has(node) : !isWhole(part)) return false
  }
  return parts.size + stored.size > 0
}

async function write(ports: ModelPorts, state: ModelState, context: Context): Promise<ModelState> {
  const profile = overProfile(ports, context.key)
  const { over, dirty, written } = state
  if (profile === undefined || over === undefined || (written && !dirty)) return state
  const isTime = context.now() >= over + ports.settings.patience
  if (!isTime && !isComplete(ports, state)) {
    planWrite(ports, state, context)
    return state
  }
  try {
    const found = written
      ? await ports.api.readModel(profile.metadata.namespace ?? '', profile.metadata.name)
      : undefined
    const changed = found !== undefined && isAnothers(found, state.recording)
    const gone = missing(state)
    if (found !== undefined && (changed || gone.length > 0)) {
      await writeThatItStays(ports, found, { ...state, gone: changed ? [] : gone }, context)
      return { ...state, stays: true, dirty: false, failures: 0 }
    }
    await writeModel(ports, state, profile, found, context)
    for (const part of state.parts.values()) part.stored = isWhole(part)
    return { ...state, dirty: false, written: true, stays: false, failures: 0 }
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    const { firstBackoff: first, longestBackoff: longest } = ports.settings
    const delay = backoff(state.failures, { first, longest }, () => context.random())
    context.after('write', delay, { type: 'write-due' })
    if (state.failures === 3)
      context.log.warn(
        { key: context.key, error: error.message, code: error.code },
        'a model cannot be written; it is tried again',
      )
    return { ...state, failures: state.failures + 1 }
  }
}
