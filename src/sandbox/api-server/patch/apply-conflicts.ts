import { byCodePoint, goQuote } from '../go-text.ts'
import { type ApiStatusError, applyConflict } from '../status.ts'
import { type PathElement, pathText } from './field-set.ts'
import type { ManagedEntry } from './managed-fields.ts'

/** An applied path that another manager owns with another value. */
export interface Conflict {
  entry: ManagedEntry
  path: readonly PathElement[]
}

function managerText({ manager, operation, apiVersion, subresource }: ManagedEntry): string {
  const name = goQuote(manager) + (subresource === '' ? '' : ` with subresource ${goQuote(subresource)}`)
  return operation === 'Update' ? `${name} using ${apiVersion}` : name
}

function conflictText(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first !== undefined)
    return `Apply failed with 1 conflict: conflict with ${managerText(first.entry)}: ${pathText(first.path)}`
  const lines: string[] = []
  for (const entry of new Set(conflicts.map((conflict) => conflict.entry))) {
    lines.push(`conflicts with ${managerText(entry)}:`)
    for (const conflict of conflicts) if (conflict.entry === entry) lines.push(`- ${pathText(conflict.path)}`)
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

/** The error 409 that names each field and its owner, and has kubectl's advice. */
export function conflictError(conflicts: readonly Conflict[]): ApiStatusError {
  const sorted = [...conflicts].sort((a, b) => byCodePoint(a.entry.manager, b.entry.manager))
  const causes = sorted.map(({ entry, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(entry)}`,
    field: pathText(path),
  }))
  return applyConflict(causes, conflictText(sorted))
}
