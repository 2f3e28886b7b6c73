import { Ajv } from 'ajv'
import { expect } from 'chai'
import fc from 'fast-check'
import { type FieldError, join } from '../../src/api/field-error.ts'
import { nodeOf } from '../../src/api/schema/node.ts'
import { varmorPolicy } from '../../src/api/schema/policy.ts'
import { validatePolicy, validatePolicyUpdate } from '../../src/api/validate.ts'
import { keyPath, validateSchema } from '../../src/api/validate-schema.ts'
import { arbitraryOf } from './arbitrary.ts'

const schema = nodeOf(varmorPolicy)
const policies = arbitraryOf(schema)

// ajv is a second validator for all parts that are JSON Schema; it does not know the project's own keywords.
const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false })
const byAjv = ajv.compile(varmorPolicy)

/** Converts a JSON pointer into `value`, and optionally a field there, to the form in this project's errors. */
function pathOf(value: unknown, pointer: string, field: string | undefined): string {
  const steps = pointer.split('/').slice(1)
  let path = ''
  let at = value
  for (const step of steps.map((text) => text.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    path = Array.isArray(at) ? join(path, Number(step)) : keyPath(path, step)
    at = (at as Record<string, unknown>)[step]
  }
  return field === undefined ? path : keyPath(path, field)
}

function pathsByAjv(value: unknown): Set<string> {
  byAjv(value)
  const field = (params: Record<string, unknown>) =>
    (params['missingProperty'] ?? params['additionalProperty']) as string | undefined
  return new Set(byAjv.errors?.map(({ instancePath, params }) => pathOf(value, instancePath, field(params))))
}

/** A valid policy in which one value is replaced, or one field is removed or added. */
const damaged = fc
  .tuple(policies, fc.nat(), fc.oneof(fc.constant(undefined), fc.jsonValue({ maxDepth: 2 })))
  .map(([policy, n, by]) => {
    const copy = structuredClone(policy)
    const places = containers(copy)
    const place = places[n % places.length] as Record<string, unknown>
    const names = [...Object.keys(place), 'extra']
    const name = names[n % names.length] as string
    if (by === undefined && !Array.isArray(place)) delete place[name]
    else place[Array.isArray(place) && name === 'extra' ? '0' : name] = by ?? null
    return copy
  })

function containers(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(value).flatMap(containers)]
}

describe('validateSchema', () => {
  it('finds nothing in a policy made from the schema', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        expect(validateSchema(schema, policy)).to.be.empty
        expect([...pathsByAjv(policy)]).to.be.empty
      }),
    )
  })

  it('finds all that ajv finds in a damaged policy', () => {
    fc.assert(
      fc.property(damaged, (policy) => {
        const ours = validateSchema(schema, policy)
        const tooLong = ours.filter(({ code }) => code === 'TOO_LONG') // the validator reads nothing inside
        const within = (path: string) => tooLong.some((list) => path.startsWith(`${list.path}[`))
        const theirs = [...pathsByAjv(policy)].filter((path) => !within(path))
        expect(ours.map(({ path }) => path)).to.include.members(theirs)
      }),
      { numRuns: 300 },
    )
  })

  it('finds no wrong type and no unknown field that ajv does not, quantities aside', () => {
    fc.assert(
      fc.property(damaged, (policy) => {
        const isStructural = ({ code, path }: FieldError) =>
          ['WRONG_TYPE', 'UNKNOWN_FIELD'].includes(code) && !/\.(requests|limits)\b/.test(path)
        const structural = validateSchema(schema, policy).filter(isStructural)
        expect([...pathsByAjv(policy)]).to.include.members(structural.map(({ path }) => path))
      }),
      { numRuns: 300 },
    )
  })
})

/** All paths in a value, in the form of errors. */
function pathsIn(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Array.isArray(value)
    ? value.map((item, i) => [join(path, i), item] as const)
    : Object.entries(value).map(([name, field]) => [keyPath(path, name), field] as const)
  return [path, ...inner.flatMap(([at, item]) => pathsIn(item, at))]
}

/** Tells whether an error names an existing path. An error may also name a missing field. */
function isAt(error: FieldError, paths: ReadonlySet<string>): boolean {
  if (paths.has(error.path)) return true
  const missing = ['REQUIRED', 'CONFLICT', 'IMMUTABLE'].includes(error.code)
  const steps = error.path.split('.')
  return missing && steps.some((_, i) => paths.has(steps.slice(0, i).join('.')))
}

describe('validatePolicy on anything at all', () => {
  const json = fc.jsonValue({ maxDepth: 4 })
  const kind = fc.constantFrom('VarmorPolicy', 'VarmorClusterPolicy')
  const part = (inner: fc.Arbitrary<unknown>) => fc.oneof(json, inner)
  const almost = fc.record({
    kind,
    metadata: part(fc.record({ name: part(fc.string()), namespace: json })),
    spec: part(
      fc.record({
        target: json,
        policy: part(
          fc.record({ enforcer: part(fc.string()), mode: json, enhanceProtect: json, networkProxyConfig: json }),
        ),
      }),
    ),
    status: json,
  })
  const anything = fc.oneof(json, almost, damaged)

  it('never throws, and blames what is there or what is missing', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const paths = new Set(pathsIn(value))
        for (const error of validatePolicy(value))
          expect(isAt(error, paths), `${error.code} at ${error.path}`).to.equal(true)
      }),
      { numRuns: 500 },
    )
  })

  it('never throws on a change of anything to anything', () => {
    fc.assert(
      fc.property(anything, anything, (before, after) => {
        expect(validatePolicyUpdate(before, after)).to.be.an('array')
      }),
      { numRuns: 300 },
    )
  })

  it('is not led astray by inherited names', () => {
    const text =
      '{"__proto__": {"metadata": {"name": "x"}}, "constructor": 1, "kind": "VarmorPolicy", "spec": {"toString": 1}}'
    const paths = validatePolicy(JSON.parse(text)).map(({ code, path }) => `${code} ${path}`)
    expect(paths).to.include.members([
      'UNKNOWN_FIELD __proto__',
      'UNKNOWN_FIELD constructor',
      'UNKNOWN_FIELD spec.toString',
      'REQUIRED metadata',
    ])
  })

  it('looks no deeper than the schema', () => {
    let deep: object = {}
    for (let i = 0; i < 100_000; i++) deep = { deep }
    const errors = validatePolicy({
      kind: 'VarmorPolicy',
      metadata: { name: 'x', managedFields: deep },
      spec: deep,
      deep,
    })
    expect(errors.map(({ path }) => path)).to.include.members(['deep', 'spec.deep'])
  })

  it('tells of a list that is far too long in one error', () => {
    const hardeningRules = Array(500_000).fill(null)
    const spec = { policy: { enhanceProtect: { hardeningRules } } }
    const errors = validatePolicy({ kind: 'VarmorPolicy', spec })
    expect(errors.filter(({ path }) => path.startsWith('spec.policy.enhanceProtect'))).to.have.lengthOf(1)
  })

  it('keeps control characters and endless keys out of paths', () => {
    const errors = validatePolicy({ kind: 'VarmorPolicy', '\u001b[31m\n\u009b': 1, ['k'.repeat(100_000)]: 1 })
    const paths = errors.map(({ path }) => path)
    expect(paths).to.include('["\\u001b[31m\\n\\u009b"]')
    expect(Math.max(...paths.map(({ length }) => length))).to.be.below(100)
  })
})
