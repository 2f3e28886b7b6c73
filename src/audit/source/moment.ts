import { readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { asWall, type Clock, sinceBoot, type WallMs } from '../../base/clock.ts'

/** A time stamp from a file. It must be a valid Date. */
export const storedTime = Type.Unsafe<WallMs>(Type.Number({ minimum: 0, maximum: 8.64e15 }))

/** The stored form of a moment. Files of earlier versions lack the boot. */
export const storedMoment = Type.Object({
  at: storedTime,
  boot: Type.Optional(Type.String({ maxLength: 64 })),
  up: Type.Optional(Type.Number({ minimum: 0, maximum: 8.64e15 })),
})

/**
 * A time that a later agent can read: by the wall clock, which may be set meanwhile, and by the clock since boot, which
 * can be compared only within one boot.
 */
export type StoredMoment = Static<typeof storedMoment>

export interface Moment extends StoredMoment {
  boot: string
  up: number
}

/** Returns the present time. */
export type Present = () => Moment

export const presentOf =
  (clock: Clock, boot = bootID()): Present =>
  () => ({ at: clock.wall(), boot, up: sinceBoot() })

/** The time that is `by` milliseconds earlier. */
export const earlier = ({ at, boot, up }: Moment, by: number): Moment => ({
  ...{ at: asWall(at - by), boot },
  up: up - by,
})

/**
 * Milliseconds between two times. Between different boots, or if the earlier boot is unknown, the wall clock decides.
 * If the wall clock was set back, the result is undefined.
 */
export function passedBetween(from: StoredMoment, to: Moment): number | undefined {
  const passed = from.boot === to.boot && from.up !== undefined ? to.up - from.up : to.at - from.at
  return passed < 0 ? undefined : passed
}

const bootFile = '/proc/sys/kernel/random/boot_id'

/** The id of this boot. If it is unreadable, each agent uses a different id. */
function bootID(): string {
  try {
    return readFileSync(bootFile, 'latin1').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `unknown-${process.pid}-${sinceBoot()}`
    throw error
  }
}
