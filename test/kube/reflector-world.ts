import { ApiError, ConnectionError } from '../../src/kube/api-error.ts'
import type { Change } from '../../src/kube/change.ts'
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts'
import { ManualClock, type Thing, turn } from './harness.ts'
import { ModelServer } from './model-server.ts'

export interface World {
  model: ModelServer
  clock: ManualClock
  reflector: Reflector<Thing>
  changes: Change<Thing>[]
  states: string[]
  errors: unknown[]
  delays: number[]
}

export function world(options: Partial<ReflectorOptions<Thing>> = {}): World {
  const model = new ModelServer()
  const clock = new ManualClock()
  const [changes, states, errors, delays]: [Change<Thing>[], string[], unknown[], number[]] = [[], [], [], []]
  const reflector = new Reflector<Thing>({
    source: model,
    clock,
    random: () => 0.5,
    observer: {
      state: (state) => states.push(state),
      failed: (error, delay) => {
        errors.push(error)
        delays.push(delay)
      },
    },
    ...options,
  })
  reflector.subscribe({ name: 'all', mode: 'edge', handle: (change) => void changes.push(change) })
  return { model, clock, reflector, changes, states, errors, delays }
}

export const said = (changes: Change<Thing>[]): string[] =>
  changes.map(({ type, key, object }) => `${type} ${key} ${object.spec?.value}`)

export const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await turn()
}

/** An error answer of the server. */
export const apiError = (code: number, reason: string, retryAfterSeconds?: number): ApiError =>
  new ApiError(
    code,
    { reason, code, details: retryAfterSeconds === undefined ? {} : { retryAfterSeconds } },
    { verb: 'watch', path: '/things' },
  )
export const broken = new ConnectionError('BROKEN', { verb: 'watch', path: '/things' }, 'read ECONNRESET')

export async function started(
  options: Partial<ReflectorOptions<Thing>> = {},
  prepare = (_: ModelServer): void => undefined,
): Promise<World> {
  const made = world(options)
  prepare(made.model)
  made.reflector.start()
  await settle()
  return made
}
