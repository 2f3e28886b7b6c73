import type { MapWrite } from './addon.ts'
import type { ProfileEncoder } from './profile-encoder.ts'
import type { BpfState } from './state.ts'

type Key = Pick<MapWrite, 'map' | 'key'>

const textOf = ({ map, key }: Key): string => `${map} ${Buffer.from(key).toString('hex')}`

/**
 * The addresses of each container's pod, for rules about the pod itself. They are entries in the maps of a state, by
 * container number.
 */
export class OwnAddresses {
  readonly #state: BpfState
  readonly #encoder: Pick<ProfileEncoder, 'ownAddresses'>
  readonly #there = new Map<number, Map<string, Key>>()

  constructor(state: BpfState, encoder: Pick<ProfileEncoder, 'ownAddresses' | 'ownKeys'>) {
    this.#state = state
    this.#encoder = encoder
    for (const [number, keys] of encoder.ownKeys((map, size) => state.entries(map, size)))
      this.#there.set(number, new Map(keys.map((one) => [textOf(one), one])))
  }

  /**
   * Replaces the addresses. An address that is in both the old and the new list stays in the map throughout.
   * @throws {EnforcerError}
   */
  async set(number: number, addresses: readonly string[]): Promise<void> {
    const before = this.#there.get(number) ?? new Map<string, Key>()
    const writes = this.#encoder.ownAddresses(number, addresses)
    const now = new Map(writes.map((one) => [textOf(one), one]))
    const fresh = writes.filter((one) => !before.has(textOf(one)))
    const gone = [...before].filter(([text]) => !now.has(text)).map(([, { map, key }]) => ({ map, key }))
    if (fresh.length === 0 && gone.length === 0) return
    // Note the entries before the write. If the write fails, the next write removes them.
    this.#there.set(number, new Map([...before, ...now]))
    await this.#state.write([...fresh, ...gone], 'write the addresses of a pod')
    if (now.size > 0) this.#there.set(number, now)
    else this.#there.delete(number)
  }
}
