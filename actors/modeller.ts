import { MAX_PIECES, type ModelReport, PIECE_BYTES, type PieceContent } from '../src/api/model-report.ts'
import type { Recording } from '../src/api/recording.ts'
import type { DynamicResult } from '../src/api/types.ts'
import { backoff } from '../src/base/backoff.ts'
import { asWall } from '../src/base/clock.ts'
import { Collector } from './modeller/collector.ts'
import { Mutex } from './modeller/mutex.ts'
import { NodeQuota } from './modeller/node-room.ts'
import { defaultModellerTiming, type ModellerPorts, type ModellerTiming, type ModelReply } from './modeller/ports.ts'
import { OwnRecording } from './modeller/recording.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

export type ModellerMessage =
  /**
   * The current ArmorProfile; undefined if it was deleted, or if its policy has never been in mode BehaviorModeling.
   */
  | { type: 'wanted'; wanted: Recording | undefined }
  | { type: 'found'; found: DynamicResult; records: number; ofRuntime: number }
  /** Records lost before they reached this actor: of this profile, or of an unknown profile. */
  | { type: 'lost'; records: number }
  /**
   * Data that was read this many milliseconds before the end is not decoded yet, and the modeller does not wait for it.
   */
  | { type: 'behind'; milliseconds: number }
type Due = { type: 'save-due' } | { type: 'settled' } | { type: 'send-due' }
type Message = ModellerMessage | Due

interface Offered {
  digest: string
  pieces: PieceContent[]
}

export interface ModellerState {
  recording: OwnRecording | undefined
  /** The manager says that the modelling is over, but the last records may still arrive. */
  settling: boolean
  offered: Offered | undefined
  failures: number
  /** Why recordings cannot be stored; kept to log it once. */
  trouble: string
  /** The stored file could not be read, so the next recording lacks its data. */
  unread: boolean
}

/**
 * Records the behaviour of one ArmorProfile's workloads on this node; its key is `namespace/name`. Saves every few
 * seconds, so it continues after a kill and reports the gap. At the end that the ArmorProfile gives, it sends its part,
 * and offers the part again at intervals to later leaders.
 */
export const modeller = (given: ModellerPorts): Behaviour<ModellerState, Message> => {
  const ports: Shared = { ...given, room: given.room ?? new NodeQuota(), disk: new Mutex() }
  const timing = { ...defaultModellerTiming, ...ports.timing }
  return {
    async start(context) {
      const { recording, unread } = await restored(ports, context)
      // After a failure, ask the senders for their data again: messages whose data were not on disk yet are lost.
      ports.began?.(context.key)
      // A failed actor receives its ArmorProfile again; until then it continues with the file on disk.
      if (recording?.complete === false) context.after('save', 0, { type: 'save-due' })
      if (recording?.complete === true) context.after('send', 0, { type: 'send-due' })
      return { recording, settling: false, offered: undefined, failures: 0, trouble: '', unread }
    },
    receive(state, message, context) {
      switch (message.type) {
        case 'wanted':
          return follow(ports, timing, state, message.wanted, context)
        case 'found':
          if (isOpen(state)) state.recording.add(message.found, message.records, message.ofRuntime)
          return state
        case 'lost':
          if (isOpen(state)) state.recording.lose(message.records)
          return state
        case 'behind':
          if (isOpen(state)) {
            const now = context.wall()
            state.recording.miss(asWall(now - message.milliseconds), now, 'some records were not decoded in time')
          }
          return state
        case 'save-due':
          return keep(ports, timing, state, context)
        case 'settled':
          return complete(ports, timing, state, context)
        case 'send-due':
          return send(ports, timing, state, context)
        default:
          return assertNever(message)
      }
    },
    async stop(state, context) {
      if (state.recording !== undefined) await save(ports, state, context)
    },
  }
}

