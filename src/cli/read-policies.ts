import type { ReadFile } from '../agent/standalone/policy-folder.ts'
import { type Finding, finding, gatherText } from './gather.ts'
import { findingParts, printable } from './output.ts'

/** The policies in the text of a file. Each error is reported with its position, as `varmor validate` prints it. */
export function readPolicies(file: string, bytes: Buffer): ReadFile {
  const { policies, findings } = gatherText(file, bytes)
  const text = (one: Finding): string => {
    const { place, what } = findingParts(one)
    return printable(`${place}: ${what}`)
  }
  return {
    policies: policies.map((source) => ({ value: source.value, say: (error) => text(finding(source, error)) })),
    problems: findings.map(text),
  }
}
