import { type Clock, wallClock } from '../../base/clock.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { Checkpoint, Saved } from './checkpoint.ts'
import { type Candidate, type Choice, chooseSource, type SourceRequest } from './choose-source.ts'
import { parseFilePosition } from './file-position.ts'
import { FollowedFile, type FollowOptions } from './followed-file.ts'
import { KeptSource, parseSeenUntil } from './kept-source.ts'
import { KmsgSource, parseKmsgPosition } from './kmsg.ts'
import { MulticastSource } from './multicast.ts'
import type { AuditSource } from './source.ts'

export interface OpenOptions {
  checkpoint?: Checkpoint
  /** On the very first start, read what the log already holds. Otherwise it begins with what comes. */
  fromStart?: boolean
  follow?: Omit<FollowOptions, 'from'>
  clock?: Clock
  /** Called when events were missed, because nobody listened or the source broke. */
  lost?: (loss: Loss) => void
  /** Opens the multicast; a test gives its own. */
  multicast?: () => AuditSource
}

/**
 * Chooses the audit source, opens it where the last run has left off, and notes in the checkpoint that it is in use.
 * The caller logs `notices` and commits the positions of the batches.
 */
export async function openAuditSource(request: SourceRequest, options: OpenOptions = {}): Promise<Choice<AuditSource>> {
  const choice = await chooseSource(request, (candidate) => open(candidate, options))
  const { source } = choice
  if (source !== undefined) await options.checkpoint?.begin(source.name, source.position)
  return choice
}

async function open(candidate: Candidate, options: OpenOptions): Promise<AuditSource> {
  const { kind, name } = candidate
  if (kind === 'multicast') return openMulticast(candidate, options)
  if (kind === 'file') return openFile(candidate, options)
  const saved = await savedFor(name, options)
  const position = saved.kind === 'found' ? parseKmsgPosition(saved.position) : undefined
  const clock = options.clock ?? wallClock
  return new KmsgSource({ from: position ?? (beginsAnew(saved, options) ? 'beginning' : 'now'), clock })
}

/** The kernel keeps nothing of what it said while nobody listened. */
async function openMulticast({ name }: Candidate, options: OpenOptions): Promise<AuditSource> {
  const { clock = wallClock, follow: { notify } = {}, lost, multicast = () => new MulticastSource() } = options
  const source = new KeptSource(multicast, {
    clock,
    ...(notify !== undefined && { notify }),
    ...(lost !== undefined && { lost }),
  })
  const saved = await savedFor(name, options)
  if (saved.kind === 'none') return source
  const since = saved.kind === 'found' ? parseSeenUntil(saved.position)?.at : 'seen' in saved ? saved.seen : undefined
  lost?.({ where: name, why: 'not-running', ...(since !== undefined && { since }) })
  return source
}

async function openFile({ name, wait }: Candidate, options: OpenOptions): Promise<AuditSource> {
  const saved = await savedFor(name, options)
  const position = saved.kind === 'found' ? parseFilePosition(saved.position) : undefined
  const from = position ?? (beginsAnew(saved, options) ? 'beginning' : 'end')
  const source = await FollowedFile.open(name, {
    clock: options.clock ?? wallClock,
    ...options.follow,
    from,
    mustExist: !wait,
  })
  if (position === undefined && saved.kind !== 'none') source.report({ reason: 'checkpoint', path: name, bytes: null })
  return source
}

const savedFor = (name: string, { checkpoint }: OpenOptions): Promise<Saved> =>
  checkpoint?.read(name) ?? Promise.resolve({ kind: 'none' })

/** Only the first start may read from the beginning: after a broken checkpoint it would give again what came before. */
const beginsAnew = (saved: Saved, { fromStart = false }: OpenOptions): boolean => fromStart && saved.kind === 'none'
