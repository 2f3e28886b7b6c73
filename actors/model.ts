import type { ModelAnswer, ModelReport } from '../src/api/model-report.ts'
import { recordingOf } from '../src/api/recording.ts'
import type { ArmorProfile, ArmorProfileModel, DynamicResult } from '../src/api/types.ts'
import { backoff } from '../src/base/backoff.ts'
import type { BuiltProfile, ModelPorts } from './model/ports.ts'
import { byOthers, ofManager, type Whose, whose } from './model/recorded-for.ts'
import type { ModelState } from './model/state.ts'
import { isWhole, leftOutOf, type Part, storedDigests } from './model/status.ts'
import { writeModel, writeThatItStays } from './model/write.ts'
import { Collector } from './modeller/collector.ts'
import { NodeQuota } from './modeller/node-room.ts'
import { PortError } from './ports.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions, type Request } from './runtime/index.ts'

export type ModelMessage =
  /** A node's report about its recording. */
  | Request<{ type: 'report'; report: ModelReport }, ModelAnswer>
  /** The ArmorProfile or the nodes may have changed. */
  | { type: 'changed' }
  /** The resource version of the model in the API server; undefined when the model was deleted. */
  | { type: 'model-changed'; version: string | undefined }
type WriteDue = { type: 'write-due' }
/** The result of the build that started at `began`. */
type Built = { type: 'built'; began: number; outcome: PromiseSettledResult<BuiltProfile> }
type Message = ModelMessage | WriteDue | Built

/**
 * Builds the model of one ArmorProfile; its key is `namespace/name`. When the modelling is over, nodes offer their
 * recordings, and the actor asks for each missing piece and merges it. A piece may arrive twice. The state is a cache:
 * a new manager reads the stored model, and nodes keep the recordings that they sent.
 */
export const model = (ports: ModelPorts, rooms = new NodeQuota()): Behaviour<ModelState, Message> => ({
  start: (context) => {
    rooms.end(context.key)
    context.after('write', 0, { type: 'write-due' })
    return nothing()
  },
  async receive(before, message, context) {
    const state = await following(ports, rooms, before, context)
    switch (message.type) {
      case 'report': {
        const next = take(ports, state, message.report, context)
        context.reply(message, next.answer)
        return next.state
      }
      case 'changed':
        return planWrite(ports, state, context)
      case 'model-changed':
        // Most of these messages are about this actor's own writes: ignore them.
        if (state.recording === '' || (message.version !== undefined && message.version === state.seen)) return state
        return due({ ...state, poll: true }, ports.settings.writeInterval, context)
      case 'write-due':
        return write(ports, { ...state, due: undefined }, context)
      case 'built':
        // The build may belong to an earlier recording.
        if (message.began !== state.building) return state
        return write(ports, { ...state, building: undefined }, context, message.outcome)
      default:
        return assertNever(message)
    }
  },
  stop: ({ release }) => release(),
})

export const modelFamily = (ports: ModelPorts): FamilyOptions<ModelState, Message> => ({
  behaviour: model(ports),
  // The manager limits the number of waiting reports for all models, because a report may have a mebibyte. So the
  // mailbox always has space for `built`.
  mailbox: { capacity: 256, coalesce: ({ type }) => (type === 'report' ? undefined : type) },
  // An actor stays active for longer than the five minutes between two offers of a recording. So it need not ask again
  // for pieces that it has merged.
  idleAfter: 900_000,
  passivate: ({ release }) => {
    release()
    return undefined
  },
})

type Context = ActorContext<Message>

const nothing = (): ModelState => ({
  recording: '',
  over: undefined,
  parts: new Map(),
  merged: new Collector(),
  release: () => undefined,
  stored: new Map(),
  dirty: false,
  written: false,
  stays: false,
  lost: new Map(),
  leftOutBefore: '',
  poll: false,
  seen: undefined,
  building: undefined,
  due: undefined,
  failures: 0,
})

/** The ArmorProfile, if its modelling is over and it is not being deleted; otherwise undefined. */
function overProfile({ profile: of }: ModelPorts, key: string): ArmorProfile | undefined {
  const profile = of(key)
  if (profile === undefined || profile.metadata.deletionTimestamp !== undefined) return undefined
  return recordingOf(profile)?.open === false ? profile : undefined
}

/** Returns the state for the current recording. For a new recording, it starts with the stored model. */
async function following(
  ports: ModelPorts,
  rooms: NodeQuota,
  state: ModelState,
  context: Context,
): Promise<ModelState> {
  const profile = overProfile(ports, context.key)
  const recording = profile === undefined ? '' : (recordingOf(profile)?.id ?? '')
  if (recording === state.recording) return state
  state.release()
  if (profile === undefined) return nothing()
  try {
    const found = await ports.api.readModel(profile.metadata.namespace ?? '', profile.metadata.name)
    const merged = new Collector(rooms.begin(context.key))
    const add = (data: DynamicResult): void => rooms.restoring(() => merged.add(data))
    return {
      ...nothing(),
      merged,
      release: () => rooms.end(context.key),
      recording,
      over: context.now(),
      ...(found !== undefined && (await known(ports, found, recording, add))),
    }
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    context.after('write', ports.settings.firstBackoff, { type: 'write-due' })
    return { ...nothing() }
  }
}

