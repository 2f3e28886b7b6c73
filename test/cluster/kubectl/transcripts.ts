import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Scenario, StepResult } from './scenario.ts'

const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'kubectl')
const fileOf = ({ title }: Scenario): string => join(folder, `${title.replaceAll(' ', '-')}.json`)

/** RECORD_KUBECTL=1 records the answers of the real server again, in a run of the cluster tier. */
export const recording = process.env['RECORD_KUBECTL'] === '1'

/** The answers of the real server to a scenario at the last recording. */
export function transcriptOf(scenario: Scenario): StepResult[] | undefined {
  const file = fileOf(scenario)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as StepResult[]) : undefined
}

export function record(scenario: Scenario, results: readonly StepResult[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(scenario), `${JSON.stringify(results, undefined, 2)}\n`)
}
