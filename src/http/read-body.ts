import type { IncomingMessage } from 'node:http'

/** The server does not accept the body. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly status: 400 | 413 | 429

  constructor(status: 400 | 413 | 429, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Reads the whole body. A body of more than `max` bytes is refused, and its rest is not read.
 * @param onBytes called before each piece is stored; if it throws an error, reading ends with this error
 * @throws {BodyError}
 */
export function readBody(
  request: IncomingMessage,
  max: number,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLong = () => new BodyError(413, `The body is longer than ${max} bytes`)
    if (Number(request.headers['content-length'] ?? 0) > max) return reject(tooLong())
    // Check this first: a request that was closed during its admission does not emit `close` again.
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
      if (length > max) return giveUp(tooLong())
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
      // Create the error only if needed: every request emits `close`, and creating an error is slow.
      if (!hasEnded) reject(new BodyError(400, 'The connection ended before the body'))
    })
  })
}