/**
 * Restores the model that an earlier manager wrote for the same ArmorProfile. The actor later replaces a model of
 * another recording, and keeps a model that a user changed or imported.
 */
async function known(
  ports: ModelPorts,
  found: ArmorProfileModel,
  recording: string,
  add: (data: DynamicResult) => void,
): Promise<Partial<ModelState>> {
  const of = whose(found, recording)
  if (of === 'other') return {}
  if (of === 'changed' || of === 'imported') return { written: true, stays: true, poll: true }
  if (of === 'unmarked') await ports.api.markModel(found, ofManager(recording, found))
  const stored = storedDigests(found.status)
  const local = found.storageType === 'LocalDisk'
  const data = local ? await ports.files.read(found) : found.data.dynamicResult
  // The file is on another manager's disk. Nodes still have its content, so ask them again.
  const seen = found.metadata.resourceVersion
  if (local && data === undefined) return { lost: stored, written: true, seen }
  add(data ?? {})
  return { stored, written: true, seen, leftOutBefore: leftOutOf(found.status) }
}

/**
 * Seconds until a node asks again. `stored`: the stored model has the node's part. `waiting`: the node must wait.
 * `unknown`: the manager does not know the node's recording.
 */
const retry = { stored: 300, waiting: 10, unknown: 60 }
const waiting: ModelAnswer = { state: 'waiting', retrySeconds: retry.waiting }
/** The answer to a node about an unknown recording. */
export const unknownRecording: ModelAnswer = { state: 'unknown', retrySeconds: retry.unknown }

interface Taken {
  state: ModelState
  answer: ModelAnswer
}

function take(ports: ModelPorts, state: ModelState, report: ModelReport, context: Context): Taken {
  if (state.recording === '' || report.recording !== state.recording || !ports.nodeExists(report.node)) {
    const profile = ports.profile(context.key)
    const isOpen = profile !== undefined && recordingOf(profile)?.id === report.recording
    return { state, answer: isOpen ? waiting : unknownRecording }
  }
  // Accept no parts during a build, so that the model that is written contains all parts that have arrived.
  if (state.building !== undefined) return { state, answer: waiting }
  const part = partOf(state, report)
  const { piece } = report
  let fresh = part !== state.parts.get(report.node) && !part.stored
  if (piece !== undefined && piece.index === part.next) {
    state.merged.addPiece(piece.content)
    part.next++
    fresh = true
  }
  state.parts.set(report.node, part)
  const next = { ...state, dirty: state.dirty || fresh }
  return { state: fresh && isWhole(part) ? planWrite(ports, next, context) : next, answer: answerTo(part, state) }
}

function partOf({ parts, stored }: ModelState, { node, digest, pieces, summary }: ModelReport): Part {
  const known = parts.get(node)
  if (known?.digest === digest && known.pieces === pieces) return known
  const isStored = stored.get(node) === digest
  return { digest, pieces, summary, next: isStored ? pieces : 0, stored: isStored }
}

function answerTo(part: Part, { stays }: ModelState): ModelAnswer {
  if (!isWhole(part)) return { state: 'wanted', next: part.next, retrySeconds: retry.waiting }
  return part.stored || stays ? { state: 'stored', retrySeconds: retry.stored } : waiting
}

/**
 * Writes at once if all nodes have sent their parts; otherwise when the wait for nodes is over, and then at intervals.
 */
function planWrite(ports: ModelPorts, state: ModelState, context: Context): ModelState {
  const { timeout, writeInterval } = ports.settings
  if (state.over === undefined) return state
  const left = state.over + timeout - context.now()
  if (state.dirty && isComplete(ports, state)) return due(state, state.written ? writeInterval : 0, context)
  if (left > 0) return due(state, left, context)
  return state.dirty || !state.written ? due(state, writeInterval, context) : state
}

/** Schedules a write after `delay` at the latest: further reports do not postpone a scheduled write. */
function due(state: ModelState, delay: number, context: Context): ModelState {
  const at = context.now() + delay
  if (state.due !== undefined && state.due <= at) return state
  context.after('write', delay, { type: 'write-due' })
  return { ...state, due: at }
}

/** Nodes whose part is only in the stored profiles, because the nodes have not sent it again, or no longer have it. */
const missing = ({ lost, parts }: ModelState): string[] =>
  [...lost].flatMap(([node, digest]) => {
    const part = parts.get(node)
    const isThere = part !== undefined && isWhole(part) && (part.digest === digest || part.summary.began !== '')
    return isThere ? [] : [node]
  })

