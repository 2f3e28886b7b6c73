import type { IncomingMessage } from 'node:http'

/** The body cannot be taken. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly status: 400 | 413 | 429

  constructor(status: 400 | 413 | 429, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * All of the body, at most `longest` bytes; what is longer is not read to its end.
 * @param onBytes told of each piece that is kept, before it is; the body is not read on when it throws
 * @throws {BodyError}
 */
export function readBody(
  request: IncomingMessage,
  longest: number,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLong = () => new BodyError(413, `The body is longer than ${longest} bytes`)
    if (Number(request.headers['content-length'] ?? 0) > longest) return reject(tooLong())
    // It may have gone while somebody thought about whether to let it in; its `close` is not said again.
    if (request.destroyed) return reject(new BodyError(400, 'The connection ended before the body'))
    const chunks: Buffer[] = []
    let length = 0
    let hasEnded = false
    const giveUp = (error: unknown): void => {
      request.pause()
      chunks.length = 0
      length = Number.POSITIVE_INFINITY
      reject(error)
    }
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > longest) return giveUp(tooLong())
      try {
        onBytes(chunk.length)
      } catch (error) {
        return giveUp(error)
      }
      chunks.push(chunk)
    })
    request.on('end', () => {
      hasEnded = true
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
    })
    request.on('error', reject)
    request.on('close', () => {
      // It comes after every body, and an error is dear to make.
      if (!hasEnded) reject(new BodyError(400, 'The connection ended before the body'))
    })
  })
}
