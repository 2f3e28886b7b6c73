import type { ActorSystem } from '../../actors/runtime/system.ts'
import { counter } from './messages.ts'

/** The family of the measured thread. */
export default function install(system: ActorSystem): void {
  system.family('counter', { behaviour: counter, mailbox: { capacity: 100_000 } })
}