export const modellerFamily = (ports: ModellerPorts): FamilyOptions<ModellerState, Message> => ({
  behaviour: modeller(ports),
  mailbox: {
    capacity: 10_000,
    coalesce: ({ type }) => (type === 'found' || type === 'lost' ? undefined : type),
  },
  // The actor keeps its state during a quiet time of its workload.
  idleAfter: Number.POSITIVE_INFINITY,
})

type Context = ActorContext<Message>

/** Objects that the modellers of a node share. */
interface Shared extends ModellerPorts {
  room: NodeQuota
  /**
   * Only one recording is read or written at a time, because it is then in memory several times: as objects, as JSON,
   * and as text.
   */
  disk: Mutex
}

const isOpen = (state: ModellerState): state is ModellerState & { recording: OwnRecording } =>
  state.recording !== undefined && !state.recording.complete

/** Reads the stored recording. An unfinished recording gets a gap for the time without a recorder. */
const restored = (ports: Shared, context: Context): Promise<Restored> => ports.disk.run(() => readBack(ports, context))

interface Restored {
  recording: OwnRecording | undefined
  unread: boolean
}

async function readBack({ files, room }: Shared, context: Context): Promise<Restored> {
  const read = await files.read(context.key)
  if (read === undefined) return { recording: undefined, unread: false }
  if ('broken' in read) {
    context.log.error(
      { profile: context.key, reason: read.broken },
      'cannot read a stored recording; starting a new recording, which reports the gap',
    )
    return { recording: undefined, unread: true }
  }
  const { stored } = read
  const recording = room.restoring(() => OwnRecording.of(stored, new Collector(room.begin(context.key))))
  const why = context.lastFailure === undefined ? 'the agent was not running' : 'the recorder failed'
  if (!recording.complete) recording.miss(asWall(read.seen), context.wall(), why)
  return { recording, unread: false }
}

async function follow(
  ports: Shared,
  timing: ModellerTiming,
  state: ModellerState,
  wanted: Recording | undefined,
  context: Context,
): Promise<ModellerState> {
  if (wanted === undefined) {
    ports.room.end(context.key)
    await ports.files.remove(context.key)
    context.stop()
    return { ...state, recording: undefined }
  }
  const isSame = state.recording?.id === wanted.id
  const recording = isSame ? state.recording! : started(ports, state, wanted, context)
  const fresh = { recording, settling: false, offered: undefined, failures: 0, unread: false }
  const next = isSame ? state : { ...state, ...fresh }
  // Send the first offer at once. The manager's answer tells when to offer the recording again.
  if (recording.complete) {
    if (isSame || state.offered !== undefined) return next
    // Save the note about an unreadable file: it must still be known after a restart of the agent.
    return send(ports, timing, state.unread ? await save(ports, next, context) : next, context)
  }
  if (wanted.open) {
    // Keep the scheduled time of the next save.
    if (isSame && !next.settling) return next
    context.cancel('settle')
    return keep(ports, timing, { ...next, settling: false }, context)
  }
  if (!next.settling) context.after('settle', timing.settle, { type: 'settled' })
  return { ...next, settling: true }
}

/** If the modelling is already over, record nothing and tell the manager so. */
function started(
  { room }: Shared,
  { unread }: ModellerState,
  { id, open, since }: Recording,
  context: Context,
): OwnRecording {
  const behaviour = new Collector(room.begin(context.key))
  const recording = new OwnRecording(id, open ? context.wall() : asWall(Number.NaN), !open, behaviour)
  if (unread) recording.miss(asWall(since), context.wall(), 'was recorded in a file that cannot be read')
  return recording
}

/** Saves the recording, or, without new facts, only the time of the last check; then schedules the next save. */
async function keep(
  ports: Shared,
  timing: ModellerTiming,
  state: ModellerState,
  context: Context,
): Promise<ModellerState> {
  if (!isOpen(state)) return state
  const next = state.recording.dirty ? await save(ports, state, context) : await touch(ports, state, context)
  const { saveEvery, bytesASecond } = timing
  context.after('save', saveEvery + (1000 * state.recording.bytes) / bytesASecond, { type: 'save-due' })
  return next
}

