import type { KubeObject } from '../api-server/kube-object.ts'
import { clone, type JsonObject, sameJson } from '../api-server/schema/json.ts'
import { type ClusterClient, isAlreadyExists } from './cluster-client.ts'
import type { Environment } from './environment.ts'
import { BY_CONTROLLER, orphansOf } from './informers.ts'
import { claim, controllerReference } from './ownership.ts'
import { controllerRevisions, type Resource } from './resources.ts'
import { shortHash } from './template-hash.ts'
import type { ControllerRevision, LabelSelector, PodTemplate } from './types.ts'

export const REVISION_HASH = 'controller-revision-hash'

export type RevisionedObject = KubeObject & { spec: { selector: LabelSelector; template: PodTemplate } }

/** The templates that a workload has had, as ControllerRevisions. */
export interface History {
  /** That of the template of now. */
  readonly update: ControllerRevision
  /** All, the oldest first. */
  readonly all: readonly ControllerRevision[]
  /** How often a name was taken by another template. */
  readonly collisions: number
}

export interface HistoryOptions {
  readonly environment: Environment
  readonly client: ClusterClient
  readonly resource: Resource
  readonly owner: RevisionedObject
  readonly collisions: number
  /** The label of a revision that carries its hash. */
  readonly hashLabel: string
}

/** A patch that brings the template back; kubectl applies it for `rollout undo`. */
const dataOf = ({ spec }: RevisionedObject): JsonObject => ({
  spec: { template: { ...clone(spec.template), $patch: 'replace' } },
})

/** The template that a revision holds. */
export function templateIn({ data }: ControllerRevision): PodTemplate {
  const { $patch: _, ...template } = (data['spec'] as { template: JsonObject }).template
  return template as PodTemplate
}

const byRevision = (a: ControllerRevision, b: ControllerRevision): number =>
  a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1)

/** The history, after the template of now has become its newest revision. */
export async function updateHistory(options: HistoryOptions): Promise<History> {
  const known = await claimRevisions(options)
  const sorted = [...known].sort(byRevision)
  const data = dataOf(options.owner)
  const next = (sorted.at(-1)?.revision ?? 0) + 1
  const equal = sorted.filter((revision) => sameJson(revision.data, data)).at(-1)
  const { collisions } = options
  if (equal && equal === sorted.at(-1)) return { update: equal, all: sorted, collisions }
  if (equal) {
    const update = await options.client.update(controllerRevisions, { ...equal, revision: next })
    return { update, all: [...sorted.filter((one) => one !== equal), update], collisions }
  }
  const created = await createRevision(options, data, next)
  return { ...created, all: [...sorted, created.update] }
}

function claimRevisions({ environment, client, owner, resource }: HistoryOptions): Promise<ControllerRevision[]> {
  const { store } = environment.informers.controllerRevisions
  const { uid = '', namespace } = owner.metadata
  return claim({
    client,
    owner,
    ownerResource: resource,
    resource: controllerRevisions,
    candidates: [...store.find(BY_CONTROLLER, uid), ...store.find(BY_CONTROLLER, orphansOf(namespace))],
  })
}

async function createRevision(
  { client, owner, resource, collisions, hashLabel }: HistoryOptions,
  data: JsonObject,
  revision: number,
): Promise<{ update: ControllerRevision; collisions: number }> {
  const { name, namespace = '', annotations } = owner.metadata
  for (let tries = collisions; ; tries++) {
    const hash = shortHash(data, tries)
    const metadata = {
      name: `${name.slice(0, 223)}-${hash}`,
      namespace,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [controllerReference(resource, owner)],
    }
    try {
      return { update: await client.create(controllerRevisions, { metadata, data, revision }), collisions: tries }
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const found = await client.get(controllerRevisions, namespace, metadata.name)
      // Our own, which the copy does not show yet. Else another template has the name.
      if (found && sameJson(found.data, data)) return { update: found, collisions: tries }
    }
  }
}

/** Deletes the oldest revisions beyond a limit; those that are in use do not count. */
export async function truncateHistory(
  client: ClusterClient,
  { all }: History,
  limit: number,
  isInUse: (revision: ControllerRevision) => boolean,
): Promise<void> {
  const unused = all.filter((revision) => !isInUse(revision))
  for (const revision of unused.slice(0, Math.max(0, unused.length - limit)))
    await client.delete(controllerRevisions, revision)
}
