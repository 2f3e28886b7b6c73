import type { FieldError } from '../api/field-error.ts'
import type { VarmorClusterPolicy, VarmorPolicy } from '../api/types.ts'

type AnyPolicy = VarmorPolicy | VarmorClusterPolicy
type Json = Record<string, unknown>
type Step = string | number

/** What is left of an unsound policy for the compilers to look at. */
export interface SoundRest {
  policy: AnyPolicy
  /** Whether an error of a compiler is about what the user wrote, and not about what stands in for a fault. */
  isReal(error: FieldError): boolean
}

/**
 * A copy of an unsound policy in which something harmless stands in for each part that `faults` are in, so that the
 * compilers can look at the rest and the user sees what is wrong with that, too. Places in lists stay what they are.
 * Undefined when there is nothing to look at.
 */
export function withoutFaults(object: unknown, faults: readonly FieldError[]): SoundRest | undefined {
  const copy = structuredClone(object)
  if (!isObject(copy) || !isObject(copy['spec']) || !isObject(copy['spec']['policy'])) return undefined
  const policy = copy['spec']['policy']
  const faulty = new Set(faults.filter(({ code }) => code !== 'UNKNOWN_FIELD').map(({ path }) => path))
  const replaced = [...faulty].flatMap((path) => (path.startsWith('spec.policy.') ? repair(copy, path, faulty) : []))
  if ([...faulty].some((path) => path.startsWith('metadata'))) copy['metadata'] = { name: 'unnamed' }
  if (faulty.has('spec.policy.mode')) {
    const mode = modeOf(policy)
    if (mode === undefined) return undefined
    policy['mode'] = mode
  }
  if (faulty.has('spec.policy.enforcer')) {
    policy['enforcer'] = policy['mode'] === 'DefenseInDepth' ? 'AppArmorSeccomp' : 'AppArmorBPFSeccomp'
  }
  return {
    policy: copy as unknown as AnyPolicy,
    // What was taken out is missing now, and its fault is told already.
    isReal: ({ code, path }) => code !== 'REQUIRED' && !replaced.some((place) => isAtOrBelow(path, place)),
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The mode that a policy with a wrong one most likely means: the one whose section it has. */
function modeOf(policy: Json): string | undefined {
  if (isObject(policy['enhanceProtect'])) return 'EnhanceProtect'
  return isObject(policy['defenseInDepth']) ? 'DefenseInDepth' : undefined
}

function stepsOf(path: string): Step[] {
  const steps = path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)
  return [...steps].map(([, index, quoted, name]) => (index !== undefined ? Number(index) : (quoted ?? name ?? '')))
}

function isAtOrBelow(path: string, place: string): boolean {
  return path === place || (path.startsWith(place) && /^[.[]/.test(path.slice(place.length)))
}

/** The text of the first `count` steps of a path. */
function prefixOf(steps: readonly Step[], count: number): string {
  const parts = steps.slice(0, count).map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
  return parts.join('').slice(1)
}

function valueAt(root: unknown, steps: readonly Step[]): unknown {
  let value = root
  for (const step of steps) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<Step, unknown>)[step]
  }
  return value
}

/**
 * Mends the innermost list item that the fault is in: a sound item of the list stands in for it, and its place is
 * returned. A list without one, and a field outside of lists, is removed.
 */
function repair(root: Json, path: string, faulty: ReadonlySet<string>): string[] {
  const steps = stepsOf(path)
  const at = steps.findLastIndex((step) => typeof step === 'number')
  const list = at < 0 ? undefined : valueAt(root, steps.slice(0, at))
  if (!Array.isArray(list)) return removeField(root, steps)
  const listPath = prefixOf(steps, at)
  const sound = list.find((_, i) => ![...faulty].some((place) => isAtOrBelow(place, `${listPath}[${i}]`)))
  if (sound === undefined) return removeField(root, steps.slice(0, at))
  list[steps[at] as number] = sound
  return [prefixOf(steps, at + 1)]
}

/** Removes the field; one that is needed takes its section with it, and mode and enforcer stay for the caller. */
function removeField(root: Json, steps: readonly Step[]): string[] {
  const holder = valueAt(root, steps.slice(0, -1))
  const field = steps.at(-1)
  const place = prefixOf(steps, steps.length)
  if (!isObject(holder) || typeof field !== 'string' || /^spec\.policy\.(mode|enforcer)$/.test(place)) return []
  if (field in holder) delete holder[field]
  else if (steps.length > 3) return removeField(root, steps.slice(0, -1))
  return [place]
}
