import { isIP } from 'node:net'

const uuid = (version: string, variant: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i')
const matches = (pattern: RegExp) => (text: string) => pattern.test(text)

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const hostname =
  /^([a-zA-Z0-9_\u00a1-\uffff]([a-zA-Z0-9_\u00a1-\uffff-]{0,62}[a-zA-Z0-9_\u00a1-\uffff])?\.)*([a-zA-Z0-9_\u00a1-\uffff-]{1,63})\.?$/
const goDuration = /^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*)$/
const scalaDuration =
  /^\s*\d+\s*(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*$/
const dateTime =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]\d{2}:\d{2})$/
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/

function isCidr(text: string): boolean {
  const [address = '', length = ''] = text.split('/')
  const family = isIP(address)
  return family !== 0 && /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128)
}

const isDate = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toISOString().startsWith(text)

function isCalendarDate(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && isDate(text)
}

function isUri(text: string): boolean {
  return text.startsWith('/') ? !/\s/.test(text) : /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text)
}

const isbnDigits = (text: string): string => text.replace(/[-\s]/g, '')
function isIsbn10(text: string): boolean {
  const digits = isbnDigits(text)
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  return (
    Array.from(digits).reduce((sum, digit, i) => sum + (10 - i) * (digit === 'X' ? 10 : Number(digit)), 0) % 11 === 0
  )
}
function isIsbn13(text: string): boolean {
  const digits = isbnDigits(text)
  return (
    /^\d{13}$/.test(digits) &&
    Array.from(digits).reduce((sum, digit, i) => sum + Number(digit) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  )
}

/** The formats of strings that CRDs of Kubernetes 1.37 may ask for (apiextensions, apiserver/validation/formats.go). Others are ignored. */
const formats: Record<string, (text: string) => boolean> = {
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  uri: isUri,
  email: matches(/^(?:.*<)?[^\s@<>]+@[^\s@<>]+>?$/),
  hostname: (text) => hostname.test(text) && text.length <= 255,
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
  cidr: isCidr,
  mac: matches(
    /^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2}\1[0-9a-f]{2}\1)?[0-9a-f]{2}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2,3})$/i,
  ),
  uuid: matches(uuid('[0-9a-f]', '[0-9a-f]')),
  uuid3: matches(uuid('3', '[0-9a-f]')),
  uuid4: matches(uuid('4', '[89ab]')),
  uuid5: matches(uuid('5', '[89ab]')),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: matches(/^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13})$/),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(
    /^rgb\(\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*\)$/,
  ),
  byte: matches(base64),
  password: () => true,
  date: isCalendarDate,
  duration: (text) => goDuration.test(text) || scalaDuration.test(text),
  datetime: matches(dateTime),
  k8sshortname: (text) => text.length <= 63 && new RegExp(`^${label}$`).test(text),
  k8slongname: (text) => text.length <= 253 && new RegExp(`^${label}(\\.${label})*$`).test(text),
}

/** Whether a text has a format; undefined for a format that the server ignores. */
export function hasFormat(format: string, text: string): boolean | undefined {
  const name = format.replaceAll('-', '')
  return Object.hasOwn(formats, name) ? formats[name]?.(text) : undefined
}
