import { markdownTable } from '../src/base/markdown.ts'
import { type ChartValue, defaultText, flagOf, type Option, type OptionTable, unitOf } from '../src/options/option.ts'

/** The table of a role's flags, for docs/reference/flags.md. */
export function flagTable(table: OptionTable): string {
  const rows = Object.entries(table).map(([key, option]) => {
    const { help, note, short, value } = option
    const flags = [...(short === undefined ? [] : [`-${short}`]), `--${flagOf(key, option)}`]
    return [
      flags.map((flag) => `\`${flag}\``).join(', '),
      textOfValue(option),
      fallbackOf(option),
      value === undefined ? '' : `\`${pathOf(value)}\``,
      note === undefined ? help : `${help}. ${note}`,
    ].map((cell) => cell.replace(/https:\/\/\S+/g, '`$&`'))
  })
  return markdownTable(['flag', 'value', 'default', 'chart value', 'it sets'], rows)
}

/** The unit and bounds of a value, or its permitted texts. */
function textOfValue(option: Option<unknown>): string {
  const { choices, schema = {} } = option.type ?? {}
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ')
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number }
  const unit = unitOf(option) ?? ''
  if (maximum === undefined) return unit
  return `${unit}, ${minimum} to ${maximum}`
}

function fallbackOf(option: Option<unknown>): string {
  const { type, env } = option
  const text = type === undefined ? '' : (defaultText(option) ?? '')
  return env === undefined ? text : `$${env}, else ${text}`
}

function pathOf(value: ChartValue): string {
  if (typeof value === 'string') return value
  return 'from' in value ? value.from : value.enabled
}
