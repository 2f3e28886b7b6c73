import { asWall, type Clock, systemClock } from '../../base/clock.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { Checkpoint, Left, Saved } from './checkpoint.ts'
import { type Candidate, type Choice, chooseSource, type SourceRequest } from './choose-source.ts'
import { parseFilePosition } from './file-position.ts'
import { FollowedFile, type FollowOptions } from './followed-file.ts'
import { KeptSource, type Missed, parseSeenUntil, type SeenUntil, underWay } from './kept-source.ts'
import { KmsgSource, parseKmsgPosition } from './kmsg.ts'
import { type Gap, type MissedPorts, readMissed } from './missed-records.ts'
import { type Moment, type Present, passedBetween, presentOf } from './moment.ts'
import { MulticastSource } from './multicast.ts'
import type { AuditSource, Notify } from './source.ts'

export interface OpenOptions {
  checkpoint?: Checkpoint
  /** Returns what an earlier agent stored in addition to its position. */
  left?: () => Left
  /** Whether the very first start also reads the existing content of a log. By default it reads only new content. */
  fromStart?: boolean
  follow?: Omit<FollowOptions, 'from'>
  clock?: Clock
  present?: Present
  /** Called when events were missed, because no agent listened or the source broke. */
  lost?: (loss: Loss) => void
  /**
   * The logs that may have records which the kernel sent while no agent listened to the multicast. If absent, such
   * records are lost.
   */
  missed?: MissedPorts
  /** Opens the multicast; tests replace it. */
  multicast?: () => AuditSource
}

/**
 * Chooses the audit source, opens it where the last run stopped, and stores its name in the checkpoint. The caller logs
 * `notices` and commits the positions of the batches.
 */
export async function openAuditSource(request: SourceRequest, options: OpenOptions = {}): Promise<Choice<AuditSource>> {
  const choice = await chooseSource(request, (candidate) => open(candidate, options))
  const { source } = choice
  const { checkpoint, left = () => ({ counts: [], places: {} }) } = options
  if (source !== undefined) await checkpoint?.begin(source.name, source.position, left())
  else await checkpoint?.beginWithout(left())
  return choice
}

async function open(candidate: Candidate, options: OpenOptions): Promise<AuditSource> {
  const { kind, name } = candidate
  if (kind === 'multicast') return openMulticast(candidate, options)
  if (kind === 'file') return openFile(candidate, options)
  const saved = await savedFor(name, options)
  const position = saved.kind === 'found' ? parseKmsgPosition(saved.position) : undefined
  const clock = options.clock ?? systemClock
  return new KmsgSource({ from: position ?? (readsFromStart(saved, options) ? 'beginning' : 'now'), clock })
}

/**
 * Opens the multicast. The kernel does not keep records for it while no agent listens, but the kernel's log and
 * auditd's log may have them.
 */
async function openMulticast({ name }: Candidate, options: OpenOptions): Promise<AuditSource> {
  const { clock = systemClock, follow: { notify } = {}, lost, multicast = () => new MulticastSource() } = options
  const { present = presentOf(clock) } = options
  const saved = await savedFor(name, options)
  const since = saved.kind === 'found' ? parseSeenUntil(saved.position) : 'seen' in saved ? saved.seen : undefined
  const now = present()
  const passed = since && passedBetween(since, now)
  // The start of the loss by the current wall clock. The clock may have been set since then.
  const about = passed === undefined ? {} : { since: asWall(now.at - passed) }
  const isLost = (): void => lost?.({ where: name, why: 'not-running', ...about })
  const ports = passed === undefined ? undefined : options.missed
  const source = new KeptSource(multicast, {
    ...{ clock, present },
    ...(ports !== undefined &&
      since !== undefined && { missed: { since, find: finding(ports, since, notify, isLost) } }),
    ...(notify !== undefined && { notify }),
    ...(lost !== undefined && { lost }),
  })
  if (saved.kind !== 'none' && ports === undefined) isLost()
  return source
}

const finding =
  (ports: MissedPorts, since: SeenUntil, notify: Notify | undefined, isLost: () => void): Missed['find'] =>
  async (opened, stats) => {
    const auditd = 'auditd' in stats && typeof stats.auditd === 'number' ? stats.auditd : null
    const missed = await readMissed({ ...ports, ...(notify !== undefined && { notify }) }, gapOf(since, opened, auditd))
    if (!missed.whole) isLost()
    const { records } = missed
    if (records > 0) {
      const message = 'found records from the time without an agent in the logs of the kernel or of auditd'
      notify?.({ level: 'info', code: 'missed-found', message, context: { count: records } })
    }
    return missed
  }

/**
 * The time without an agent. It starts shortly before the end of the earlier agent, which may not have got its last
 * records.
 */
function gapOf(seen: SeenUntil, opened: Moment, auditd: number | null): Gap {
  const length = ((passedBetween(seen, opened) ?? 0) + underWay) / 1_000
  const [since, until] = [(seen.at - underWay) / 1_000, opened.at / 1_000]
  const isOfBoot = seen.boot === opened.boot && seen.up !== undefined
  return {
    // By the wall clock before the gap, and by the wall clock after the gap.
    spans: [
      { since, until: since + length },
      { since: until - length, until },
    ],
    ...{ until, auditd },
    ...(isOfBoot && {
      uptime: (seen.up! - underWay) / 1_000,
      ...(seen.serial !== undefined && { serial: seen.serial }),
    }),
  }
}

async function openFile({ name, wait }: Candidate, options: OpenOptions): Promise<AuditSource> {
  const saved = await savedFor(name, options)
  const position = saved.kind === 'found' ? parseFilePosition(saved.position) : undefined
  const from = position ?? (readsFromStart(saved, options) ? 'beginning' : 'end')
  const source = await FollowedFile.open(name, {
    clock: options.clock ?? systemClock,
    ...options.follow,
    from,
    mustExist: !wait,
  })
  if (position === undefined && saved.kind !== 'none') source.report({ reason: 'checkpoint', path: name, bytes: null })
  return source
}

const savedFor = (name: string, { checkpoint }: OpenOptions): Promise<Saved> =>
  checkpoint?.read(name) ?? Promise.resolve({ kind: 'none' })

/**
 * Whether to read from the beginning. Only the first start may do this. With a broken checkpoint, records that an
 * earlier run wrote would be written again.
 */
const readsFromStart = (saved: Saved, { fromStart = false }: OpenOptions): boolean => fromStart && saved.kind === 'none'
