import type { KubeObject } from '../api-server/kube-object.ts'
import { type ClusterClient, isNamespaceTerminating, type NewObject } from './cluster-client.ts'
import type { EventRecorder } from './event-recorder.ts'
import { pods, type Resource } from './resources.ts'
import type { Pod } from './types.ts'

export interface PodOwner {
  readonly component: string
  readonly resource: Resource
  readonly object: KubeObject
}

/** How many pods an owner creates or deletes in one go. */
export const largestBurst = 500

/** Creates and deletes pods for an owner, and says so in events. */
export class PodControl {
  private readonly client: ClusterClient
  private readonly events: EventRecorder
  private readonly owner: PodOwner

  constructor(client: ClusterClient, events: EventRecorder, owner: PodOwner) {
    this.client = client
    this.events = events
    this.owner = owner
  }

  /** @throws what the API server refuses, but for a namespace that is going away */
  async create(pod: NewObject): Promise<void> {
    const { component, resource, object } = this.owner
    try {
      const created = await this.client.create(pods, pod)
      this.events.normal(component, resource, object, 'SuccessfulCreate', `Created pod: ${created.metadata.name}`)
    } catch (error) {
      if (isNamespaceTerminating(error)) return
      this.events.warning(component, resource, object, 'FailedCreate', `Error creating: ${messageOf(error)}`)
      throw error
    }
  }

  async delete(pod: Pod): Promise<void> {
    const { component, resource, object } = this.owner
    const { uid = '', name } = pod.metadata
    try {
      await this.client.delete(pods, pod, { uid })
      this.events.normal(component, resource, object, 'SuccessfulDelete', `Deleted pod: ${name}`)
    } catch (error) {
      this.events.warning(component, resource, object, 'FailedDelete', `Error deleting: ${messageOf(error)}`)
      throw error
    }
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Does something so many times: once, then twice at a time, then four times, and so on, and no further round after a
 * failure, so that what cannot succeed is not tried a thousand times. @throws the first failure
 */
export async function slowStart(count: number, act: (index: number) => Promise<void>): Promise<void> {
  let done = 0
  for (let size = Math.min(count, 1); size > 0; size = Math.min(2 * size, count - done)) {
    const from = done
    const results = await Promise.allSettled(Array.from({ length: size }, (_, index) => act(from + index)))
    done += size
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}

/** Deletes all at a time. @throws the first failure, after all have been tried */
export async function deleteAll(control: PodControl, doomed: readonly Pod[]): Promise<void> {
  const results = await Promise.allSettled(doomed.map((pod) => control.delete(pod)))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}
