import { asWall, type Clock, systemClock } from '../base/clock.ts'

const began = systemClock.wall() - systemClock.now()
const now = (): number => began + systemClock.now()

/**
 * The only clock of a sandbox. All timestamps in objects come from this clock and are compared with it, so it ignores
 * changes of the system time.
 */
export const sandboxClock: Clock = { ...systemClock, now, wall: () => asWall(now()) }
