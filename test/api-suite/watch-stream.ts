import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Json } from './api.ts'

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: Json
}

const timeout = 600_000

/** The lines of a watch as they arrive, one JSON document each. */
export class WatchStream {
  readonly status: number
  #lines: AsyncIterator<string>
  #stop: AbortController
  #body: Readable

  constructor(status: number, body: Readable, stop: AbortController) {
    this.status = status
    this.#body = body
    // Closing a watch aborts the request, which is not a failure.
    body.on('error', () => undefined)
    this.#lines = createInterface({ input: body })[Symbol.asyncIterator]()
    this.#stop = stop
  }

  /**
   * @returns the next event; undefined at the end
   * @throws if neither an event nor the end arrives within two minutes
   */
  async next(): Promise<WatchEvent | undefined> {
    const late = new AbortController()
    const nothing = pause(timeout, undefined, { signal: late.signal }).then(() => {
      throw new Error(`no event of the watch in ${timeout / 1000} s`)
    })
    nothing.catch(() => undefined)
    try {
      const line = await Promise.race([this.#lines.next(), nothing])
      return line.done ? undefined : (JSON.parse(line.value) as WatchEvent)
    } finally {
      late.abort()
    }
  }

  /** Waits for this number of events. */
  async take(count: number): Promise<WatchEvent[]> {
    const events: WatchEvent[] = []
    while (events.length < count) {
      const event = await this.next()
      if (event === undefined) break
      events.push(event)
    }
    return events
  }

  /** The events up to the first one that passes the test. */
  async until(wanted: (event: WatchEvent) => boolean): Promise<WatchEvent[]> {
    const events: WatchEvent[] = []
    for (;;) {
      const event = await this.next()
      if (event === undefined) throw new Error(`the watch ended after ${events.length} events`)
      events.push(event)
      if (wanted(event)) return events
    }
  }

  close(): void {
    this.#stop.abort()
    this.#body.destroy()
  }
}

/** A short text of an event: `ADDED name`. */
export const brief = ({ type, object }: WatchEvent): string =>
  type === 'BOOKMARK' || type === 'ERROR' ? type : `${type} ${object.metadata.name}`
