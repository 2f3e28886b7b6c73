import type { FieldError } from '../api/field-error.ts'
import type { AnyPolicy } from '../api/types.ts'
import { validatePolicy } from '../api/validate.ts'
import { costlyGlobs } from '../profile/apparmor/costly-globs.ts'
import { compileValidated } from '../profile/compile.ts'
import { coverageOf } from '../profile/coverage.ts'
import type { Skipped } from '../profile/result.ts'
import type { SourceObject } from './documents.ts'
import { type Finding, finding, gather, nameOf } from './gather.ts'
import { modelOf } from './models.ts'
import { type Format, print, printable, printData, printFindings, printIgnored } from './output.ts'

export interface ValidateArguments {
  file: string[]
  installNamespace: string
  output: Format
}

/** The result for one policy. `findings` are its errors. */
interface Validated {
  source: SourceObject
  findings: Finding[]
  skipped: Skipped[]
  /** Why no rule of the policy is enforced; empty if at least one rule is enforced. */
  nothing: string
}

/**
 * Checks every policy like admission, and compiles it for all its enforcers. A missing behaviour model is not an error,
 * because it may be in the cluster. Returns the exit status.
 */
export async function validateCommand({ file, installNamespace, output }: ValidateArguments): Promise<number> {
  const { policies, models, ignored, findings } = await gather(file)
  printIgnored(ignored.map((source) => `${source.file}: document ${source.document}: ${nameOf(source)}`))
  const validated = policies.map((source) =>
    validate(source, modelOf(source.value, models, installNamespace), installNamespace),
  )
  const all = [...findings, ...validated.flatMap((one) => one.findings)]
  if (output === 'text') {
    if (validated.length > 0) print(validated.map(line).join(''))
    printFindings(all)
  } else {
    await printData([...findings.map(unreadable), ...validated.map(record)], output)
  }
  return all.length > 0 ? 1 : 0
}

function validate(source: SourceObject, model: ReturnType<typeof modelOf>, installNamespace: string): Validated {
  const faults = validatePolicy(source.value)
  const result = compileValidated(source.value, faults, { installNamespace, ...(model !== undefined && { model }) })
  const uncompiled: FieldError[] = result.ok ? [] : result.errors.filter(({ code }) => code !== 'MISSING_MODEL')
  const errors = [...uncompiled, ...costlyGlobs(source.value, faults).values()]
  const skipped = result.ok ? result.skipped : []
  const nothing = result.ok ? coverageOf((source.value as AnyPolicy).spec.policy, skipped).nothing : ''
  return { source, findings: errors.map((error) => finding(source, error)), skipped, nothing }
}

function line({ source, findings, skipped, nothing }: Validated): string {
  const valid = nothing === '' ? 'valid' : `valid, but ${nothing}`
  const verdict = findings.length === 0 ? valid : `${count(findings.length, 'error')}`
  const notes = skipped.length > 0 ? `, ${count(skipped.length, 'note')} (varmor compile shows them)` : ''
  const where = `${source.file}: document ${source.document}: ${nameOf(source)}`
  return `${printable(where)}: ${verdict}${notes}\n`
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}

function unreadable({ error, ...place }: Finding) {
  return { ...place, valid: false, errors: [error], skipped: [] }
}

function record({ source, findings, skipped, nothing }: Validated) {
  const { file, document, item } = source
  const errors = findings.map(({ line, column, error }) => ({ ...error, line, column }))
  const valid = findings.length === 0
  return {
    file,
    document,
    ...(item !== undefined && { item }),
    object: nameOf(source),
    valid,
    errors,
    skipped,
    ...(nothing !== '' && { nothing }),
  }
}
