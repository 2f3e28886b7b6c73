import { BufferStore, sharedMemory } from '../../audit/batch/buffer-store.ts'
import type { FilePosition } from '../../audit/source/file-position.ts'
import { FollowedFile, type FollowOptions } from '../../audit/source/followed-file.ts'
import { maxLine } from '../../audit/source/lines-backwards.ts'
import type { ReadContext } from '../../audit/source/log-file.ts'
import { countLines } from './backwards.ts'
import { closeAll, type OpenedFile, type Place } from './opened-log.ts'

/** Complete lines of one file. The next chunk may reuse their memory. */
export interface Chunk {
  /** Name of the file, for messages. */
  name: string
  bytes: Uint8Array
  /** Counts the lines of the file before this chunk. Absent if the chunk continues the previous chunk. */
  linesBefore?: () => Promise<number>
}

/** Called when lines may be missing. */
type Report = (name: string, problem: string) => void

/** Reads the files from a position to the end of their current content, and closes them. */
export async function* readFiles(
  files: readonly OpenedFile[],
  { index, offset }: Place,
  report: Report,
): AsyncGenerator<Chunk, void, void> {
  const memory = new BufferStore(sharedMemory, 1, 2 * maxLine)
  const counts = { longLines: 0, skippedBytes: 0, nulBytes: 0, unfinished: 0 }
  try {
    for (const [i, file] of files.slice(index).entries())
      yield* readFile(file, i === 0 ? offset : 0, { chunkBytes: maxLine, counts, memory }, report)
  } finally {
    await closeAll(files)
  }
}

async function* readFile(
  { path: name, file, size }: OpenedFile,
  offset: number,
  context: ReadContext,
  report: Report,
): AsyncGenerator<Chunk, void, void> {
  await file.seek(offset)
  let isFirst = true
  // Read only up to the size at opening, because the writer may write faster than we read.
  while (file.offset < size) {
    const piece = await file.read(context, true)
    if (piece.kind === 'rewritten') report(name, 'it was truncated during the read')
    if (piece.kind === 'rewritten' || piece.kind === 'nothing') return
    if (piece.kind === 'skipped') continue
    const { bytes } = piece
    yield { name, bytes, ...(isFirst && { linesBefore: () => countLines(file, offset) }) }
    isFirst = false
    if (bytes.buffer instanceof SharedArrayBuffer) context.memory.give(bytes.buffer)
  }
}

export interface FollowArguments {
  /** Name of the log. */
  name: string
  files: readonly OpenedFile[]
  place: Place
  report: Report
  /** Ends the read, after existing content was read. */
  stop: AbortSignal
  options?: Pick<FollowOptions, 'napMs' | 'pollMs'>
}

const gapProblems: Record<string, string> = {
  'gap-vanished': 'the file was removed during the read',
  'gap-truncated': 'the file was truncated, and no rotated copy has its last lines',
  'gap-compressed': 'a file was compressed before its end was read',
}

/**
 * Reads the files from a position on, and then waits for new lines, also after rotations, until `stop`. Closes the
 * files.
 */
export async function* followFiles(given: FollowArguments): AsyncGenerator<Chunk, void, void> {
  const { name, files, place, report, stop, options } = given
  const start = files[place.index]
  let kept = start?.file
  await closeAll(files.filter((file) => file !== start))
  try {
    await kept?.seek(place.offset)
    const source = await FollowedFile.open(name, {
      ...options,
      chunkBytes: maxLine,
      from: kept?.position(name) ?? 'beginning',
      notify: ({ code, message }) => {
        if (code.startsWith('gap-')) report(name, gapProblems[code] ?? message)
        else if (code === 'file-unreadable') report(name, message)
      },
    })
    stop.addEventListener('abort', () => source.stop(), { once: true })
    if (stop.aborted) source.stop()
    const steps = new Steps(source)
    let linesBefore: Chunk['linesBefore'] = () =>
      kept === undefined ? Promise.resolve(0) : countLines(kept, place.offset)
    for await (const batch of source) {
      if (steps.isElsewhere()) {
        await kept?.close()
        kept = undefined
        linesBefore = () => Promise.resolve(0)
      }
      yield { name, bytes: batch.bytes, ...(linesBefore && { linesBefore }) }
      linesBefore = undefined
      source.giveBack(batch)
    }
  } finally {
    await kept?.close()
  }
}

/** Tells whether a batch is from another file, or continues the file of the previous batch (or a copy of that file). */
class Steps {
  readonly #source: FollowedFile
  #position: FilePosition
  #rotations = 0
  #truncations = 0

  constructor(source: FollowedFile) {
    this.#source = source
    this.#position = source.position
  }

  /** Whether the batch is from another file. Call this once for each batch. */
  isElsewhere(): boolean {
    const [before, now] = [this.#position, this.#source.position]
    const { rotations, truncations } = this.#source.stats()
    const isRewritten = truncations > this.#truncations && (now.id === before.id || now.offset <= before.offset)
    const isElsewhere = rotations > this.#rotations || isRewritten
    this.#position = now
    this.#rotations = rotations
    this.#truncations = truncations
    return isElsewhere
  }
}
