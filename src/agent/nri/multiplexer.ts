import { mebibyte } from '../../base/bytes.ts'
import { NriError } from './nri-error.ts'

// NRI multiplexes two connections over one socket (github.com/containerd/nri, pkg/net/multiplex/mux.go). A frame starts
// with the connection's number and the length of its data, each four bytes in network byte order. The data follows.

/** The runtime calls the plugin on one connection, and the plugin calls the runtime on the other. */
export const pluginConnection = 1
export const runtimeConnection = 2

const headerLength = 8

/** Maximum data bytes in a received frame. A ttrpc message has a header of 10 bytes and a body of at most 4 MiB. */
export const maxFrame = 10 + 4 * mebibyte

/**
 * Maximum data bytes in a frame that we send. The runtime's buffer has this size, and the runtime closes the connection
 * if a frame is longer.
 */
export const maxWritten = 4096

/** Splits the socket's bytes into frames. The bytes may arrive in pieces of any size. */
export class Demultiplexer {
  readonly #header = Buffer.alloc(headerLength)
  #have = 0
  #connection = 0
  /** Bytes of the frame that have not arrived yet. */
  #left = 0

  /**
   * Passes each connection's bytes to `sink`, as views of `chunk`.
   * @throws {NriError} PROTOCOL; the demultiplexer is unusable afterwards
   */
  push(chunk: Buffer, sink: (connection: number, bytes: Buffer) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left === 0) {
        at += this.#readHeader(chunk, at)
        continue
      }
      const bytes = chunk.subarray(at, at + this.#left)
      at += bytes.length
      this.#left -= bytes.length
      sink(this.#connection, bytes)
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#have, at, at + headerLength - this.#have)
    this.#have += copied
    if (this.#have < headerLength) return copied
    this.#have = 0
    this.#connection = this.#header.readUInt32BE(0)
    this.#left = this.#header.readUInt32BE(4)
    if (this.#connection !== pluginConnection && this.#connection !== runtimeConnection)
      throw new NriError('PROTOCOL', `a frame of connection ${this.#connection}; only 1 and 2 exist`)
    if (this.#left > maxFrame)
      throw new NriError('PROTOCOL', `a frame of ${this.#left} bytes; the limit is ${maxFrame}`)
    return copied
  }
}

/** Splits a message into frames of the connection. */
export function framesOf(connection: number, message: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < message.length; at += maxWritten) {
    const part = message.subarray(at, at + maxWritten)
    const header = Buffer.alloc(headerLength)
    header.writeUInt32BE(connection, 0)
    header.writeUInt32BE(part.length, 4)
    parts.push(header, part)
  }
  return Buffer.concat(parts)
}
