/**
 * Reasons why the plugin is not connected, or why a container started before it was prepared. The codes are API; the
 * messages may change.
 */
export const nriErrorCodes = {
  NO_SOCKET: 'no socket: the runtime does not support NRI, or NRI is disabled',
  UNREACHABLE: 'the runtime does not answer at the socket',
  REFUSED: 'the runtime refuses the plugin',
  TIMEOUT: 'the runtime did not answer in time',
  PROTOCOL: 'the runtime sent a message that violates the protocol',
  CLOSED: 'the connection was closed',
  LATE: 'the work before the start of a container took longer than the runtime waits',
} as const

export type NriErrorCode = keyof typeof nriErrorCodes

export class NriError extends Error {
  override readonly name = 'NriError'
  readonly code: NriErrorCode

  constructor(code: NriErrorCode, what: string, options?: ErrorOptions) {
    super(what, options)
    this.code = code
  }
}
