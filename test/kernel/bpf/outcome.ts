import { Buffer } from 'node:buffer'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { noProcesses } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo } from '../../audit/harness.ts'
import { profileId } from './profile-bytes.ts'

/** A violation as it comes into the log. */
interface Violation {
  action: string
  event: Record<string, unknown> & { operation: string }
  exe: string
  /** Where the file has no path in the container. */
  pathUnknown?: boolean
}

/** What the kernel has verified of a program. */
export interface VerifiedProgram {
  name: string
  /** Instructions, each as often as it was looked at. */
  instructions: number
  /** Bytes of the stack that its functions have, all together. Of those that call each other they may be 512. */
  stack: number
}

/** What under-profile.c prints. */
export interface Outcome {
  answers: Record<string, string>
  events: Violation[]
  /** Name of the object that was loaded. */
  object: string
  /** Tasks of the container that are left in a map, where they are in one. */
  tasks: number | undefined
  /** What the kernel says of each program. */
  programs: VerifiedProgram[]
  counts: { reported: number; ringFull: number; noScratch: number; heldBack: number }
  /** Of each container and kind of records, what was held back. */
  buckets: { container: number; kind: number; held: number }[]
}

const policy = { profileName: 'varmor-demo-demo', kind: 'VarmorPolicy', name: 'demo', namespace: 'demo' } as const

function violationsOf(bytes: Buffer): Violation[] {
  const snapshot = new Snapshot({ ...demo, policies: [{ ...policy, bpfId: profileId }] })
  const batch = { source: 'bpf', seq: 0, format: 'record' as const, bytes: new Uint8Array(bytes) }
  const { output } = processBatch({ ...batch, final: true }, snapshot, noProcesses, new Scratch({ everything: false }))
  const lines = Buffer.from(output).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Violation)
}

/** Reads what under-profile.c has printed. */
export function outcomeOf(text: string): Outcome {
  const lines = text.split('\n').map((line) => line.split(' '))
  const of = (word: string): string[][] => lines.filter(([first]) => first === word).map(([, ...rest]) => rest)
  const answers = lines.filter(([first]) => first !== undefined && !words.has(first) && first !== '')
  const [reported, ringFull, noScratch, heldBack] = of('count').map(([, number]) => Number(number))
  return {
    answers: Object.fromEntries(answers.map(([answer, ...what]) => [what.join(' '), answer!])),
    events: violationsOf(Buffer.concat(of('record').map(([hex]) => Buffer.from(hex!, 'hex')))),
    object: of('object')[0]![0]!,
    programs: of('program').map(([name, instructions, stack]) => ({
      name: name!,
      instructions: sumOf(instructions!),
      stack: sumOf(stack!),
    })),
    tasks: of('tasks').map(([count]) => Number(count))[0],
    counts: { reported: reported!, ringFull: ringFull!, noScratch: noScratch!, heldBack: heldBack! },
    buckets: of('bucket').map((numbers) => {
      const [container, kind, held] = numbers.map(Number)
      return { container: container!, kind: kind!, held: held! }
    }),
  }
}

const sumOf = (text: string): number => text.split('+').reduce((sum, part) => sum + Number(part), 0)

const words = new Set(['object', 'tasks', 'program', 'record', 'count', 'bucket', 'status'])
