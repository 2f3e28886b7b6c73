import type { Dispatcher } from 'undici'

export type ResponseHeaders = Record<string, string | string[] | undefined>

/** One HTTP request, ready to send. */
export interface Exchange {
  dispatcher: Dispatcher
  origin: string
  method: Dispatcher.HttpMethod
  path: string
  headers: Record<string, string>
  body?: string | undefined
  /** Aborts the exchange at once, even while the request waits for a connection. */
  signal: AbortSignal
  /**
   * Called just before the request is written to the socket, in the same turn of the event loop. If it throws, the
   * request is not written.
   */
  beforeSend?: (() => void) | undefined
}

export interface ExchangeSink {
  head(status: number, headers: ResponseHeaders): void
  /** If this method throws, its error ends the exchange. */
  data(chunk: Uint8Array): void
}

/** The exchange ended without a complete answer. */
export class ExchangeFailure extends Error {
  override readonly name = 'ExchangeFailure'
  /** Whether bytes of the request may have reached the server. */
  readonly sent: boolean
  /** Whether `beforeSend` or the sink threw the cause. */
  readonly own: boolean

  constructor(cause: unknown, { sent, own }: { sent: boolean; own: boolean }) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause })
    this.sent = sent
    this.own = own
  }
}

/**
 * Sends the request, and passes on the answer as it arrives. It uses undici's `dispatch`, which, unlike `request`,
 * shows whether the request was written before a failure.
 * @throws {ExchangeFailure}
 */
export function exchange(what: Exchange, sink: ExchangeSink): Promise<void> {
  return new Promise((resolve, reject) => {
    const { dispatcher, origin, method, path, headers, body, signal, beforeSend } = what
    let sent = false
    let over = false
    let controller: Dispatcher.DispatchController | undefined
    const end = (failure?: { cause: unknown; own?: boolean }) => {
      if (over) return
      over = true
      signal.removeEventListener('abort', onAbort)
      if (failure === undefined) resolve()
      else reject(new ExchangeFailure(failure.cause, { sent, own: failure.own ?? false }))
    }
    const abort = (cause: unknown, own: boolean) => {
      end({ cause, own })
      controller?.abort(cause instanceof Error ? cause : new Error(String(cause)))
    }
    const onAbort = () => abort(signal.reason, false)
    const attempt = (step: () => void) => {
      try {
        if (!over) step()
      } catch (error) {
        abort(error, true)
      }
    }
    if (signal.aborted) return end({ cause: signal.reason })
    signal.addEventListener('abort', onAbort, { once: true })
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(given) {
        controller = given
        if (over) return given.abort(new Error('the request was aborted while it waited for a connection'))
        attempt(() => beforeSend?.())
        sent = !over
      },
      onResponseStart: (_, status, answered) => {
        if (status >= 200) attempt(() => sink.head(status, answered as ResponseHeaders))
      },
      onResponseData: (_, chunk) => attempt(() => sink.data(chunk)),
      onResponseEnd: () => end(),
      onResponseError: (_, cause) => end({ cause }),
    }
    attempt(() => {
      dispatcher.dispatch(
        // `reset: false` lets undici reuse a connection after a DELETE with a body. Otherwise the next request would
        // need a new handshake.
        { origin, method, path, headers, body: body ?? null, reset: false, headersTimeout: 0, bodyTimeout: 0 },
        handler,
      )
    })
  })
}
