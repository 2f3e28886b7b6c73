import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { Schema } from '../../deploy/chart-options.ts'
import type { Option, OptionTable } from '../../src/options/option.ts'
import { type Role, roleTables } from '../../src/options/role-tables.ts'
import { parseRole } from '../cli/parse-role.ts'
import { describeHelm } from './describe-helm.ts'

const chart = new URL('../../deploy/helm/varmor/', import.meta.url)
const accepts = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(new URL('values.schema.json', chart), 'utf8')) as Schema,
)
const defaults = parse(readFileSync(new URL('values.yaml', chart), 'utf8')) as object

const valuesWith = (path: string, value: unknown): object =>
  path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object
const valueAt = (values: object, path: string): unknown =>
  path.split('.').reduce<unknown>((outer, key) => (outer as Record<string, unknown>)[key], values)

/** Values for each type of option. A test uses the first value that the chart accepts and that is not the default. */
const samples: readonly unknown[] = [
  ...[true, false, 7, 0.5, ['kube-system', 'default'], ['https://a:1', 'https://b'], '4M', 'team=a', 'https://a'],
  ...['Fail', 'file', 'some words'],
]

function sampleOf(path: string, isAccepted: ValidateFunction): unknown {
  const found = samples.find((value) => isAccepted(valuesWith(path, value)) && valueAt(defaults, path) !== value)
  if (found === undefined) throw new Error(`no sample fits ${path}: add one`)
  return found
}

/** The option's value that the program reads from the chart's command line. */
function readValue({ type, default: fallback }: Option<unknown>, value: unknown): unknown {
  if (type === undefined) return value
  const texts = Array.isArray(value) ? value.map(String) : [`${value}`]
  return texts.reduce<unknown>((before, text) => type.read(text, before === fallback ? undefined : before), undefined)
}

const rows = (Object.entries(roleTables) as [Role, OptionTable][]).flatMap(([role, table]) =>
  Object.entries(table).flatMap(([key, option]) =>
    typeof option.value === 'string' ? [{ role, key, option, path: option.value }] : [],
  ),
)

describeHelm(4, 'Values that an option declares', (helm) => {
  const optionsOf = async (role: Role, values: object): Promise<Record<string, unknown>> => {
    const owners = (await helm().template(values, '--kube-version', '1.37.2')).map(
      ({ spec }) => spec as { template?: { spec: { containers?: { args?: string[] }[] } } } | undefined,
    )
    const lines = owners.flatMap((spec) => spec?.template?.spec.containers?.map(({ args = [] }) => args) ?? [])
    return parseRole(lines.find(([name]) => name === role)!).options
  }

  for (const { role, key, option, path } of rows) {
    const value = sampleOf(path, accepts)
    it(`reach varmor ${role}: ${path}=${JSON.stringify(value)}`, async () => {
      expect((await optionsOf(role, valuesWith(path, value)))[key]).to.deep.equal(readValue(option, value))
    })
  }
})
