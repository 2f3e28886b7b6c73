import type { FieldError } from '../api/field-error.ts'
import { apiVersion } from '../api/schema/common.ts'
import type { AnyPolicy } from '../api/types.ts'
import { validatePolicy } from '../api/validate.ts'

type Json = Record<string, unknown>
type Step = string | number

/** The valid rest of an invalid policy, for the compilers. */
export interface SoundRest {
  policy: AnyPolicy
  /** Whether an error of a compiler is about the user's text, and not about a placeholder for a fault. */
  isReal(error: FieldError): boolean
}

/** A repair can cause a new fault in the enclosing object (an item without its only list), so repairs are repeated. */
const ROUNDS = 8

/**
 * A copy of an invalid policy, with a harmless placeholder for each part that has faults, so that the compilers can
 * report errors in the valid parts. Indexes of lists stay the same. @returns undefined if no valid policy remains
 */
export function withoutFaults(object: unknown, faults: readonly FieldError[]): SoundRest | undefined {
  const copy = structuredClone(object)
  if (!isObject(copy) || !isObject(copy['spec']) || !isObject(copy['spec']['policy'])) return undefined
  const replaced = new Set<string>()
  let remaining = seriousOf(faults)
  for (let round = 0; round < ROUNDS && remaining.size > 0; round++) {
    if (!isObject(copy['spec']['policy'])) return undefined
    for (const place of repairAll(copy, copy['spec'], copy['spec']['policy'], remaining)) replaced.add(place)
    remaining = seriousOf(validatePolicy(copy))
  }
  if (remaining.size > 0) return undefined
  return {
    policy: copy as unknown as AnyPolicy,
    // A removed part must not be reported as missing, because its fault is reported already.
    isReal: ({ code, path }) => code !== 'REQUIRED' && !placesAbove(path).some((place) => replaced.has(place)),
  }
}

/** The paths of faults that can make a compiler fail. */
function seriousOf(faults: readonly FieldError[]): Set<string> {
  return new Set(faults.filter(({ code }) => code !== 'UNKNOWN_FIELD').map(({ path }) => path))
}

/** Repairs each part with a fault. Returns the paths of placeholders. */
function repairAll(object: Json, spec: Json, policy: Json, faulty: ReadonlySet<string>): string[] {
  const any = (start: string) => [...faulty].some((path) => path.startsWith(start))
  if (any('apiVersion')) object['apiVersion'] = apiVersion
  if (any('kind')) object['kind'] = 'VarmorPolicy'
  if (any('metadata')) object['metadata'] = { name: 'unnamed' }
  if (any('status')) delete object['status']
  if (any('spec.target')) spec['target'] = { kind: 'Deployment', name: 'unnamed' }
  if (any('spec.updateExistingWorkloads')) delete spec['updateExistingWorkloads']
  const sound = new SoundItems(faulty)
  const replaced = [...faulty].flatMap((path) => (path.startsWith('spec.policy.') ? repair(object, path, sound) : []))
  if (faulty.has('spec.policy.mode')) policy['mode'] = modeOf(policy)
  if (faulty.has('spec.policy.enforcer')) {
    policy['enforcer'] = policy['mode'] === 'DefenseInDepth' ? 'AppArmorSeccomp' : 'AppArmorBPFSeccomp'
  }
  return replaced
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The most likely mode of a policy with an invalid mode: the mode whose section it has. */
function modeOf(policy: Json): string {
  if (isObject(policy['enhanceProtect'])) return 'EnhanceProtect'
  return isObject(policy['defenseInDepth']) ? 'DefenseInDepth' : 'AlwaysAllow'
}

function stepsOf(path: string): Step[] {
  const steps = path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)
  return [...steps].map(([, index, quoted, name]) => (index !== undefined ? Number(index) : (quoted ?? name ?? '')))
}

/** The path itself, and the paths of all parents. */
function placesAbove(path: string): string[] {
  const ends = [...path.matchAll(/[.[]/g)].map(({ index }) => index)
  return [...ends.map((end) => path.slice(0, end)), path]
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
 * Replaces the innermost list item with the fault by a valid item of the list, and returns its path. Without a valid
 * item, the list is removed; so is a field outside of lists.
 */
function repair(root: Json, path: string, items: SoundItems): string[] {
  const steps = stepsOf(path)
  const at = steps.findLastIndex((step) => typeof step === 'number')
  const list = at < 0 ? undefined : valueAt(root, steps.slice(0, at))
  if (!Array.isArray(list)) return removeField(root, steps)
  const sound = items.of(list, prefixOf(steps, at))
  if (sound === undefined) return removeField(root, steps.slice(0, at))
  list[steps[at] as number] = sound
  return [prefixOf(steps, at + 1)]
}

/** The first item without a fault of each list, so that each list is searched once. */
class SoundItems {
  readonly #touched: ReadonlySet<string>
  readonly #found = new Map<string, unknown>()

  constructor(faulty: ReadonlySet<string>) {
    this.#touched = new Set([...faulty].flatMap(placesAbove))
  }

  of(list: readonly unknown[], path: string): unknown {
    if (!this.#found.has(path))
      this.#found.set(
        path,
        list.find((_, i) => !this.#touched.has(`${path}[${i}]`)),
      )
    return this.#found.get(path)
  }
}

/** Removes the field, or its section if the field is required. The caller repairs mode and enforcer. */
function removeField(root: Json, steps: readonly Step[]): string[] {
  const holder = valueAt(root, steps.slice(0, -1))
  const field = steps.at(-1)
  const place = prefixOf(steps, steps.length)
  if (!isObject(holder) || typeof field !== 'string' || /^spec\.policy\.(mode|enforcer)$/.test(place)) return []
  if (field in holder) delete holder[field]
  else if (steps.length > 3) return removeField(root, steps.slice(0, -1))
  return [place]
}
