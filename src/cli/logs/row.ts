import { asWall, isoTime } from '../../base/clock.ts'
import { paddedCells } from '../columns.ts'
import { type paint, printable } from '../output.ts'
import { operationOf, wordOf } from './attempted-operation.ts'
import { policyOf } from './selection.ts'
import { type Fields, reportsLoss, secondsOf, summaryOf, textOf, type Violation } from './violation.ts'

type Paint = ReturnType<typeof paint>
type Style = Parameters<Paint>[0]

/** The columns of a violation: time, action, place, policy, process, operation, target. */
export function cellsOf(violation: Violation): string[] {
  const { fields, event } = violation
  const { operation, target } = operationOf(violation)
  const summary = summaryOf(violation)
  const action = reportsLoss(violation)
    ? lost
    : summary === undefined
      ? textOf(fields, 'action')
      : summaryWords[summary]
  const unresolved = textOf(fields, 'unresolved')
  const shown = unresolved === '' ? target : [...target, `unresolved=${unresolved}`]
  const cells = [timeOf(violation), action, placeOf(fields), ruleOf(fields), processOf(fields, event), operation]
  return [...cells, shown.join(' ')].map((cell) => (cell === '' ? nothing : printable(cell)))
}

/** Formats violations in columns, which stay aligned over several calls. */
export class Rows {
  readonly #colour: Paint
  readonly #widths: number[] = []

  constructor(colour: Paint) {
    this.#colour = colour
  }

  text(violations: readonly Violation[]): string {
    const rows = paddedCells(violations.map(cellsOf), this.#widths)
    return rows.map((cells) => `${this.#line(cells)}\n`).join('')
  }

  #line([
    time = '',
    action = '',
    place = '',
    policy = '',
    process = '',
    operation = '',
    target = '',
  ]: string[]): string {
    const colour = this.#colour
    const shown = [colour('dim', time), colour(styleOf(action.trimEnd()), action), place, colour('cyan', policy)]
    return [...shown, process, colour('bold', operation), target.trimEnd()].join('  ')
  }
}

const lost = 'LOST'
const summaryWords = { digest: 'DIGEST', heldBack: 'HELD' }
const nothing = '-'

function styleOf(action: string): Style {
  if (action === 'DENIED' || action === lost || action === summaryWords.heldBack) return 'red'
  return action.includes('AUDIT') ? 'yellow' : 'green'
}

/** Maximum milliseconds of a Date. */
const maxTime = 8.64e15

/** The time in UTC, as in the log. */
function timeOf(violation: Violation): string {
  const milliseconds = (secondsOf(violation) ?? Number.NaN) * 1_000
  if (!(Math.abs(milliseconds) <= maxTime)) return ''
  return isoTime(asWall(milliseconds)).replace('.000Z', 'Z')
}

const shortId = 12

/** `NAMESPACE/POD/CONTAINER`, or else `container/ID` or `node/NAME`. */
function placeOf(fields: Fields): string {
  const text = (key: string) => textOf(fields, key)
  if (text('podName') !== '')
    return [text('podNamespace'), text('podName'), text('containerName')].filter((name) => name !== '').join('/')
  if (text('containerID') !== '') return `container/${text('containerID').slice(0, shortId)}`
  return text('nodeName') === '' ? '' : `node/${text('nodeName')}`
}

const ruleOf = (fields: Fields): string => policyOf(fields) || textOf(fields, 'profileName')

/**
 * A process, such as `cat[4711]`. AppArmor and Seccomp violations name the process inside the field `event`, BPF
 * violations outside of it.
 */
function processOf(fields: Fields, event: Fields): string {
  const word = (key: string) => wordOf(event, key) || wordOf(fields, key)
  const [name, pid] = [word('comm') || word('exe'), textOf(fields, 'pid') || textOf(event, 'pid')]
  return pid === '' || pid === '0' ? name : `${name || '?'}[${pid}]`
}