const save = (ports: Shared, state: ModellerState, context: Context): Promise<ModellerState> =>
  written(state, context, ({ recording }) =>
    ports.disk.run(async () => {
      await ports.files.write(context.key, recording.stored())
      recording.dirty = false
    }),
  )

const touch = (ports: Shared, state: ModellerState, context: Context): Promise<ModellerState> =>
  written(state, context, () => ports.files.touch(context.key))

/** Retries after a failed write; the data stay in memory. */
async function written(
  state: ModellerState,
  context: Context,
  write: (state: ModellerState & { recording: OwnRecording }) => Promise<void>,
): Promise<ModellerState> {
  if (state.recording === undefined) return state
  try {
    await write({ ...state, recording: state.recording })
    return state.trouble === '' ? state : { ...state, trouble: '' }
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error)
    if (trouble !== state.trouble)
      context.log.warn({ profile: context.key, reason: trouble }, 'cannot write a recording to disk; retrying')
    return { ...state, trouble }
  }
}

/** The last records have arrived, so the recording no longer changes. */
async function complete(
  ports: Shared,
  timing: ModellerTiming,
  state: ModellerState,
  context: Context,
): Promise<ModellerState> {
  if (!isOpen(state)) return state
  context.cancel('save')
  state.recording.complete = true
  const next = await save(ports, state, context)
  return send(ports, timing, next, context)
}

/** Sends one report at a time, as the manager asks for pieces; then offers the recording at intervals. */
async function send(
  ports: Shared,
  timing: ModellerTiming,
  state: ModellerState,
  context: Context,
): Promise<ModellerState> {
  const { recording } = state
  if (recording?.complete !== true) return state
  const offered = state.offered ?? offerOf(ports, recording)
  const report: ModelReport = {
    ...{ node: ports.node, ...nameOf(context.key), recording: recording.id },
    ...{ digest: offered.digest, pieces: offered.pieces.length, summary: recording.summary() },
  }
  let reply = await ports.send(report)
  let max = offered.pieces.length
  while (reply.kind === 'answer' && reply.answer.state === 'wanted' && max-- > 0) {
    const index = reply.answer.next ?? 0
    const content = offered.pieces[index]
    if (content === undefined) break
    reply = await ports.send({ ...report, piece: { index, content } })
  }
  const failures = reply.kind === 'answer' ? 0 : state.failures + 1
  context.after('send', delayOf(reply, failures, timing, context), { type: 'send-due' })
  if (reply.kind !== 'answer' && failures === 3) {
    const fields = {
      profile: context.key,
      reason: reply.message,
      ...(reply.kind === 'refused' && { code: reply.status }),
    }
    context.log.warn(fields, 'cannot send a recording to the manager; retrying')
  }
  const stored = reply.kind === 'answer' && reply.answer.state === 'stored'
  // The manager has stored the recording, so its pieces need not stay in memory.
  return { ...state, offered: stored ? undefined : offered, failures }
}

function nameOf(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

function offerOf({ digest }: ModellerPorts, recording: OwnRecording): Offered {
  const pieces = recording.pieces(PIECE_BYTES)
  const sent = pieces.slice(0, MAX_PIECES)
  recording.notSent = pieces.length - sent.length
  return { digest: digest(JSON.stringify([sent, recording.summary()])), pieces: sent }
}

function delayOf(reply: ModelReply, failures: number, timing: ModellerTiming, context: Context): number {
  const jitter = 0.8 + 0.4 * context.random()
  if (reply.kind === 'answer') return reply.answer.retrySeconds * 1000 * jitter
  const after = reply.kind === 'refused' ? (reply.retryAfter ?? 0) * 1000 : 0
  const range = { first: timing.firstBackoff, max: timing.maxBackoff }
  return Math.max(
    after,
    backoff(failures - 1, range, () => context.random()),
  )
}
