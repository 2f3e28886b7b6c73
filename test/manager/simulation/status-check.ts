import { profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { AgentReport } from '../../../src/api/agent-report.ts'
import { group } from '../../../src/api/crds.ts'
import type { ArmorProfile, VarmorPolicy } from '../../../src/api/types.ts'
import type { KubeObject } from '../../../src/sandbox/api-server/kube-object.ts'
import type { Store } from '../../../src/sandbox/api-server/store/store.ts'
import { INSTALL_NAMESPACE } from './embedded-cluster.ts'

const policies = `${group}/varmorpolicies`
const profiles = `${group}/armorprofiles`

/**
 * Observes the reports that managers receive and the statuses that they write, and checks that the statuses are true.
 */
export class StatusCheck {
  /** Policies that were reported Ready although a node had not reported the profile. */
  readonly unfounded: string[] = []
  /** How often a policy became Ready. */
  ready = 0
  readonly #store: Store
  /** The reported states, by node, then by `<namespace>/<name>` of the ArmorProfile. */
  readonly #acknowledged = new Map<string, Map<string, string>>()

  constructor(store: Store) {
    this.#store = store
    store.listen((resource, { type, object, previous }) => {
      if (resource !== policies || type === 'DELETED') return
      if (isReady(object) && !(previous !== undefined && isReady(previous))) this.#becameReady(object)
    })
  }

  /** Called when a manager accepts a report. */
  taken({ node, profiles }: AgentReport): void {
    const acknowledged = this.#acknowledged.get(node) ?? new Map<string, string>()
    this.#acknowledged.set(node, acknowledged)
    for (const { namespace, name, uid, generation, state } of profiles)
      acknowledged.set(`${namespace}/${name}`, `${state} ${uid} ${generation}`)
  }

  /** The API server's objects at the end, without fields that depend on time. */
  endState(): object {
    const of = (resource: string) =>
      [...this.#store.walk(resource)].map(({ metadata, spec, status }) => ({
        name: metadata.name,
        generation: metadata.generation,
        finalizers: metadata['finalizers'],
        spec,
        status: JSON.parse(JSON.stringify(status ?? null, (key, value) => (/Time$/.test(key) ? undefined : value))),
      }))
    return { policies: of(policies), profiles: of(profiles) }
  }

  #becameReady(object: KubeObject): void {
    this.ready++
    const { metadata } = object as unknown as VarmorPolicy
    const { namespace, name } = profileIdOf(
      { kind: 'VarmorPolicy', namespace: metadata.namespace ?? '', name: metadata.name },
      INSTALL_NAMESPACE,
    )
    const profile = this.#store.get(profiles, namespace, name) as unknown as ArmorProfile | undefined
    const wanted = `loaded ${profile?.metadata.uid} ${profile?.metadata.generation}`
    const missing = [...this.#store.walk('/nodes')].filter(
      (node) => this.#acknowledged.get(node.metadata.name)?.get(`${namespace}/${name}`) !== wanted,
    )
    if (missing.length > 0)
      this.unfounded.push(`${metadata.name} is Ready without ${missing.map((node) => node.metadata.name).join(', ')}`)
  }
}

/** Tells whether the policy is Ready with its current spec. */
function isReady(object: KubeObject): boolean {
  const { metadata, status } = object as unknown as VarmorPolicy
  return status?.ready === true && status.observedGeneration === metadata.generation
}
