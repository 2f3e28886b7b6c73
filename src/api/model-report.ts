import type { Static } from '@sinclair/typebox'
import type { FieldError } from './field-error.ts'
import { dynamicResult } from './schema/behaviour.ts'
import { choice, integer, list, object, optional, text } from './schema/build.ts'
import { nodeOf } from './schema/node.ts'
import { validateSchema } from './validate-schema.ts'

/** HTTP path to which agents send recorded behaviour; the same as upstream's. */
export const MODEL_DATA_PATH = '/apis/v1/data'
/** Maximum size of a request with a piece, in bytes. */
export const MAX_PIECE_BYTES = 1024 * 1024
/** Target size of a piece's content, in bytes of JSON. */
export const PIECE_BYTES = 512 * 1024
/** Maximum number of pieces that a node may send for one profile. Both the agent and the manager enforce this limit. */
export const MAX_PIECES = 64
/** Maximum number of gaps in the recording that a report lists. */
export const MAX_GAPS = 16

const name = (description: string) => text(description, { minLength: 1, maxLength: 253 })
const count = (description: string) => integer(description, { minimum: 0, format: 'int64' })

const gap = object('A period in which the recording may miss actions of the workloads.', {
  from: text('When it started, RFC 3339.', { maxLength: 64 }),
  to: text('When it ended, RFC 3339.', { maxLength: 64 }),
  why: text('Why, for people to read.', { maxBytes: 256 }),
})

const summary = object('Summary of the recording of a node.', {
  began: text('When the recording started, RFC 3339. Empty if the node joined after the recording ended.', {
    maxLength: 64,
  }),
  records: count('Number of records about the workload.'),
  ofRuntime: count('Number of records about the container runtime itself while it starts a container.'),
  lost: count('Number of records that were lost before the agent found their container.'),
  leftOut: list(
    'Facts that were dropped because of a limit, by kind.',
    object('One kind.', { kind: text('The kind.', { maxLength: 64 }), count: count('How many.') }),
    { maxItems: 32 },
  ),
  gaps: list('Periods without records. If there are very many, only the last ones.', gap, { maxItems: MAX_GAPS }),
})

const names = (description: string, max: number) =>
  list(description, text('A name.', { maxLength: 512 }), { maxItems: max })

const leftOut = object('Facts that were dropped because of a limit, in a form that can be added up over nodes.', {
  kind: text('The kind of the facts.', { maxLength: 64 }),
  directory: optional(text('The directory, if the facts are about a directory.', { maxLength: 4096 })),
  reason: text('Why, for people to read.', { maxLength: 256 }),
  count: count('Estimated number of different facts.'),
  examples: names('Some of the facts, as examples.', 8),
  state: object('Sketch that counts facts of several nodes only once.', {
    hashes: list('Hashes of names.', count('A hash.'), { maxItems: 256 }),
    examples: names('Names of the first facts.', 8),
  }),
})

export const pieceContent = object('One recorded fact, complete by itself.', {
  result: dynamicResult,
  leftOut: list('Facts that were dropped because of a limit.', leftOut, { maxItems: 4096 }),
})

const piece = object('One piece of the recording.', {
  index: integer('Number of the piece, from 0.', { minimum: 0, maximum: MAX_PIECES - 1 }),
  content: pieceContent,
})

const modelReport = object(
  'A message about the recording of one profile on a node: an offer of the recording, or one piece.',
  {
    node: name('Name of the Node.'),
    namespace: name('Namespace of the ArmorProfile.'),
    name: name('Name of the ArmorProfile.'),
    recording: text('Identity of the recording.', { minLength: 1, maxLength: 128 }),
    digest: text('SHA-256 of all pieces, in hexadecimal. Only equal recordings have equal digests.', {
      pattern: '^[0-9a-f]{64}$',
    }),
    pieces: integer('Number of pieces.', { minimum: 1, maximum: MAX_PIECES }),
    summary,
    piece: optional(piece),
  },
)

/**
 * Instructions for the agent. `wanted`: send piece `next`. `stored`: do nothing; the model contains the recording.
 * `waiting`: send nothing now. `unknown`: do nothing; the manager does not know the recording.
 */
export const modelAnswerStates = ['wanted', 'stored', 'waiting', 'unknown'] as const

const modelAnswer = object('Answer of the manager to an offer or a piece.', {
  state: choice('What the manager asks for.', modelAnswerStates),
  next: optional(integer('Number of the piece to send next.', { minimum: 0, maximum: MAX_PIECES - 1 })),
  retrySeconds: integer('When to ask again, if the manager asks for no piece now.', { minimum: 1, maximum: 3_600 }),
})

export type RecordingGap = Static<typeof gap>
export type RecordingSummary = Static<typeof summary>
export type ModelReport = Static<typeof modelReport>
export type PieceContent = Static<typeof pieceContent>
export type ModelPiece = Static<typeof piece>
export type ModelAnswer = Static<typeof modelAnswer>

export type ModelReportResult = { ok: true; report: ModelReport } | { ok: false; errors: FieldError[] }

const MAX_ERRORS = 100

/**
 * Reads a recording from the body of a request, or returns the mistakes in the body. Unknown fields are ignored, as in
 * reports.
 */
export function checkModelReport(body: unknown): ModelReportResult {
  const errors = validateSchema(nodeOf(modelReport), body, { newer: true, max: MAX_ERRORS })
  if (errors.length > 0) return { ok: false, errors }
  const report = body as ModelReport
  if (report.piece === undefined || report.piece.index < report.pieces) return { ok: true, report }
  const problem = `there are ${report.pieces} pieces`
  return { ok: false, errors: [{ code: 'NOT_ALLOWED', path: 'piece.index', given: report.piece.index, problem }] }
}

/**
 * Reads the manager's answer from the body of a reply.
 * @throws {Error} if the body is not such an answer
 */
export function readModelAnswer(body: string): ModelAnswer {
  const answer: unknown = JSON.parse(body)
  const errors = validateSchema(nodeOf(modelAnswer), answer, { newer: true })
  if (errors.length > 0) throw new Error(`the answer does not come from a manager: ${body.slice(0, 200)}`)
  return answer as ModelAnswer
}
