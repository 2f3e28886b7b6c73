import type { ProfileStatus } from '../../actors/loaded-profile/ports.ts'
import type { ArmorProfile } from '../api/types.ts'
import type { Handler } from '../kube/handler-queue.ts'
import type { KubeObject } from '../kube/objects.ts'

/** Where the ArmorProfiles of a node come from, and who is to know what became of them there. */
export interface ProfileSource {
  /** Before the start. */
  subscribe(handler: Handler<ArmorProfile & KubeObject>): void
  start(): void
  /** Resolves when all ArmorProfiles have gone through the handlers; false where it was stopped before. */
  listed(): Promise<boolean>
  /** How an ArmorProfile stands on this node. */
  set(standing: ProfileStatus): void
  /** The ArmorProfile is gone: drops its status. */
  forget(key: string): void
  /** All ArmorProfiles are known from now on. */
  becameWhole(): void
  /** Ends the changes: none comes after it. */
  stop(): Promise<void>
  /** Called after `stop`, when the agent no longer sets a status. */
  close(): Promise<void>
}
