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
  /** There is nothing to say of it any more. */
  forget(key: string): void
  /** All ArmorProfiles are known from now on. */
  becameWhole(): void
  /** No change comes any more. */
  stop(): Promise<void>
  /** After `stop`, when nothing is set any more. */
  close(): Promise<void>
}
