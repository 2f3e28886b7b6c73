import { SimulatedClock } from '../../actors/runtime/simulated-clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { ApiResponse, WatchResponse } from '../../src/sandbox/api-server/request.ts'
import type { JsonObject } from '../../src/sandbox/api-server/schema/json.ts'
import {
  ApiServer,
  type InProcessClient,
  type ServerOptions,
  type ServerSnapshot,
} from '../../src/sandbox/api-server/server.ts'
import type { WatchRecord } from '../../src/sandbox/api-server/watch/watcher.ts'

export interface Harness {
  server: ApiServer
  clock: SimulatedClock
  admin: InProcessClient
  call(method: string, path: string, body?: JsonObject, headers?: Record<string, string>): Promise<JsonObject>
  watch(path: string): Promise<WatchResponse>
}

/** A server under a simulated clock, without sockets, and an administrator of it. */
export async function startInProcess(
  options: Partial<ServerOptions> = {},
  restored?: ServerSnapshot,
): Promise<Harness> {
  const clock = new SimulatedClock()
  const random = seededRandom(7)
  let ids = 0
  const server = new ApiServer(
    {
      clock,
      random,
      uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
      caPem: 'a certificate',
      transport: async () => {
        throw new Error('no webhook is called here')
      },
      ...options,
    },
    restored,
  )
  await server.idle()
  const admin = server.client({ name: 'admin', groups: ['system:masters', 'system:authenticated'] })
  const ask = (
    method: string,
    url: string,
    body?: JsonObject,
    headers?: Record<string, string>,
  ): Promise<ApiResponse> => {
    const [path = '', query = ''] = url.split('?')
    return admin({
      method,
      path,
      query: new URLSearchParams(query),
      ...(headers ? { headers } : {}),
      ...(body ? { body } : {}),
    })
  }
  return {
    server,
    clock,
    admin,
    async call(method, url, body, headers) {
      const response = await ask(method, url, body, headers)
      if (response.type !== 'json') throw new Error(`${method} ${url} answered ${response.type}`)
      return response.body as JsonObject
    },
    async watch(url) {
      const response = await ask('GET', url)
      if (response.type !== 'watch') throw new Error(`${url} answered ${JSON.stringify(response)}`)
      return response
    },
  }
}

/** The next events of a watch. */
export async function take(response: WatchResponse, count: number): Promise<WatchRecord[]> {
  const found: WatchRecord[] = []
  for await (const record of response.events) {
    found.push(record)
    if (found.length === count) break
  }
  return found
}
