import { type Fields, fieldsOf, isFields, listOf, reportsLoss, summaryOf, textOf, type Violation } from './violation.ts'

/** A process's operation, and the path, capability, call or peer that it was about. */
export interface AttemptedOperation {
  operation: string
  /** In reading order; a text with spaces or quotes is quoted. */
  target: string[]
}

/** Maximum characters shown of an undecodable record. */
const maxShownLength = 200

/** The subject of a line, in the words of its enforcer (EVENTS.md, and the contract's `event`). */
export function operationOf(violation: Violation): AttemptedOperation {
  const { fields, event } = violation
  if (reportsLoss(violation)) return lossOf(fieldsOf(fields, 'lost'))
  const summary = summaryOf(violation)
  if (summary !== undefined) return summarised(textOf(fields, 'message'), fieldsOf(fields, summary))
  const undecoded = textOf(fields, 'undecoded')
  if (undecoded !== '') return { operation: 'undecoded', target: [shortened(undecoded)] }
  const describe = Object.hasOwn(describers, enforcerOf(fields)) ? describers[enforcerOf(fields)] : undefined
  return (describe ?? operationOfOther)(event)
}

/** Lines of older versions have only one of the two names. */
export const enforcerOf = (fields: Fields): string => textOf(fields, 'enforcer') || textOf(fields, 'eventType')

const describers: Record<string, (event: Fields) => AttemptedOperation> = {
  AppArmor: operationOfAppArmor,
  BPF: operationOfBpf,
  Seccomp: (event) => ({ operation: 'syscall', target: given(wordOf(event, 'syscall')) }),
}

function operationOfAppArmor(event: Fields): AttemptedOperation {
  const text = (key: string) => wordOf(event, key)
  const operation = text('operation')
  // A mask of several words names several permissions; for some operations it only repeats the name.
  const mask = (textOf(event, 'deniedMask') || textOf(event, 'requestedMask')).replaceAll(' ', ',')
  const target = [
    ...between(text('srcName'), 'on', text('name')),
    ...named('->', text('name2'), ' '),
    ...named('type', text('fsType')),
    ...named('flags', text('flags')),
    ...given(text('netFamily'), text('netSockType'), text('netProtocol')),
    ...given(endpoint(text('netLocalAddr'), text('netLocalPort'))),
    ...named('->', endpoint(text('netForeignAddr'), text('netForeignPort')), ' '),
    ...given(text('dbusBus'), text('dbusPath'), text('dbusInterface'), text('dbusMember')),
    ...named('signal', text('signal')),
    ...named('peer', text('peer') || text('peerProfile')),
    ...named('info', text('info')),
  ]
  return { operation: given(operation, mask === operation ? '' : mask).join(' '), target }
}

function operationOfBpf(event: Fields): AttemptedOperation {
  const text = (key: string) => wordOf(event, key)
  const [socket, address] = [fieldsOf(event, 'socket'), fieldsOf(event, 'address')]
  const isNetwork = text('operation') === 'Network'
  const asked = listOf(event, 'permissions').join(',') || text('permission') || (isNetwork ? text('type') : '')
  const target = [
    ...given(text('path'), text('capability'), text('command')),
    ...given(textOf(socket, 'domain'), textOf(socket, 'type'), textOf(socket, 'protocol')),
    ...given(endpoint(textOf(address, 'ip'), textOf(address, 'port'))),
    ...(isNetwork ? [] : named('type', text('type'))),
    ...named('flags', listOf(event, 'flags').join(',')),
    ...(event['external'] === true ? ['outside the container'] : []),
  ]
  return { operation: given(text('operation').toLowerCase(), asked).join(' '), target }
}

/** For an unknown enforcer: all its fields. */
function operationOfOther(event: Fields): AttemptedOperation {
  const others = Object.keys(event).filter((key) => key !== 'operation')
  return {
    operation: textOf(event, 'operation'),
    target: others.flatMap((key) => named(key, wordOf(event, key) || listOf(event, key).join(','))),
  }
}

function lossOf(lost: Fields): AttemptedOperation {
  return {
    operation: 'lost',
    target: [
      `${textOf(lost, 'events') || '?'} events`,
      ...named('where', wordOf(lost, 'where')),
      ...named('why', wordOf(lost, 'why')),
      ...named('from', wordOf(lost, 'from')),
      ...named('to', wordOf(lost, 'to')),
    ],
  }
}

/** Maximum kinds shown of a line with counts. */
const maxShown = 8

/** Counts by kind, the most frequent first. */
function summarised(message: string, numbers: Fields): AttemptedOperation {
  const { kinds } = numbers
  const all = (Array.isArray(kinds) ? kinds.filter(isFields) : []).sort((a, b) => eventsOf(b) - eventsOf(a))
  const shown = all.slice(0, maxShown).map((kind) => {
    const what = given(wordOf(kind, 'action'), wordOf(kind, 'operation'), wordOf(kind, 'object'))
    return [`${eventsOf(kind)} ×`, ...what].join(' ')
  })
  const rest = all.slice(maxShown).reduce((sum, kind) => sum + eventsOf(kind), eventsOf({ events: numbers['other'] }))
  const total = textOf(numbers, 'events')
  return {
    operation: message,
    target: [
      ...given(total === '' ? '' : `${total} events`),
      ...named('rate', wordOf(numbers, 'rate')),
      ...named('from', wordOf(numbers, 'from')),
      ...named('to', wordOf(numbers, 'to')),
      ...shown.map((text) => `[${text}]`),
      ...(rest > 0 ? [`[${rest} × others]`] : []),
    ],
  }
}

const eventsOf = ({ events }: Fields): number => (typeof events === 'number' ? events : 0)

/** The text of a field, quoted if it could look like two. */
export function wordOf(fields: Fields, key: string): string {
  const text = textOf(fields, key)
  return /[\s"\p{Cc}]/u.test(text) ? JSON.stringify(text) : text
}

const given = (...texts: string[]): string[] => texts.filter((text) => text !== '')

const named = (name: string, text: string, separator = '='): string[] =>
  text === '' ? [] : [`${name}${separator}${text}`]

const between = (first: string, word: string, second: string): string[] =>
  first === '' ? given(second) : given(first, second === '' ? '' : word, second)

function endpoint(address: string, port: string): string {
  if (port === '0' || port === '') return address
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

const shortened = (text: string): string => (text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}…`)
