import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import type { ArmorProfile } from '../../api/types.ts'
import type { Handler } from '../../kube/handler-queue.ts'
import type { KubeObject } from '../../kube/objects.ts'

/** The source of a node's ArmorProfiles, and the receiver of their status on this node. */
export interface ProfileSource {
  /** Call it before `start`. */
  subscribe(handler: Handler<ArmorProfile & KubeObject>): void
  start(): void
  /**
   * Resolves with true when the handlers have received all ArmorProfiles; with false if the source was stopped before
   * that.
   */
  listed(): Promise<boolean>
  /** Sets the status of an ArmorProfile on this node. */
  set(standing: ProfileStatus): void
  /** Drops the status of a deleted ArmorProfile. */
  forget(key: string): void
  /** Called when all ArmorProfiles are known and have a status. */
  becameWhole(): void
  /** Stops: the handlers get no further changes. */
  stop(): Promise<void>
  /** Called after `stop`, when the agent no longer sets a status. */
  close(): Promise<void>
}
