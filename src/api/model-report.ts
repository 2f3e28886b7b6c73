import type { Static } from '@sinclair/typebox'
import type { FieldError } from './field-error.ts'
import { dynamicResult } from './schema/behaviour.ts'
import { choice, integer, list, object, optional, text } from './schema/build.ts'
import { nodeOf } from './schema/node.ts'
import { validateSchema } from './validate-schema.ts'

/** Where agents send what they recorded; upstream's path. */
export const MODEL_DATA_PATH = '/apis/v1/data'
/** The largest body of a piece, in bytes. */
export const MAX_PIECE_BYTES = 1024 * 1024
/** So large agents make the content of a piece, in bytes of JSON. */
export const PIECE_BYTES = 512 * 1024
/** What one node may have to say of one profile: a recording is bounded on the agent, and here again. */
export const MAX_PIECES = 64
/** Times in which nobody recorded that a report names. */
export const MAX_GAPS = 16

const name = (description: string) => text(description, { minLength: 1, maxLength: 253 })
const count = (description: string) => integer(description, { minimum: 0, format: 'int64' })

const gap = object('A time in which what workloads did may not have been recorded.', {
  from: text('When it began, RFC 3339.', { maxLength: 64 }),
  to: text('When it ended, RFC 3339.', { maxLength: 64 }),
  why: text('Why, in words for people.', { maxBytes: 256 }),
})

const summary = object('How a node recorded.', {
  began: text('When, RFC 3339; empty for a node that came when all was over.', { maxLength: 64 }),
  records: count('Records that say something of the workload.'),
  ofRuntime: count("Records of the container runtime's own start in the container."),
  lost: count('Records that were lost before it was known whose they were.'),
  leftOut: list(
    'What there was no room for, by kind.',
    object('One kind.', { kind: text('The kind.', { maxLength: 64 }), count: count('How many.') }),
    { maxItems: 32 },
  ),
  gaps: list('Times without a record; the last of very many.', gap, { maxItems: MAX_GAPS }),
})

const names = (description: string, most: number) =>
  list(description, text('A name.', { maxLength: 512 }), { maxItems: most })

const leftOut = object('What there was no room for, so that parts can be added up.', {
  kind: text('The kind of facts.', { maxLength: 64 }),
  directory: optional(text('Where, if it is about a directory.', { maxLength: 4096 })),
  reason: text('Why, in words for people.', { maxLength: 256 }),
  count: count('About how many different ones.'),
  examples: names('Some of them.', 8),
  state: object('By which those of several nodes are counted once.', {
    hashes: list('Hashes of names.', count('A hash.'), { maxItems: 256 }),
    examples: names('Names of the first.', 8),
  }),
})

export const pieceContent = object('Something recorded, whole by itself.', {
  result: dynamicResult,
  leftOut: list('What there was no room for.', leftOut, { maxItems: 4096 }),
})

const piece = object('One piece of it.', {
  index: integer('Which one, from 0.', { minimum: 0, maximum: MAX_PIECES - 1 }),
  content: pieceContent,
})

const modelReport = object('What a node recorded of one profile: an offer, or one piece of what was offered.', {
  node: name('Name of the Node.'),
  namespace: name('Namespace of the ArmorProfile.'),
  name: name('Name of the ArmorProfile.'),
  recording: text('Which recording of it.', { minLength: 1, maxLength: 128 }),
  digest: text('SHA-256 of all pieces, in hexadecimal: equal for an equal recording only.', {
    pattern: '^[0-9a-f]{64}$',
  }),
  pieces: integer('How many pieces there are.', { minimum: 1, maximum: MAX_PIECES }),
  summary,
  piece: optional(piece),
})

/** `wanted`: the piece of `next`. `stored`: it is in the model. `waiting`: nothing is wanted now. `unknown`: no such recording. */
export const modelAnswerStates = ['wanted', 'stored', 'waiting', 'unknown'] as const

const modelAnswer = object('What the manager says to it.', {
  state: choice('What is wanted.', modelAnswerStates),
  next: optional(integer('The piece that is wanted next.', { minimum: 0, maximum: MAX_PIECES - 1 })),
  retrySeconds: integer('When to ask again, unless a piece is wanted.', { minimum: 1, maximum: 3_600 }),
})

export type RecordingGap = Static<typeof gap>
export type RecordingSummary = Static<typeof summary>
export type ModelReport = Static<typeof modelReport>
export type PieceContent = Static<typeof pieceContent>
export type ModelPiece = Static<typeof piece>
export type ModelAnswer = Static<typeof modelAnswer>

export type ModelReportResult = { ok: true; report: ModelReport } | { ok: false; errors: FieldError[] }

const MOST_ERRORS = 100

/** What an agent sent out of the body of a request, or what is wrong with it. Unknown fields are passed over, as in reports. */
export function checkModelReport(body: unknown): ModelReportResult {
  const errors = validateSchema(nodeOf(modelReport), body, { newer: true, most: MOST_ERRORS })
  if (errors.length > 0) return { ok: false, errors }
  const report = body as ModelReport
  if (report.piece === undefined || report.piece.index < report.pieces) return { ok: true, report }
  const problem = `there are ${report.pieces} pieces`
  return { ok: false, errors: [{ code: 'NOT_ALLOWED', path: 'piece.index', given: report.piece.index, problem }] }
}

/** An answer out of the body of a reply. @throws {Error} when it is none */
export function readModelAnswer(body: string): ModelAnswer {
  const answer: unknown = JSON.parse(body)
  const errors = validateSchema(nodeOf(modelAnswer), answer, { newer: true })
  if (errors.length > 0) throw new Error(`the answer is none of a manager: ${body.slice(0, 200)}`)
  return answer as ModelAnswer
}
