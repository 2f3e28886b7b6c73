import { flagOf, type Option, type OptionTable, renamedFlags } from '../src/options/option.ts'
import { type Role, roleTables } from '../src/options/role-tables.ts'
import { jsonText } from './json-text.ts'

/**
 * The text of templates/_option-flags.tpl: the flags of each role whose value is a value of the chart. Other flags are
 * derived from a value (`from`): they are in the templates of their role, beside the mounts that they need.
 */
export function flagTemplates(): string {
  const tables = Object.entries<OptionTable>(roleTables)
  const renamed = tables.flatMap(([, table]) => [...renamedFlags(table)])
  return `{{/* Generated from src/options by \`npm run generate\`. */}}

{{/* The current name of each renamed flag, by its former name, as JSON. */}}
{{- define "varmor.renamedFlags" -}}
${jsonText(Object.fromEntries(renamed))}
{{- end -}}
${tables.map(([role, table]) => flagsOfRole(role as Role, table)).join('')}`
}

function flagsOfRole(role: Role, table: OptionTable): string {
  const lines = Object.entries(table).flatMap(([key, option]) => {
    const line = templateOf(`--${flagOf(key, option)}`, option)
    return line === undefined ? [] : [`${line}\n`]
  })
  return `
{{/* The flags of \`varmor ${role}\` whose value is a value of the chart. */}}
{{- define "varmor.${role}ValueFlags" -}}
${lines.join('')}{{- end -}}
`
}

/** The template line that prints the flag; undefined if no chart value is the flag's value. */
function templateOf(flag: string, { value, type, default: fallback, onlyWith }: Option<unknown>): string | undefined {
  if (value === undefined || (typeof value === 'object' && 'from' in value)) return undefined
  if (typeof value === 'object') return when(`.Values.${value.enabled}`, flags(`.Values.${value.args}`))
  const path = `.Values.${value}`
  if (type === undefined) {
    const isWanted = fallback === true ? `eq (toString ${path}) "false"` : path
    const condition = onlyWith === undefined ? isWanted : `and ${path} .Values.${onlyWith}`
    return when(condition, flags(`(list "${flag}")`))
  }
  if (type.schema['type'] !== 'array') return `{{- ${withValue(flag, path)} -}}`
  if (type.isVariadic) return `{{- range ${path} }}{{ ${withValue(flag, '.')} }}{{ end -}}`
  return `{{- with ${path} }}{{ ${withValue(flag, '(join "," .)')} }}{{ end -}}`
}

const when = (condition: string, action: string): string => `{{- if ${condition} }}{{ ${action} }}{{ end -}}`
const flags = (list: string): string => `include "varmor.flags" ${list}`
const withValue = (flag: string, value: string): string => `include "varmor.optional" (list "${flag}" ${value})`
