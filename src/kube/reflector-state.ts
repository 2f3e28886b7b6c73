/**
 * What a reflector does:
 *
 *     idle ─► listing ─► connecting ─► watching
 *                ▲ ▲         │  ▲         │
 *                │ └─ waiting ◄─┼─────────┘     every failure and every end goes through waiting,
 *                │       │      │               so there is no way round in which no time passes
 *                └───────┴──────┘
 *
 * and from anywhere to stopped.
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

/** @throws {Error} when the drawing above has no such arrow: a bug */
export function checkTransition(from: ReflectorState, to: ReflectorState): void {
  if (!next[from].includes(to)) throw new Error(`A reflector that is ${from} cannot become ${to}`)
}
