/**
 * Checks of times and counts from callers. A wrong value is a bug of the caller that would otherwise show as an action
 * that never happens or happens at once, so each check throws a RangeError with the value.
 */

/** @throws {RangeError} unless it is a whole number from 1 */
export function checkCount(what: string, given: number): void {
  if (!(Number.isInteger(given) && given >= 1)) refuse(what, 'a whole number from 1', given)
}

/** @throws {RangeError} unless it is a finite number above 0 */
export function checkAboveZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given > 0)) refuse(what, 'a finite number above 0', given)
}

/** @throws {RangeError} unless it is a finite number from 0 */
export function checkFromZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given >= 0)) refuse(what, 'a finite number from 0', given)
}

/** @throws {RangeError} unless it is a number from 0, or Infinity */
export function checkFromZeroOrForever(what: string, given: number): void {
  if (!(typeof given === 'number' && given >= 0)) refuse(what, 'a number from 0, or Infinity', given)
}

/** @throws {RangeError} unless it is finite: a point in time, which may be before the epoch */
export function checkTime(what: string, given: number): void {
  if (!Number.isFinite(given)) refuse(what, 'a finite number', given)
}

function refuse(what: string, allowed: string, given: unknown): never {
  throw new RangeError(
    `${what} is ${allowed}, not ${typeof given === 'string' ? JSON.stringify(given) : String(given)}`,
  )
}
