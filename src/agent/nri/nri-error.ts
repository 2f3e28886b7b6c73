/** Why there is no connection to NRI, or a container was not waited for. The code is API, the message may change. */
export const nriErrorCodes = {
  NO_SOCKET: 'there is no socket: the runtime has no NRI, or it is turned off',
  UNREACHABLE: 'nobody answers at the socket',
  REFUSED: 'the runtime does not take the plugin',
  TIMEOUT: 'the runtime did not answer in time',
  PROTOCOL: 'what the runtime sent is not the protocol',
  CLOSED: 'the connection was closed',
  LATE: 'what had to be done before a container starts took longer than the runtime waits',
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
