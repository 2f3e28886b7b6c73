import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { logFields } from '../src/base/log-fields.ts'
import { markdownTable, withTables } from '../src/base/markdown.ts'
import { appArmorNeeds, type RuntimeNeed, seccompNeeds } from '../src/model/profile/runtime-needs.ts'
import { type Role, roleTables } from '../src/options/role-tables.ts'
import { ruleTableOf } from '../src/rules/kernels.ts'
import { listOfCategory, type RuleCategory } from '../src/rules/meaning.ts'
import { readShown as readRulesShown, tableOfRules } from '../test/kernel/suite/cases/shown.ts'
import { readShown, tableOfAttacks, tableOfServices } from '../test/kernel/suite/services/shown.ts'
import { fieldRuleTable, fieldTable } from './field-tables.ts'
import { flagTable } from './flag-table.ts'
import { alerts } from './prometheus/alerts.ts'

// Writes the tables in documents that are generated from data: built-in rules, options, alerts, log fields, and the
// kernel tests' results for rules and services. Run it with `npm run generate`. A test fails if a table is out of date.

const document = (name: string): URL => new URL(`../docs/${name}`, import.meta.url)
const rules = (category: RuleCategory): string => {
  const { head, rows } = ruleTableOf(category)
  return markdownTable(head, rows)
}
const alertRows = alerts.map(({ name, severity, summary, remedy }) => [
  `\`${name}\``,
  severity,
  summary.replace(/\{\{ \$(?:labels\.)?(\w+) \}\}/g, (_, word: string) => word.toUpperCase()),
  remedy,
])

const needs = (all: readonly RuntimeNeed[]): string =>
  markdownTable(
    ['what', 'why'],
    all.map(({ allows, why }) => [allows.map((each) => `\`${each.replace(/,$/, '')}\``).join(', '), why]),
  )

/** The text that each document must have. */
export const tabledDocuments: Readonly<Record<string, () => string>> = {
  'reference/rules.md': () =>
    withTables(readFileSync(document('reference/rules.md'), 'utf8'), {
      ...Object.fromEntries((Object.keys(listOfCategory) as RuleCategory[]).map((one) => [one, rules(one)])),
      rules: tableOfRules(readRulesShown()),
    }),
  'models.md': () =>
    withTables(readFileSync(document('models.md'), 'utf8'), {
      apparmor: needs(appArmorNeeds),
      seccomp: needs(seccompNeeds),
      services: tableOfServices(readShown()),
      attacks: tableOfAttacks(readShown()),
    }),
  'reference/fields.md': () => {
    const shared = new Map<string, string>()
    return withTables(readFileSync(document('reference/fields.md'), 'utf8'), {
      ...Object.fromEntries(
        ['VarmorPolicy', 'ArmorProfile', 'ArmorProfileModel'].map((kind) => [kind, fieldTable(kind, shared)]),
      ),
      'field-rules': fieldRuleTable(),
    })
  },
  'reference/flags.md': () =>
    withTables(
      readFileSync(document('reference/flags.md'), 'utf8'),
      Object.fromEntries((Object.keys(roleTables) as Role[]).map((role) => [role, flagTable(roleTables[role])])),
    ),
  'troubleshooting.md': () =>
    withTables(readFileSync(document('troubleshooting.md'), 'utf8'), {
      alerts: markdownTable(['alert', 'severity', 'it means', 'do'], alertRows),
    }),
  'reference/logs.md': () =>
    withTables(readFileSync(document('reference/logs.md'), 'utf8'), {
      log: markdownTable(
        ['field', 'meaning'],
        Object.entries(logFields).map(([field, meaning]) => [`\`${field}\``, meaning]),
      ),
    }),
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [name, text] of Object.entries(tabledDocuments)) {
    writeFileSync(document(name), text())
    console.log(relative(process.cwd(), fileURLToPath(document(name))))
  }
