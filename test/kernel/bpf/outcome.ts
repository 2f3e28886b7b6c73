import { Buffer } from 'node:buffer'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { noProcesses } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo } from '../../audit/harness.ts'
import { profileId } from './profile-bytes.ts'

/** A violation as the log shows it. */
interface Violation {
  action: string
  event: Record<string, unknown> & { operation: string }
  exe: string
  /** Set if the file has no path in the container. */
  pathUnknown?: boolean
}

/** The verifier's statistics for one program. */
export interface VerifiedProgram {
  name: string
  /** Instructions processed; an instruction counts each time the verifier visits it. */
  instructions: number
  /** Bytes of stack of all its functions together. Functions that call each other may use 512 bytes. */
  stack: number
}

/** The output of under-profile.c. */
export interface Outcome {
  answers: Record<string, string>
  events: Violation[]
  /** Name of the loaded object. */
  object: string
  /** Tasks of the container that the map of tasks still holds; undefined if the object has no such map. */
  tasks: number | undefined
  /** The verifier's report for each program. */
  programs: VerifiedProgram[]
  counts: { reported: number; ringFull: number; noScratch: number; heldBack: number }
  /** Throttled records for each container and kind. */
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

/** Parses the output of under-profile.c. */
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
