/**
 * Checks of times and counts that callers pass. A wrong value is a bug of the caller: without a check, an action would
 * never happen or happen at once. Each check throws a RangeError with the value.
 */

/** @throws {RangeError} unless the value is a whole number of at least 1 */
export function checkCount(what: string, given: number): void {
  if (!(Number.isInteger(given) && given >= 1)) refuse(what, 'a whole number from 1', given)
}

/** @throws {RangeError} unless the value is a finite number above 0 */
export function checkAboveZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given > 0)) refuse(what, 'a finite number above 0', given)
}

/** @throws {RangeError} unless the value is a finite number of at least 0 */
export function checkFromZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given >= 0)) refuse(what, 'a finite number from 0', given)
}

/** @throws {RangeError} unless the value is a number of at least 0, or Infinity */
export function checkFromZeroOrForever(what: string, given: number): void {
  if (!(typeof given === 'number' && given >= 0)) refuse(what, 'a number from 0, or Infinity', given)
}

/** @throws {RangeError} unless the value is finite: a point in time, which may be before the epoch */
export function checkTime(what: string, given: number): void {
  if (!Number.isFinite(given)) refuse(what, 'a finite number', given)
}

function refuse(what: string, allowed: string, given: unknown): never {
  throw new RangeError(
    `${what} is ${allowed}, not ${typeof given === 'string' ? JSON.stringify(given) : String(given)}`,
  )
}
