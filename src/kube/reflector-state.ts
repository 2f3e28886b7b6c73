/**
 * States of a reflector:
 *
 *     idle ─► listing ─► connecting ─► watching
 *                ▲ ▲         │  ▲         │
 *                │ └─ waiting ◄─┼─────────┘     every failure and every end goes through waiting,
 *                │       │      │               so no cycle runs without a delay
 *                └───────┴──────┘
 *
 * and from any state to stopped.
 */
export type ReflectorState = 'idle' | 'listing' | 'connecting' | 'watching' | 'waiting' | 'stopped'

const next: Record<ReflectorState, readonly ReflectorState[]> = {
  idle: ['listing', 'stopped'],
  listing: ['connecting', 'waiting', 'stopped'],
  connecting: ['watching', 'waiting', 'stopped'],
  watching: ['waiting', 'stopped'],
  waiting: ['listing', 'connecting', 'stopped'],
  stopped: [],
}

/** @throws {Error} if the diagram above has no such arrow, which is a bug */
export function checkTransition(from: ReflectorState, to: ReflectorState): void {
  if (!next[from].includes(to)) throw new Error(`A reflector that is ${from} cannot become ${to}`)
}
