import { isDeepStrictEqual } from 'node:util'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import type { ProfileDocument } from '../../../actors/ports.ts'
import { apiVersion } from '../../api/schema/common.ts'
import type { ArmorProfile } from '../../api/types.ts'
import type { Change } from '../../kube/change.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { HeldPolicy } from './policy-set.ts'

type Profile = ArmorProfile & KubeObject

interface Held {
  document: ProfileDocument
  object: Profile
}

/**
 * The ArmorProfiles of the policies in force, like in an API server. Each change makes a new generation. If a policy is
 * removed, its ArmorProfile counts as being deleted until the node has removed the profile.
 */
export class HeldProfiles {
  readonly #emit: (change: Change<Profile>) => void
  readonly #held = new Map<string, Held>()
  #generation = 0

  constructor(emit: (change: Change<Profile>) => void) {
    this.#emit = emit
  }

  /**
   * Replaces all policies in force by the given policies.
   * @returns whether they differ from the previous policies
   */
  set(policies: Iterable<HeldPolicy>): boolean {
    const before = this.#generation
    const wanted = new Map(Array.from(policies, ({ document }) => [keyOf(document), document]))
    for (const [key, document] of wanted) {
      const held = this.#held.get(key)
      if (held === undefined || isLeaving(held) || !isDeepStrictEqual(held.document, document)) this.#put(key, document)
    }
    for (const [key, held] of this.#held) if (!wanted.has(key) && !isLeaving(held)) this.#put(key, held.document, true)
    return this.#generation !== before
  }

  /** Takes the status of a profile from the node. A deleted ArmorProfile that is no longer loaded is removed. */
  settle({ key, state, generation }: ProfileStatus): void {
    const held = this.#held.get(key)
    if (held === undefined || !isLeaving(held) || state !== 'unloaded') return
    if (held.object.metadata.generation !== generation) return
    this.#held.delete(key)
    this.#emit({ type: 'deleted', key, object: held.object, missed: false })
  }

  #put(key: string, document: ProfileDocument, leaving = false): void {
    const old = this.#held.get(key)?.object
    const metadata = {
      ...document.metadata,
      uid: key,
      generation: ++this.#generation,
      ...(leaving && { deletionTimestamp: '1970-01-01T00:00:00Z' }),
    }
    const object = { apiVersion, kind: 'ArmorProfile', metadata, spec: document.spec } as unknown as Profile
    this.#held.set(key, { document, object })
    this.#emit(old === undefined ? { type: 'added', key, object } : { type: 'updated', key, object, old })
  }
}

const keyOf = ({ metadata: { namespace, name } }: ProfileDocument): string => `${namespace}/${name}`

const isLeaving = ({ object }: Held): boolean => object.metadata.deletionTimestamp !== undefined
