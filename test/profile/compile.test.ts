import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { parse } from 'yaml'
import { type CompileOptions, compilePolicy } from '../../src/profile/compile.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/policies')

function policy(part: object, enforcer = 'Seccomp', mode = 'EnhanceProtect') {
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name: 'web', namespace: 'demo' },
    spec: { target: { kind: 'Deployment', name: 'web' }, policy: { enforcer, mode, ...part } },
  }
}

function compiled(object: unknown, options?: CompileOptions) {
  const result = compilePolicy(object, options)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

function errorsOf(object: unknown, options?: CompileOptions) {
  const result = compilePolicy(object, options)
  return result.ok ? [] : result.errors
}

describe('a compiled policy', () => {
  it('has what each of its enforcers loads, and says whose it is', () => {
    const value = compiled(policy({ enhanceProtect: { hardeningRules: ['disallow-mount'] } }, 'seccompBPFAppArmor'))
    expect(value).to.include({
      kind: 'VarmorPolicy',
      namespace: 'demo',
      name: 'web',
      profileName: 'varmor-demo-web',
      mode: 'EnhanceProtect',
    })
    expect(Object.keys(value.enforcers)).to.deep.equal(['AppArmor', 'BPF', 'Seccomp'])
    expect(value.enforcers.AppArmor?.profile).to.match(/profile varmor-demo-web/)
  })

  it('of a cluster policy bears the name of the installation, and no namespace', () => {
    const value = compiled(
      { ...policy({}, 'AppArmor', 'AlwaysAllow'), kind: 'VarmorClusterPolicy', metadata: { name: 'all' } },
      { installNamespace: 'security' },
    )
    expect(value.profileName).to.equal('varmor-cluster-security-all')
    expect(value).to.not.have.property('namespace')
  })

  it('is for other enforcers when they are asked for', () => {
    const value = compiled(policy({}, 'AppArmor', 'AlwaysAllow'), { enforcers: ['Seccomp'] })
    expect(Object.keys(value.enforcers)).to.deep.equal(['Seccomp'])
  })

  it('names rules for an enforcer that the policy does not name', () => {
    const syscallRawRules = [{ names: ['tee'], action: 'SCMP_ACT_ERRNO' }]
    const { skipped } = compiled(policy({ enhanceProtect: { syscallRawRules } }, 'AppArmor'))
    expect(skipped).to.have.length(1)
    expect(skipped[0]).to.include({ enforcer: 'Seccomp', path: 'spec.policy.enhanceProtect.syscallRawRules' })
  })

  it('takes a model where the policy builds on one, and says where it is missing', () => {
    const part = { defenseInDepth: { seccomp: { profileType: 'BehaviorModel' } } }
    const object = policy(part, 'Seccomp', 'DefenseInDepth')
    const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['execve'], action: 'SCMP_ACT_ALLOW' }] }
    const { enforcers } = compiled(object, { model: { seccomp: JSON.stringify(profile) } })
    expect(enforcers.Seccomp?.profile).to.deep.equal(profile)
    expect(errorsOf(object).map(({ code }) => code)).to.deep.equal(['MISSING_MODEL'])
  })

  it('is plain data: JSON and back changes nothing', () => {
    for (const file of readdirSync(FIXTURES)) {
      const result = compilePolicy(parse(readFileSync(join(FIXTURES, file), 'utf8')))
      if (result.ok) expect(JSON.parse(JSON.stringify(result.value)), file).to.deep.equal(result.value)
      else
        expect(
          result.errors.map(({ code }) => code),
          file,
        ).to.include('MISSING_MODEL')
    }
  })
})

