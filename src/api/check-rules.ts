import { type FieldError, join } from './field-error.ts'
import { type Rule, rules } from './rules.ts'
import type { SchemaNode } from './schema/node.ts'
import { fieldOf, isObject, validateSchema } from './validate-schema.ts'

/**
 * Returns an error for each rule about several fields that `value` breaks and, given `before`, for each rule about
 * changes. Both values may be invalid: `errors` are the schema errors of `value`, and a rule that reads a field with an
 * error is skipped.
 */
export function checkRules(
  node: SchemaNode,
  value: unknown,
  errors: readonly FieldError[],
  before?: unknown,
): FieldError[] {
  const found: FieldError[] = []
  visit(node, value, before, '', { now: new Places(errors), before: new Places(unreadable(node, before)), found })
  return found
}

// A rule about changes is skipped only if a field of the stored value is missing or has a wrong type. Other errors of
// the stored value do not matter.
function unreadable(node: SchemaNode, before: unknown): FieldError[] {
  if (before === undefined) return []
  return validateSchema(node, before).filter(({ code }) => code === 'WRONG_TYPE' || code === 'REQUIRED')
}

/** Paths with errors, and the paths of all objects and lists that contain them. */
class Places {
  readonly #errors: ReadonlySet<string>
  readonly #above = new Set<string>()

  constructor(errors: readonly FieldError[]) {
    this.#errors = new Set(errors.map(({ path }) => path))
    for (const path of this.#errors) this.#addAbove(path)
  }

  // Stop at the first known path, because all paths above a known path are known, too.
  #addAbove(path: string): void {
    let outer = outerOf(path)
    while (outer !== undefined && !this.#above.has(outer)) {
      this.#above.add(outer)
      outer = outerOf(outer)
    }
  }

  /** Whether an error is about exactly this path. */
  at(path: string): boolean {
    return this.#errors.size > 0 && this.#errors.has(path)
  }

  /** Whether an error is about this path or about a part of it. */
  within(path: string): boolean {
    return this.#errors.size > 0 && (this.#errors.has(path) || this.#above.has(path))
  }

  /**
   * Whether an error is about the object at `path`, about its field `field`, about an object on the way to this field,
   * or about a value inside the field.
   */
  touch(path: string, field: string): boolean {
    if (this.#errors.size === 0) return false
    if (this.at(path)) return true
    let at = path
    for (const step of field === '' ? [] : field.split('.')) {
      at = join(at, step)
      if (this.at(at)) return true
    }
    return this.within(at)
  }
}

/** Returns the path of the enclosing object or list: `spec.a[1]` → `spec.a` → `spec` → `` → undefined. */
function outerOf(path: string): string | undefined {
  return path === '' ? undefined : path.slice(0, Math.max(path.lastIndexOf('.'), path.lastIndexOf('['), 0))
}

// The paths of an object without errors.
const nowhere = new Places([])

interface Run {
  now: Places
  before: Places
  found: FieldError[]
}

function visit(node: SchemaNode, value: unknown, before: unknown, path: string, run: Run): void {
  if (value === undefined || !hasRules(node) || run.now.at(path)) return
  const here = run.now.within(path) ? run : { ...run, now: nowhere }
  if (node.rulesAt !== undefined) {
    for (const rule of rules[node.rulesAt]) {
      if (canRun(rule, before, path, here) && !rule.check(value, before)) run.found.push(ruleError(rule, value, path))
    }
  }
  if (Array.isArray(value)) {
    const { items = {} } = node
    for (const [i, item] of value.entries()) visit(items, item, undefined, join(path, i), here)
  } else if (isObject(value)) {
    const old = isObject(before) ? before : {}
    for (const [name, field] of Object.entries(node.properties ?? {})) {
      visit(field, fieldOf(value, name), fieldOf(old, name), join(path, name), here)
    }
  }
}

const known = new WeakMap<SchemaNode, boolean>()

/**
 * Whether this schema node, or a node below it, has rules. Most parts of a large policy have no rules, so they are
 * skipped.
 */
function hasRules(node: SchemaNode): boolean {
  const answer =
    known.get(node) ??
    (node.rulesAt !== undefined || [node.items ?? [], Object.values(node.properties ?? {})].flat().some(hasRules))
  known.set(node, answer)
  return answer
}

function canRun({ change, reads }: Rule, before: unknown, path: string, run: Run): boolean {
  if (change && before === undefined) return false
  return !reads.some((field) => run.now.touch(path, field) || (change && run.before.touch(path, field)))
}

function ruleError({ code, field, message }: Rule, value: unknown, path: string): FieldError {
  const given = field === undefined ? value : valueAt(value, field)
  const at = field === undefined ? path : join(path, field)
  const shown = typeof given === 'string' || typeof given === 'number' ? { given } : {}
  return { code, path: at, problem: message, ...shown }
}

function valueAt(value: unknown, field: string): unknown {
  const step = (at: unknown, name: string) => (isObject(at) ? fieldOf(at, name) : undefined)
  return field.split('.').reduce(step, value)
}
