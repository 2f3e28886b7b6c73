import type { ActorSystem } from '../../actors/runtime/system.ts'
import { counter } from './messages.ts'

/** The actor family whose messages are measured. */
export default function install(system: ActorSystem): void {
  system.family('counter', { behaviour: counter, mailbox: { capacity: 100_000 } })
}
