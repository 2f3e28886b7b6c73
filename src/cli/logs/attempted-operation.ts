import { type Fields, fieldsOf, isFields, listOf, reportsLoss, summaryOf, textOf, type Violation } from './violation.ts'

/** An operation of a process, and its target: a path, capability, call or peer. */
export interface AttemptedOperation {
  operation: string
  /** Parts of the target in reading order. A part with spaces or quotes is quoted. */
  target: string[]
}

/** Maximum characters that are shown of a record that could not be decoded. */
const maxShownLength = 200

/** The operation of a violation, in the words of its enforcer (see EVENTS.md). */
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

/** Lines of older versions have only `eventType` or only `enforcer`. */
export const enforcerOf = (fields: Fields): string => textOf(fields, 'enforcer') || textOf(fields, 'eventType')

const describers: Record<string, (event: Fields) => AttemptedOperation> = {
  AppArmor: operationOfAppArmor,
  BPF: operationOfBpf,
  Seccomp: (event) => ({ operation: 'syscall', target: given(wordOf(event, 'syscall')) }),
}

function operationOfAppArmor(event: Fields): AttemptedOperation {
  const text = (key: string) => wordOf(event, key)
  const operation = text('operation')
  // The mask may list several permissions. For some operations it only repeats the name of the operation.
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

/** The operation of an unknown enforcer, with all fields of the event. */
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

/** Maximum kinds of violations that are shown for a line with counts. */
const maxShown = 8

/** The operation column of a line with counts: the counts by kind of violation, the most frequent kind first. */
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

/** The text of a field. It is quoted if it has spaces, quotes or control characters. */
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
