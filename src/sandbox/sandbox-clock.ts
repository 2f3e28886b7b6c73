import { asWall, type Clock, systemClock } from '../base/clock.ts'

const began = systemClock.wall() - systemClock.now()
const now = (): number => began + systemClock.now()

/**
 * The only clock of a sandbox. All time stamps of objects come from it and are compared with it, so it cannot be set at
 * run time.
 */
export const sandboxClock: Clock = { ...systemClock, now, wall: () => asWall(now()) }
