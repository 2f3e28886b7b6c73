import { KubeConfig } from '@kubernetes/client-node'
import { asWall, type WallMs } from '../../src/base/clock.ts'
import { Caller, type CallerOptions } from '../../src/kube/caller.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { type Connection, KubeConnection } from '../../src/kube/connection.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { defineResource } from '../../src/kube/resources.ts'
import { ManualClock as SteadyClock } from '../audit/manual-clock.ts'

export { turn } from '../audit/manual-clock.ts'

/**
 * A clock that a test moves, also in the way that a stopped process experiences it: time has passed, but no timer has
 * fired yet.
 */
export class ManualClock extends SteadyClock {
  #jumped = 0

  override now(): number {
    return super.now() + this.#jumped
  }

  override wall(): WallMs {
    return asWall(super.wall() + this.#jumped)
  }

  jump(milliseconds: number): void {
    this.#jumped += milliseconds
  }
}

export interface Thing extends KubeObject {
  metadata: NonNullable<KubeObject['metadata']>
  spec?: { value?: number; text?: string }
}

export const things = defineResource<Thing>({
  group: 'example.org',
  version: 'v1',
  plural: 'things',
  kind: 'Thing',
  namespaced: true,
})

export const thing = (name: string, resourceVersion: string | number, spec: Thing['spec'] = {}): Thing => ({
  apiVersion: 'example.org/v1',
  kind: 'Thing',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: String(resourceVersion) },
  spec,
})

export const target = { namespace: 'default', name: 'one' }
export const thingsPath = '/apis/example.org/v1/namespaces/default/things'

export function configFor(url: string, user: Record<string, unknown> = {}): KubeConfig {
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, { name: 'test', ...user })
  return config
}

export interface TestClient {
  client: ApiClient
  connection: Connection
  clock: ManualClock
}

/** A client without rate limit and randomness, whose clock a test moves. */
export function testClient(url: string, options: Partial<CallerOptions> = {}): TestClient {
  const clock = new ManualClock()
  const connection = options.connection ?? new KubeConnection(configFor(url))
  const caller = new Caller({ clock, random: () => 0, limiter: unlimited, ...options, connection })
  return { client: new ApiClient(caller), connection, clock }
}

/** The error of a rejected promise. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('this was to fail, and did not')
}
