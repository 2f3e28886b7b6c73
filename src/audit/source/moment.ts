import { readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { asWall, type Clock, sinceBoot, type WallMs } from '../../base/clock.ts'

/** A time stamp of a file that is read again. What no Date can have, no clock has shown. */
export const storedTime = Type.Unsafe<WallMs>(Type.Number({ minimum: 0, maximum: 8.64e15 }))

/** As a file has it. Files of earlier versions lack the boot. */
export const storedMoment = Type.Object({
  at: storedTime,
  boot: Type.Optional(Type.String({ maxLength: 64 })),
  up: Type.Optional(Type.Number({ minimum: 0, maximum: 8.64e15 })),
})

/**
 * A moment for an agent that comes later: by the time of day, which can be set meanwhile, and by the clock since boot, which counts as
 * long as the boot is the same.
 */
export type StoredMoment = Static<typeof storedMoment>

export interface Moment extends StoredMoment {
  boot: string
  up: number
}

/** Gives the present moment. */
export type Present = () => Moment

export const presentOf =
  (clock: Clock, boot = bootID()): Present =>
  () => ({ at: clock.wall(), boot, up: sinceBoot() })

/** So many milliseconds before. */
export const earlier = ({ at, boot, up }: Moment, by: number): Moment => ({
  ...{ at: asWall(at - by), boot },
  up: up - by,
})

/**
 * How many milliseconds passed between two moments. Of two boots, or where the earlier one has none, by the time of day alone: undefined
 * where that was set back, since nothing tells how long it was.
 */
export function passedBetween(from: StoredMoment, to: Moment): number | undefined {
  const passed = from.boot === to.boot && from.up !== undefined ? to.up - from.up : to.at - from.at
  return passed < 0 ? undefined : passed
}

const bootFile = '/proc/sys/kernel/random/boot_id'

/** Where it cannot be read, each agent has a boot of its own. */
function bootID(): string {
  try {
    return readFileSync(bootFile, 'latin1').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `unknown-${process.pid}-${sinceBoot()}`
    throw error
  }
}