/** Nodes whose part is not in the model because it arrived after the manager stopped changing the model. */
function lateFor(found: ArmorProfileModel, of: Whose, { parts, lost }: ModelState): string[] {
  const inModel = storedDigests(found.status)
  const isIn = (node: string, { digest, stored }: Part): boolean =>
    stored || lost.has(node) || inModel.get(node) === digest
  const whole = [...parts].filter(([, part]) => isWhole(part))
  const late = of === 'ours' || of === 'changed' ? whole.filter(([node, part]) => !isIn(node, part)) : whole
  return late.map(([node]) => node).sort()
}

function isComplete({ expected }: ModelPorts, { parts, stored }: ModelState): boolean {
  for (const node of expected()) {
    const part = parts.get(node)
    if (part === undefined ? !stored.has(node) : !isWhole(part)) return false
  }
  return parts.size + stored.size > 0
}

async function write(
  ports: ModelPorts,
  state: ModelState,
  context: Context,
  outcome?: Built['outcome'],
): Promise<ModelState> {
  const profile = overProfile(ports, context.key)
  const { over, dirty, written, poll: look, building } = state
  if (profile === undefined || over === undefined || building !== undefined || (written && !dirty && !look))
    return state
  const isTime = context.now() >= over + ports.settings.timeout
  if (!isTime && !isComplete(ports, state)) return planWrite(ports, state, context)
  try {
    if (outcome?.status === 'rejected') throw outcome.reason
    const next = await bringUp(ports, state, profile, context, outcome?.value)
    return next.building === undefined ? { ...next, failures: 0 } : next
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    const { firstBackoff: first, maxBackoff: max } = ports.settings
    const delay = backoff(state.failures, { first, max }, () => context.random())
    if (state.failures === 3)
      context.log.warn(
        { profile: context.key, code: error.code, reason: error.message },
        'cannot write a model; retrying',
      )
    return due({ ...state, failures: state.failures + 1 }, delay, context)
  }
}

/** Writes the parts that the stored model lacks, unless another client has taken over the model. @throws {PortError} */
async function bringUp(
  ports: ModelPorts,
  state: ModelState,
  profile: ArmorProfile,
  context: Context,
  built?: BuiltProfile,
): Promise<ModelState> {
  const { recording, dirty, written, stays, seen } = state
  const { namespace = '', name } = profile.metadata
  const found = await ports.api.readModel(namespace, name)
  const version = found?.metadata.resourceVersion
  if (version !== undefined && version === seen && !dirty) return { ...state, poll: false }
  const of = found && whose(found, recording)
  // The first write replaces the model of an earlier recording.
  const isOurs = of === 'ours' || of === 'unmarked' || (of === 'other' && !written)
  if (found !== undefined && of !== undefined && !isOurs) {
    // The annotation tells the next leader that a user has changed the model.
    const marked = of === 'other' ? await ports.api.markModel(found, byOthers(recording)) : found
    return staying(ports, state, marked, { late: lateFor(marked, of, state), gone: [] }, context)
  }
  if (found !== undefined && written && !stays && !dirty) return { ...state, poll: false, seen: version }
  const gone = missing(state)
  if (found !== undefined && gone.length > 0) {
    const left = (state.over ?? 0) + RETURN - context.now()
    if (left > 0 && gone.some((node) => ports.nodeExists(node))) return due({ ...state, poll: false }, left, context)
    return staying(ports, state, found, { late: lateFor(found, 'ours', state), gone }, context)
  }
  if (built === undefined) return build(ports, state, profile, context)
  const model = await writeModel(ports, state, profile, found, built, context)
  for (const part of state.parts.values()) part.stored = isWhole(part)
  const now = { dirty: false, written: true, stays: false, poll: false, seen: model.metadata.resourceVersion }
  return { ...state, ...now, lost: new Map() }
}

/**
 * Starts a build. The actor must answer nodes while compilers may be busy for minutes, so the result arrives as a
 * message.
 */
function build(ports: ModelPorts, state: ModelState, { metadata, spec }: ArmorProfile, context: Context): ModelState {
  const { self } = context
  const began = context.now()
  const built = ports.build(state.merged.state().result, spec.profile, metadata.namespace ?? '')
  void Promise.allSettled([built]).then(([outcome]) => self.tell({ type: 'built', began, outcome }))
  return { ...state, building: began }
}

/** Milliseconds after which all running nodes have reported again: a little more than `retry.stored`. */
const RETURN = 1_300 * retry.stored

async function staying(
  ports: ModelPorts,
  state: ModelState,
  found: ArmorProfileModel,
  said: { late: readonly string[]; gone: readonly string[] },
  context: Context,
): Promise<ModelState> {
  const model = await writeThatItStays(ports, found, said, context.wall())
  const now = { dirty: false, written: true, stays: true, poll: false, seen: model.metadata.resourceVersion }
  return { ...state, ...now }
}
