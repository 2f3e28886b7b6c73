import { count, type Key, objectOf, oneOf, type Schema, text, time } from './json-types.ts'

/** The keys of the agent's own lines. Each line has its content in one field: `lost`, `heldBack` or `digest`. */

const key = (name: string, schema: Schema, meaning: string, when?: string): Key => ({
  name,
  schema,
  meaning,
  ...(when !== undefined && { when }),
})

const moment = time('[.][0-9]{3}')

export const lostKeys: readonly Key[] = [
  key('events', { type: ['integer', 'null'], minimum: 0 }, 'number of lost events; null if unknown'),
  key('from', moment, 'start of the time in which events were lost'),
  key('to', moment, 'end of the time in which events were lost'),
  key('where', text, 'the stage that lost the events'),
  key('why', text, 'the reason, as in the metrics: a word or the code of a system error'),
]

const kinds: Schema = {
  type: 'array',
  items: objectOf(
    [
      key('enforcer', text, 'as in violation lines'),
      key('action', text, 'as in violation lines'),
      key('profileName', text, 'as in violation lines'),
      key('operation', text, 'attempted operation'),
      key(
        'object',
        text,
        'path, capability, call, address or peer; if longer than 256 bytes, the first 256 and a hash',
      ),
      key('events', count, 'number of events of this kind'),
    ],
    true,
  ),
}
const counted = '`held back ended`, and each `held back` after the first'

export const heldBackKeys: readonly Key[] = [
  key(
    'where',
    oneOf(['sink', 'kernel']),
    'where events were held back: `kernel` before they became records, `sink` before they became lines',
  ),
  key('operation', text, 'attempted operation; the kernel holds back each operation separately', '`where` is `kernel`'),
  key('events', count, 'number of events held back since the previous line about them', counted),
  key('from', moment, 'start of the counted time'),
  key('to', moment, 'end of the counted time', counted),
  key('rate', { type: 'number', exclusiveMinimum: 0 }, 'permitted records per second', '`held back`'),
  key('kinds', kinds, 'the events by kind, each with its count', counted),
  key('other', count, 'number of events of kinds that are not in `kinds`', counted),
]

export const digestKeys: readonly Key[] = [
  key('events', count, 'number of all events of the container between `from` and `to`, logged or not'),
  key(
    'from',
    moment,
    'start of the minute, by the time of the write; earlier if the counts of former minutes did not fit before',
  ),
  key('to', moment, 'end of the minute, or stop of the agent'),
  key('kinds', kinds, 'the events by kind, each with its count'),
  key('other', count, 'number of events of kinds that are not in `kinds`'),
  key('omitted', count, 'number of kinds whose first violation did not fit into the digest', 'there are such kinds'),
]
