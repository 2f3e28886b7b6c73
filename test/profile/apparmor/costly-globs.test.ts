import { expect } from 'chai'
import { judgePolicy } from '../../../actors/compiler/judge.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { AnyPolicy } from '../../../src/api/types.ts'
import { validatePolicy } from '../../../src/api/validate.ts'
import { costlyGlobs } from '../../../src/profile/apparmor/costly-globs.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { type CarriedProfile, compileCarried } from '../../../src/profile/profile-source.ts'
import { policy } from '../../manager/made-up.ts'

const enhance = (rules: string, enforcer = 'AppArmorBPF'): AnyPolicy =>
  policy({ enforcer, mode: 'EnhanceProtect', spec: { enhanceProtect: { appArmorRawRules: [{ rules }] } } })
const inDepth = (appArmor: object): AnyPolicy =>
  policy({ enforcer: 'AppArmor', mode: 'DefenseInDepth', spec: { defenseInDepth: { appArmor } } })

const nine = '/**[a-m]????????'
const raw = [`deny ${nine} w,`]
const custom = { profileType: 'Custom', customProfile: 'profile x {\n  file,\n}' }
const options = { installNamespace: 'varmor', egressControl: { pods: false, services: false } }
const judge = (now: AnyPolicy, before?: AnyPolicy) => judgePolicy(now, before, options).errors
const problems = (object: unknown) =>
  Array.from(
    costlyGlobs(object, validatePolicy(object)).values(),
    ({ path, problem }) => `${path}: ${problem.slice(0, problem.indexOf(':'))}`,
  )

describe('globs that cost apparmor_parser too much', () => {
  const at = 'spec.policy.enhanceProtect.appArmorRawRules[0].rules'
  const inIt = 'spec.policy.defenseInDepth.appArmor'
  const rows: [what: string, object: unknown, found: string[]][] = [
    ['each with its line', enhance(`/a r,\ndeny "${nine}" w,\n/**b?????????? r,`), [`${at}: line 2`, `${at}: line 3`]],
    ['followed by more', enhance(`deny ${nine}/x w,`), [`${at}: line 1`]],
    ['of braces', enhance(`deny /x*${'{a,b/}'.repeat(9)} w,`), [`${at}: line 1`]],
    ['with a star in a brace', enhance(`deny /{*,b}${'[ab]'.repeat(9)} w,`), [`${at}: line 1`]],
    ['of other rules', enhance(`mount ${nine} -> /x,`), [`${at}: line 1`]],
    [
      'of a profile',
      inDepth({ ...custom, customProfile: `profile x {\n ${raw}\n}` }),
      [`${inIt}.customProfile: line 2`],
    ],
    [
      'of rules beside a profile or a model that is not there',
      inDepth({ profileType: 'BehaviorModel', appArmorRawRules: [{ rules: raw[0] }] }),
      [`${inIt}.appArmorRawRules[0].rules: line 1`],
    ],
    ['not those of comments', enhance(`# ${nine}\n/a r,`), []],
    ['not those that AppArmor does not get', enhance(raw[0]!, 'BPF'), []],
    ['not eight', enhance(`deny /**[a-m]${'?'.repeat(7)} w,`), []],
    ['not before the star', enhance(`deny /${'[a-z]'.repeat(40)}* w,`), []],
    ['not in all segments together', enhance(`deny ${'/**/[a-f][0-9]/*?'.repeat(9)} w,`), []],
    ['not as escapes', enhance(`deny /*{a,${'\\?'.repeat(9)}} w,`), []],
    ['not variables', enhance(`deny @{PROC}/*${'@{pid}'.repeat(9)} w,`), []],
    ['not of what is no text or no policy', enhance(`"${nine}`), []],
    ['not of anything', { spec: 7 }, []],
  ]
  for (const [what, object, found] of rows)
    it(`are found: ${what}`, () => expect(problems(object)).to.deep.equal(found))

  it('are refused where they are new, and not where they are stored', () => {
    const [stored, other] = [enhance(raw[0]!), enhance(`${raw[0]}\ndeny /y r,`)]
    const more = enhance(`/x r,\n${raw[0]}\ndeny /b*????????? w,`)
    expect(judge(stored).map(({ problem }) => problem)[0]).to.match(/^line 1: .*too costly/)
    expect(judge(stored, enhance('deny /y r,'))).to.have.length(1)
    expect(judge(other, stored)).to.deep.equal([])
    expect(judge(more, stored).map(({ problem }) => problem.slice(0, 7))).to.deep.equal(['line 3:'])
  })

  it('that are stored have all that the policy says compiled, by managers and nodes', () => {
    const desired = desiredProfile(enhance(raw[0]!), { installNamespace: 'varmor', modeling: { state: 'none' } })
    if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
    const { profile, source } = desired.document.spec
    const carried: CarriedProfile = {
      profileName: profile.name,
      enforcer: profile.enforcer,
      recording: false,
      source: source!,
    }
    const result = compileCarried(carried, { appArmor: oldestAppArmor, blockDevices: [] })
    expect(result.ok && Object.keys(result.value)).to.deep.equal(['AppArmor', 'BPF'])
    expect(result.ok && result.value.AppArmor).to.include(nine)
  })
})
