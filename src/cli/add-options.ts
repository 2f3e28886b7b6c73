import { type Command, Option } from 'commander'
import { type Option as Declared, defaultText, flagOf, type OptionTable, unitOf } from '../options/option.ts'

/** Adds the options of a table to a command. */
export function addOptions(command: Command, table: OptionTable): Command {
  for (const [key, declared] of Object.entries(table)) command.addOption(optionOf(key, declared))
  return command
}

function optionOf(key: string, declared: Declared<unknown>): Option {
  const { type, help, short, env, mandatory, default: fallback } = declared
  const words = defaultText(declared)
  const unit = unitOf(declared)
  const flag = `${short === undefined ? '' : `-${short}, `}--${flagOf(key, declared)}`
  const value = unit === undefined ? '' : ` <${unit}${type?.isVariadic ? '...' : ''}>`
  // Commander prints defaults that are values. A default that is described in words is therefore a part of the help
  // text.
  const isSaid = words !== undefined && fallback === undefined
  const option = new Option(`${flag}${value}`, isSaid ? `${help} (default: ${words})` : help)
  if (type?.choices) option.choices(type.choices)
  else if (type)
    // Without this comparison, the values of the first flag would be appended to the default list.
    option.argParser((text, before: unknown) => type.read(text, before === fallback ? undefined : before))
  if (fallback !== undefined) option.default(fallback, words)
  if (env !== undefined) option.env(env)
  return option.makeOptionMandatory(mandatory ?? false)
}