describe('the errors of a policy', () => {
  it('come from the schema and from every compiler at once', () => {
    const errors = errorsOf(
      policy(
        {
          enhanceProtect: {
            hardeningRules: ['disalow-mount'],
            privileged: 'yes',
            appArmorRawRules: [{ rules: '}' }],
            syscallRawRules: [{ names: ['tee'], action: 'SCMP_ACT_KILL', errnoRet: 1 }],
          },
        },
        'AppArmorSeccomp',
      ),
    )
    expect(errors.map(({ path }) => path)).to.include.members([
      'spec.policy.enhanceProtect.privileged',
      'spec.policy.enhanceProtect.hardeningRules[0]',
      'spec.policy.enhanceProtect.syscallRawRules[0].errnoRet',
    ])
    expect(errors.some(({ path }) => path.startsWith('spec.policy.enhanceProtect.appArmorRawRules[0]'))).to.equal(true)
  })

  it('come once, though three compilers see the same name', () => {
    const errors = errorsOf(policy({ enhanceProtect: { hardeningRules: ['nope'] } }, 'AppArmorBPFSeccomp'))
    expect(errors.map(({ path }) => path)).to.deep.equal(['spec.policy.enhanceProtect.hardeningRules[0]'])
  })

  const rules = 'spec.policy.enhanceProtect'
  const wrongRule = { hardeningRules: ['disalow-mount'] }
  const beside: { fault: string; object: unknown; paths: string[] }[] = [
    {
      fault: 'a wrong mode',
      object: policy({ enhanceProtect: wrongRule }, 'AppArmor', 'EnhancedProtect'),
      paths: ['spec.policy.mode', `${rules}.hardeningRules[0]`],
    },
    {
      fault: 'a wrong enforcer',
      object: policy({ enhanceProtect: wrongRule }, 'AppArmour'),
      paths: ['spec.policy.enforcer', `${rules}.hardeningRules[0]`],
    },
    {
      fault: 'a wrong name',
      object: { ...(policy({ enhanceProtect: wrongRule }) as object), metadata: { name: 'Web_1', namespace: 'demo' } },
      paths: ['metadata.name', `${rules}.hardeningRules[0]`],
    },
    {
      fault: 'a wrong item before it in its list',
      object: policy({ enhanceProtect: { hardeningRules: [7, 'disalow-mount', 'disallow-mount'] } }),
      paths: [`${rules}.hardeningRules[0]`, `${rules}.hardeningRules[1]`],
    },
    {
      fault: 'a wrong field of another item of its list',
      object: policy(
        {
          enhanceProtect: {
            bpfRawRules: {
              files: [
                { pattern: 7, permissions: ['read'] },
                { pattern: '/a//b', permissions: ['read'] },
              ],
            },
          },
        },
        'BPF',
      ),
      paths: [`${rules}.bpfRawRules.files[0].pattern`, `${rules}.bpfRawRules.files[1].pattern`],
    },
    {
      fault: 'a missing field of another item of its list',
      object: policy({ enhanceProtect: { appArmorRawRules: [{ targets: ['/bin/a'] }, { rules: 'x' }] } }, 'AppArmor'),
      paths: [`${rules}.appArmorRawRules[0].rules`, `${rules}.appArmorRawRules[1].rules`],
    },
    {
      fault: 'wrong targets of the same rules',
      object: policy({ enhanceProtect: { attackProtectionRules: [{ rules: ['disable-shel'], targets: ['sh'] }] } }),
      paths: [`${rules}.attackProtectionRules[0].rules[0]`, `${rules}.attackProtectionRules[0].targets[0]`],
    },
  ]
  const oneWrongWord = { files: [{ pattern: '/a', permissions: ['red'] }] }
  beside.push({
    fault: 'a list in which nothing is right',
    object: policy({ enhanceProtect: { ...wrongRule, bpfRawRules: oneWrongWord } }, 'BPF'),
    paths: [`${rules}.bpfRawRules.files[0].permissions[0]`, `${rules}.hardeningRules[0]`],
  })
  for (const { fault, object, paths } of beside) {
    it(`come with ${fault}, each once`, () => {
      const found = errorsOf(object).map(({ path }) => path)
      expect([...found].sort()).to.deep.equal([...paths].sort())
    })
  }

  it('do not speak of what is missing only because it was wrong', () => {
    for (const enhanceProtect of [[], 'x', 7]) {
      const errors = errorsOf(policy({ enhanceProtect }))
      expect(
        errors.map(({ path }) => path),
        JSON.stringify(errors),
      ).to.deep.equal(['spec.policy.enhanceProtect'])
    }
  })

  const fixtures = readdirSync(FIXTURES).map((file) => parse(readFileSync(join(FIXTURES, file), 'utf8')) as object)
  const junk = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(undefined, Number.NaN, '__proto__', '/**', '"'))
  const damage = fc.record({ at: fc.nat(), how: fc.constantFrom('delete', 'replace', 'rename'), value: junk })

  /** Every field and item inside a value, as a pair: the object or list that contains it, and its key. */
  function* places(value: unknown): Generator<[holder: Record<string, unknown>, key: string]> {
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value)) {
      yield [value as Record<string, unknown>, key]
      yield* places((value as Record<string, unknown>)[key])
    }
  }

  it('are found in damaged policies of every kind, which never throw', () => {
    fc.assert(
      fc.property(fc.constantFrom(...fixtures), fc.array(damage, { minLength: 1, maxLength: 3 }), (fixture, wounds) => {
        const object = structuredClone(fixture)
        for (const { at, how, value } of wounds) {
          const all = [...places(object)]
          const [holder, key] = all[at % Math.max(all.length, 1)] ?? [{}, '']
          if (how === 'replace') holder[key] = value
          else if (Array.isArray(holder)) holder.splice(Number(key), 1)
          else {
            if (how === 'rename') holder[`${key}x`] = holder[key]
            delete holder[key]
          }
        }
        const result = compilePolicy(object)
        if (!result.ok) expect(result.errors).to.not.be.empty
      }),
      { numRuns: 1_000 },
    )
  })

  it('are found in anything, which never throws', () => {
    const sound = policy(
      { enhanceProtect: { hardeningRules: ['disallow-mount'], syscallRawRules: [] } },
      'AppArmorBPFSeccomp',
    )
    const paths = [
      ['metadata'],
      ['metadata', 'name'],
      ['spec'],
      ['spec', 'target'],
      ['spec', 'policy'],
      ['spec', 'policy', 'mode'],
      ['spec', 'policy', 'enforcer'],
      ['spec', 'policy', 'enhanceProtect'],
      ...[
        'hardeningRules',
        'attackProtectionRules',
        'vulMitigationRules',
        'appArmorRawRules',
        'bpfRawRules',
        'syscallRawRules',
        'privileged',
      ].map((field) => ['spec', 'policy', 'enhanceProtect', field]),
    ]
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        const object = structuredClone(sound) as Record<string, unknown>
        let at: Record<string, unknown> = object
        for (const step of path.slice(0, -1)) at = at[step] as Record<string, unknown>
        at[path.at(-1) ?? ''] = value
        const result = compilePolicy(object)
        if (!result.ok) expect(result.errors).to.not.be.empty
      }),
      { numRuns: 400 },
    )
    fc.assert(fc.property(fc.anything(), (value) => errorsOf(value).length > 0))
  })
})
