import { asWall, type Clock, systemClock } from '../base/clock.ts'

const began = systemClock.wall() - systemClock.now()
const now = (): number => began + systemClock.now()

/** The one clock of a sandbox: all stamps of its objects come from it and are compared with it, so nothing sets it while it runs. */
export const sandboxClock: Clock = { ...systemClock, now, wall: () => asWall(now()) }
