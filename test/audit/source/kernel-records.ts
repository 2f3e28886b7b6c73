import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { type MulticastOptions, MulticastSource, type MulticastStats } from '../../../src/audit/source/multicast.ts'
import { hasCompiler } from '../../native/c-program.ts'

/** The reason why the tests with real records cannot run here; undefined if they can. */
export function whyNotHere(): string | undefined {
  if (!hasCompiler) return 'no gcc'
  try {
    // the limit stays as it is, because tests of other processes may use it
    const source = new MulticastSource({ backlogLimit: 0 })
    source.close()
    if (source.stats().backlogLimit.before === null) return 'CAP_AUDIT_CONTROL in the host PID namespace is needed'
    return undefined
  } catch (error) {
    if (error instanceof AuditSourceError) return `${error.code}: ${error.remedy}`
    throw error
  }
}

export interface Run {
  /** Number of calls that the filter answered. Each call made a record. */
  made: number
  /** Lines of the program's own records, and (`others`) of other programs' records. */
  own: number
  others: number
  /** Some example lines. */
  lines: string[]
  /** Serial numbers and sizes of the batches. */
  batches: { seq: number; bytes: number }[]
  stats: MulticastStats
}

/**
 * Runs `make-records` beside a source until no more records arrive. After each batch it waits for `pace`, which
 * receives the batch's number and a promise of the program's end.
 */
export async function listenTo(
  program: string,
  mode: 'log' | 'errno',
  count: number,
  options: MulticastOptions = {},
  pace: (batch: number, made: Promise<number>) => Promise<unknown> = async () => undefined,
): Promise<Run> {
  const source = new MulticastSource(options)
  const child = spawn(program, [mode, `${count}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const made = answered(child)
  void made.then(() => stopWhenQuiet(source))
  const run = { made: 0, own: 0, others: 0, lines: [] as string[], batches: [] as Run['batches'] }
  for await (const { seq, bytes } of source) {
    run.batches.push({ seq, bytes: bytes.length })
    for (const line of Buffer.from(bytes).toString('latin1').split('\n').slice(0, -1)) {
      if (line.includes(` pid=${child.pid} `)) run.own++
      else run.others++
      if (run.lines.length < 3) run.lines.push(line)
    }
    await pace(seq, made)
  }
  return { ...run, made: await made, stats: source.stats() }
}

async function answered(child: ChildProcess): Promise<number> {
  let text = ''
  child.stdout!.on('data', (chunk) => {
    text += chunk
  })
  await once(child, 'close')
  return Number(text)
}

/**
 * The kernel may still hold records when the program has ended; they arrive within milliseconds, or within a second on
 * a busy machine.
 */
async function stopWhenQuiet(source: MulticastSource): Promise<void> {
  for (let before = -1, quiet = 0; quiet < 15; await sleep(100)) {
    const { received, dropped } = source.stats()
    const now = received + (dropped.socketFull ?? 0) + (dropped.kernelLost ?? 0)
    quiet = now === before ? quiet + 1 : 0
    before = now
  }
  source.stop()
}

/** All records that are known to be lost. */
export function dropped({ dropped: d }: MulticastStats): number {
  return (d.socketFull ?? 0) + (d.kernelLost ?? 0) + d.forged + d.malformed + d.tooLong + d.discarded
}
