import { InvalidArgumentError } from 'commander'

// Option parsers for commander, which prints the error and exits with the misuse status.

/** Parses a whole number of at least 1. */
export function readCount(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of 1 or more.')
  return Number(text)
}

/** Parses a whole number of at least 0. */
export function readAmount(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of 0 or more.')
  return Number(text)
}

/** A whole number within a range. */
export const readNumber =
  (least: number, max: number) =>
  (text: string): number => {
    const number = Number(text)
    if (!/^\d{1,15}$/.test(text) || number < least || number > max)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${max}.`)
    return number
  }

/** Bytes of each unit, as in rotating-file-stream. */
const unitsOfSize: Record<string, number> = { M: 1024 ** 2, G: 1024 ** 3 }
const sizePattern = /^([1-9]\d{0,5})([MG])$/

/** The size of a file, such as `10M`: in MiB or GiB. */
export function readSize(text: string): `${number}M` | `${number}G` {
  const [, count, unit] = sizePattern.exec(text.toUpperCase()) ?? []
  if (count === undefined) throw new InvalidArgumentError('It must be a size of 1M or more, such as 10M or 2G.')
  return unit === 'M' ? `${Number(count)}M` : `${Number(count)}G`
}

/** Bytes of a size that `readSize` has accepted. */
export const bytesOfSize = (size: string): number => Number.parseInt(size, 10) * unitsOfSize[size.slice(-1)]!

/** The size of a kernel ring buffer, such as `4M`: a power of two from 1 to 256 MiB. */
export function readRingSize(text: string): `${number}M` {
  const count = Number(/^(\d{1,3})[Mm]$/.exec(text)?.[1])
  if (!Number.isInteger(Math.log2(count)) || count > 256)
    throw new InvalidArgumentError('It must be 1M, 2M, 4M and so on, up to 256M.')
  return `${count}M`
}

/** Events per second. */
export function readEventRate(text: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text) || Number(text) < 0.001)
    throw new InvalidArgumentError('It must be a number from 0.001 to 999999999; leave it out for no limit.')
  return Number(text)
}

/** Records per second, and burst. By default, the burst is the rate, rounded up. */
export function readRecordsRate(text: string): { rate: number; burst: number } {
  const [, rate = '', burst] = /^(\d{1,6}(?:\.\d{1,3})?)(?:\/([1-9]\d{0,5}))?$/.exec(text) ?? []
  if (rate === '' || Number(rate) < 0.001)
    throw new InvalidArgumentError(
      'It must be RATE or RATE/BURST, such as 100 or 100/1000: a number from 0.001 to 999999, and a whole number of 1 or more.',
    )
  return { rate: Number(rate), burst: burst === undefined ? Math.max(1, Math.ceil(Number(rate))) : Number(burst) }
}

const unitsOfTime: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time span such as `10m` or `1h30m`, in milliseconds. */
export function readDuration(text: string): number {
  if (!/^(\d{1,9}[smhd])+$/.test(text))
    throw new InvalidArgumentError('It must be a time span such as 90s, 10m, 1h30m or 2d.')
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * unitsOfTime[unit]!,
    0,
  )
}

const actions = ['DENIED', 'AUDIT', 'ALLOWED']

/** Actions of violations, in upper or lower case. The option may be repeated, or list actions separated by commas. */
export function readActions(text: string, before: string[] = []): string[] {
  const named = text.split(',').map((name) => name.trim().toUpperCase())
  if (!named.every((name) => actions.includes(name)))
    throw new InvalidArgumentError(`It must be ${actions.join(', ')}, or several of these, separated by commas.`)
  return [...before, ...named]
}

/** A port; 0 means any free port. */
export function readPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('It must be a port from 1 to 65535, or 0 for any free port.')
  return Number(text)
}

export interface Endpoint {
  host: string
  port: number
}

/** `ADDRESS:PORT`, with brackets around an IPv6 address. */
export function readEndpoint(text: string): Endpoint {
  const [, inBrackets, plain, digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = inBrackets ?? plain
  if (host === undefined || Number(digits) > 65_535)
    throw new InvalidArgumentError('It must be ADDRESS:PORT, such as 127.0.0.1:10250 or [::1]:10250.')
  return { host, port: Number(digits) }
}

/** Requests per second. */
export function readRate(text: string): number {
  const rate = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || rate <= 0) throw new InvalidArgumentError('It must be a number above 0.')
  return rate
}

/** As in upstream, 0 means the default. */
export const zeroIs =
  (fallback: number, read: (text: string) => number) =>
  (text: string): number =>
    /^0+(\.0+)?$/.test(text) ? fallback : read(text)

/** An origin: `https://HOST[:PORT]`. */
export function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new InvalidArgumentError('It must be https://HOST or https://HOST:PORT, without a path.')
  return text.replace(/\/$/, '')
}

/** Origins, for a repeatable option. */
export const readOrigins = (text: string, before: string[] = []): string[] => [...before, readOrigin(text)]

/** Names or addresses. The option may be repeated, or list names separated by commas. */
export const readNames = (text: string, before: string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== ''),
]

/** A DNS name (RFC 1123), as for namespaces and nodes. */
export function readDnsName(text: string): string {
  if (text.length > 253 || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('It must be a DNS name: lower case letters, digits, - and .')
  return text
}

/** Names of namespaces. The option may be repeated, or list names separated by commas. */
export function readNamespaces(text: string, before: string[] = []): string[] {
  const names = readNames(text)
  if (!names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    throw new InvalidArgumentError(
      'It must be names of namespaces (lower case letters, digits and -), separated by commas.',
    )
  return [...before, ...names]
}

/** `KEY=VALUE`, for a repeatable option. */
export function readLabels(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, key, value] = /^([^=\s]+)=([^=\s]*)$/.exec(text) ?? []
  if (key === undefined || value === undefined) throw new InvalidArgumentError('It must be KEY=VALUE.')
  return { ...before, [key]: value }
}

/** `KEY=VALUE` of a label, or empty. */
export function readLabel(text: string): string {
  if (text !== '' && !/^[^=\s]+=[^=\s]+$/.test(text))
    throw new InvalidArgumentError('It must be KEY=VALUE, or empty for all workloads.')
  return text
}
