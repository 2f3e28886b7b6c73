/**
 * Checks of times and counts that callers pass. An invalid value is a bug of the caller, and would let an action happen
 * at once or never. Each check throws a RangeError that names the value.
 */

/** @throws {RangeError} unless the value is a whole number of 1 or more */
export function checkCount(what: string, given: number): void {
  if (!(Number.isInteger(given) && given >= 1)) refuse(what, 'a whole number of 1 or more', given)
}

/** @throws {RangeError} unless the value is a finite number greater than 0 */
export function checkAboveZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given > 0)) refuse(what, 'a finite number greater than 0', given)
}

/** @throws {RangeError} unless the value is a finite number of 0 or more */
export function checkFromZero(what: string, given: number): void {
  if (!(Number.isFinite(given) && given >= 0)) refuse(what, 'a finite number of 0 or more', given)
}

/** @throws {RangeError} unless the value is a number of 0 or more, or Infinity */
export function checkFromZeroOrForever(what: string, given: number): void {
  if (!(typeof given === 'number' && given >= 0)) refuse(what, 'a number of 0 or more, or Infinity', given)
}

/** @throws {RangeError} unless the value is finite: a point in time, which may be before the epoch */
export function checkTime(what: string, given: number): void {
  if (!Number.isFinite(given)) refuse(what, 'a finite number', given)
}

function refuse(what: string, allowed: string, given: unknown): never {
  throw new RangeError(
    `${what} must be ${allowed}, not ${typeof given === 'string' ? JSON.stringify(given) : String(given)}`,
  )
}
