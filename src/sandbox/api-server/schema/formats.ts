import { isIP } from 'node:net'
import { isBlock } from '../../../api/address.ts'
import { labelProblems, subdomainProblems } from './names.ts'

const matches = (pattern: RegExp) => (text: string) => pattern.test(text)

const hostname =
  /^([a-zA-Z0-9_\u00a1-\uffff]([a-zA-Z0-9_\u00a1-\uffff-]{0,62}[a-zA-Z0-9_\u00a1-\uffff])?\.)*([a-zA-Z0-9_\u00a1-\uffff-]{1,63})\.?$/
const goDuration = /^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*)$/
const dateTime =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]\d{2}:\d{2})$/
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/

function isDate(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`)
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

function isUri(text: string): boolean {
  return text.startsWith('/') ? !/\s/.test(text) : /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text)
}

/** String formats for CRDs. The server also checks some rare formats; these are ignored here. */
const formats: Record<string, (text: string) => boolean> = {
  uri: isUri,
  email: matches(/^(?:.*<)?[^\s@<>]+@[^\s@<>]+>?$/),
  hostname: (text) => hostname.test(text) && text.length <= 255,
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
  cidr: isBlock,
  uuid: matches(/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i),
  byte: matches(base64),
  password: () => true,
  date: isDate,
  duration: (text) => goDuration.test(text),
  datetime: matches(dateTime),
  k8sshortname: (text) => labelProblems(text).length === 0,
  k8slongname: (text) => subdomainProblems(text).length === 0,
}

/** Whether a text has a format; undefined for a format that the server ignores. */
export function hasFormat(format: string, text: string): boolean | undefined {
  const name = format.replaceAll('-', '')
  return Object.hasOwn(formats, name) ? formats[name]?.(text) : undefined
}
