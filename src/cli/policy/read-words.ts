import { InvalidArgumentError } from 'commander'
import { type Feature, featureNames } from '../../advice/features.ts'
import { type KernelEnforcer, parseEnforcers } from '../../api/enforcer.ts'
import { nearestName } from '../../api/field-error.ts'
import { targetKinds } from '../../api/schema/policy.ts'
import type { TargetKind } from '../../api/types.ts'
import { type Capability, capabilities } from '../../rules/capabilities.ts'

// Option parsers for commander, which prints the error and exits with the misuse status.

const wordsOf = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

function known<Word extends string>(given: string, words: readonly Word[], what: string): Word {
  const found = words.find((word) => word === given)
  if (found !== undefined) return found
  const nearest = nearestName(given, words)
  const hint = nearest === undefined ? '' : ` Did you mean ${nearest}?`
  throw new InvalidArgumentError(`${JSON.stringify(given)} is not a ${what}.${hint}`)
}

export const readFeatures = (text: string, before: Feature[] = []): Feature[] => [
  ...before,
  ...wordsOf(text.toLowerCase()).map((word) => known(word, featureNames, 'feature')),
]

export const readCapabilities = (text: string, before: Capability[] = []): Capability[] => [
  ...before,
  ...wordsOf(text.toLowerCase()).map((word) => known(word.replace(/^cap_/, ''), capabilities, 'capability')),
]

/** Names separated by commas, or joined as in a policy. */
export function readKernelEnforcers(text: string): KernelEnforcer[] {
  const named = wordsOf(text).flatMap((word) => {
    const parsed = parseEnforcers(word)
    if (parsed.ok) return parsed.enforcers
    const hint = parsed.nearest === undefined ? '' : ` Did you mean ${parsed.nearest}?`
    throw new InvalidArgumentError(`${JSON.stringify(parsed.rest)} is not an enforcer.${hint}`)
  })
  const kernel = named.filter((name) => name !== 'NetworkProxy')
  if (kernel.length === 0 || kernel.length < named.length)
    throw new InvalidArgumentError('It must be AppArmor, BPF or Seccomp, or several of these, separated by commas.')
  return [...new Set(kernel)]
}

/** `Deployment/web`. */
export function readTarget(text: string): { kind: TargetKind; name: string } {
  const [kind = '', name = '', ...more] = text.split('/')
  if (more.length > 0 || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))
    throw new InvalidArgumentError('It must be KIND/NAME, such as Deployment/web.')
  return { kind: known(kind, targetKinds, 'kind of workload'), name }
}
