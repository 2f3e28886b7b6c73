const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const both = (large: number, unit: string, small: number, rest: string): string =>
  small === 0 ? `${large}${unit}` : `${large}${unit}${small}${rest}`

/** A time span as kubectl shows ages: `57s`, `5m3s`, `3h`, `2d4h`, `400d` (apimachinery, pkg/util/duration). */
export function humanDuration(span: number): string {
  const seconds = Math.trunc(span / SECOND)
  if (seconds < -1) return '<invalid>'
  if (span < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(span / MINUTE)
  if (minutes < 10) return both(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(span / HOUR)
  if (hours < 8) return both(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 24 * 8) return both(days, 'd', hours % 24, 'h')
  if (days < 365 * 2) return `${days}d`
  const years = Math.floor(days / 365)
  return days < 365 * 8 ? both(years, 'y', days % 365, 'd') : `${years}y`
}

/** The age of a time (RFC 3339) at `now`; `<unknown>` if the time is missing. */
export function since(time: unknown, now: number): string {
  const at = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at)
}
