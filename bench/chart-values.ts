import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface RoleValues {
  nodeOptions: string
}

/** What the chart gives each role where nobody says otherwise. */
export const chartValues: Readonly<Record<'manager' | 'agent', RoleValues>> = parse(
  readFileSync(join(import.meta.dirname, '../deploy/helm/varmor/values.yaml'), 'utf8'),
)
