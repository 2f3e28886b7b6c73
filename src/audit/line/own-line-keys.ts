import { count, type Key, objectOf, oneOf, type Schema, text, time } from './json-types.ts'

/** The agent's own lines, each with its content in one field. */

const key = (name: string, schema: Schema, meaning: string, when?: string): Key => ({
  name,
  schema,
  meaning,
  ...(when !== undefined && { when }),
})

const moment = time('[.][0-9]{3}')

export const lostKeys: readonly Key[] = [
  key('events', { type: ['integer', 'null'], minimum: 0 }, 'how many; null where nobody can tell'),
  key('from', moment, 'since when they were lost'),
  key('to', moment, 'until when they were lost'),
  key('where', text, 'the stage that lost them'),
  key('why', text, 'the reason, as in the metrics: a word, or the code of a system error'),
]

const kinds: Schema = {
  type: 'array',
  items: objectOf(
    [
      key('enforcer', text, 'as in the lines'),
      key('action', text, 'as in the lines'),
      key('profileName', text, 'as in the lines'),
      key('operation', text, 'what was tried'),
      key('object', text, 'path, capability, call, address or peer; of one of more than 256 bytes those, and a hash'),
      key('events', count, 'how many of this kind'),
    ],
    true,
  ),
}
const counted = '`held back ended`, and `held back` after the first'

export const heldBackKeys: readonly Key[] = [
  key('where', oneOf(['sink', 'kernel']), '`kernel`: before they were records, `sink`: before they were lines'),
  key('operation', text, 'what was tried: the kernel holds back by it', '`where` is `kernel`'),
  key('events', count, 'how many lines were held back since the last such line', counted),
  key('from', moment, 'since when'),
  key('to', moment, 'until when', counted),
  key('rate', { type: 'number', exclusiveMinimum: 0 }, 'records a second that are let through', '`held back`'),
  key('kinds', kinds, 'of them by kind, each with its number', counted),
  key('other', count, 'those of further kinds', counted),
]

export const digestKeys: readonly Key[] = [
  key('events', count, 'of the container from then to then, whatever became of their lines'),
  key(
    'from',
    moment,
    'the beginning of the minute, by the time of writing; of several where the numbers of the first had no room',
  ),
  key('to', moment, 'its end, or the agent’s'),
  key('kinds', kinds, 'the events by kind, each with its number'),
  key('other', count, 'those of further kinds, and of kinds that have no room'),
  key('omitted', count, 'kinds whose first violation has no line here, as there is no room', 'there are such'),
]
