import { expect } from 'chai'
import { judgePolicy } from '../../actors/compiler/judge.ts'
import { CompilerError, type CompilerErrorCode, type Compilers, compilerMessages } from '../../actors/compiler/ports.ts'
import type { AnyPolicy } from '../../src/api/types.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { judgeBy } from '../../src/manager/admission/judge.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import {
  type ReviewAnswer,
  Reviewer,
  type ReviewerOptions,
  type ReviewOutcome,
} from '../../src/manager/admission/reviewer.ts'
import { deployment, modern, type PolicyParts, policy } from './made-up.ts'

type JudgePort = ReviewerOptions['validate']['judge']

const judgeOptions = { installNamespace: 'varmor', egressControl: { pods: false, services: true } }

/** Compiles on this thread, as a compiler's thread does. */
const judge: JudgePort = async (object, before) => judgePolicy(object, before, judgeOptions)

function reviewerWith(options: Partial<ReviewerOptions> = {}, policies: PolicyParts[] = []) {
  const index = new PolicyIndex()
  for (const parts of policies) index.set(policy(parts))
  return new Reviewer({
    index,
    isSynced: () => true,
    mutate: modern,
    validate: { behaviorModeling: false, judge },
    ...options,
  })
}

function body(object: KubeObject | AnyPolicy, more: Record<string, unknown> = {}): string {
  const { apiVersion = '', kind } = object as KubeObject
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const request = {
    uid: 'u-1',
    kind: { group, version, kind },
    resource: { group, version, resource: `${kind!.toLowerCase()}s` },
    operation: 'CREATE',
    userInfo: { username: 'somebody' },
    namespace: 'demo',
    name: (object as KubeObject).metadata?.name,
    object,
    oldObject: null,
    ...more,
  }
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request })
}

const answered = async (given: ReviewAnswer | Promise<ReviewAnswer>) => {
  const answer = await given
  if (answer.status !== 200) throw new Error(answer.message)
  expect(answer.review.response.uid).to.equal('u-1')
  return answer.review.response
}

const enhance = (enhanceProtect: object) => ({ mode: 'EnhanceProtect', spec: { enhanceProtect } })

interface Row {
  title: string
  before?: PolicyParts
  now: PolicyParts
  /** Expected messages; undefined if the policy is allowed. */
  messages?: RegExp[]
}

const rows: Row[] = [
  { title: 'a sound policy', now: {} },
  {
    title: 'a rule that is spelt wrongly, with the nearest name',
    now: enhance({ hardeningRules: ['disallow-umuont'] }),
    messages: [/hardeningRules\[0\].*disallow-umount/],
  },
  {
    title: 'all errors at once, of schema and compilers',
    now: {
      enforcer: 'AppArmorNonsense',
      target: { kind: 'Deployment' },
      ...enhance({ hardeningRules: ['no-such-rule-at-all'], appArmorRawRules: [{ rules: 'deny /x' }] }),
    },
    messages: [/has [3-9] errors/, /spec\.policy\.enforcer/, /spec\.target/, /no-such-rule-at-all/],
  },
  {
    title: 'behaviour modelling where it is off',
    now: { mode: 'BehaviorModeling', spec: { modelingOptions: { duration: 1 } } },
    messages: [/behaviour modelling is disabled; enable it with --enableBehaviorModeling/],
  },
  {
    title: 'another target',
    before: {},
    now: { target: { kind: 'Deployment', name: 'other' } },
    messages: [/spec\.target.*cannot be changed/],
  },
  {
    title: 'AppArmor taken away',
    before: {},
    now: { enforcer: 'BPFSeccomp' },
    messages: [/AppArmor cannot be removed/],
  },
  {
    title: 'Seccomp taken away',
    before: {},
    now: { enforcer: 'BPFAppArmor' },
    messages: [/Seccomp cannot be removed/],
  },
  { title: 'BPF taken away', before: {}, now: { enforcer: 'AppArmorSeccomp' } },
  { title: 'enforcers added', before: { enforcer: 'BPF' }, now: {} },
  { title: 'another mode', before: {}, now: { mode: 'RuntimeDefault' } },
]

describe('validation', () => {
  for (const cluster of [false, true])
    for (const { title, before, now, messages } of rows)
      it(`${messages === undefined ? 'allows' : 'refuses'} ${title}${cluster ? ', of the cluster' : ''}`, async () => {
        const update = before && { operation: 'UPDATE', oldObject: policy({ cluster, ...before }) }
        const { allowed, status } = await answered(reviewerWith().validate(body(policy({ cluster, ...now }), update)))
        expect(allowed, status?.message).to.equal(messages === undefined)
        for (const message of messages ?? []) expect(status?.message).to.match(message)
        if (status !== undefined) expect(status).to.include({ code: 422, reason: 'Invalid' })
      })

  const broken = policy(enhance({ hardeningRules: ['no-such-rule'] }))
  const passes: { title: string; object: AnyPolicy; oldObject: AnyPolicy }[] = [
    {
      title: 'metadata of what was stored broken',
      object: { ...broken, metadata: { ...broken.metadata, labels: { a: 'b' } } } as AnyPolicy,
      oldObject: broken,
    },
    {
      title: 'the end of what was stored broken',
      object: { ...broken, metadata: { ...broken.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } } as AnyPolicy,
      oldObject: policy(),
    },
  ]
  for (const { title, object, oldObject } of passes)
    it(`lets ${title} be changed`, async () => {
      expect(
        (await answered(reviewerWith().validate(body(object, { operation: 'UPDATE', oldObject })))).allowed,
      ).to.equal(true)
    })

  it('leaves other kinds and subresources alone', async () => {
    expect((await answered(reviewerWith().validate(body(deployment())))).allowed).to.equal(true)
    expect((await answered(reviewerWith().validate(body(broken, { subResource: 'status' })))).allowed).to.equal(true)
    expect(
      (await answered(reviewerWith().validate(body(broken, { operation: 'DELETE', object: null })))).allowed,
    ).to.equal(true)
  })

  for (const { kind, subResource, part, allowed } of [
    { kind: 'ArmorProfile', subResource: '', part: 'spec', allowed: false },
    { kind: 'ArmorProfile', subResource: 'status', part: 'status', allowed: false },
    { kind: 'ArmorProfileModel', subResource: 'status', part: 'status', allowed: false },
    { kind: 'ArmorProfileModel', subResource: '', part: 'data', allowed: true },
  ])
    it(`${allowed ? 'lets users' : 'lets only managers'} write the ${part} of an ${kind}`, async () => {
      const validate = { behaviorModeling: false, judge, profileWriters: ['manager'] }
      const metadata = { name: 'varmor-demo-web', namespace: 'demo' }
      const written = (value: unknown) => ({ apiVersion: 'crd.varmor.org/v1beta1', kind, metadata, [part]: value })
      const update = { operation: 'UPDATE', subResource, oldObject: written({}) }
      const by = async (username: string) =>
        (
          await answered(
            reviewerWith({ validate }).validate(body(written({ a: 1 }), { ...update, userInfo: { username } })),
          )
        ).allowed
      expect([await by('tenant'), await by('manager')]).to.deep.equal([allowed, true])
    })

  it('refuses a policy whose ArmorProfile the API server could not store, and names what is large', async () => {
    const customProfile = `profile x {\n${`# ${'<'.repeat(97)}\n`.repeat(5_000)}}\n`
    const object = policy({
      enforcer: 'AppArmor',
      mode: 'DefenseInDepth',
      spec: { defenseInDepth: { appArmor: { profileType: 'Custom', customProfile } } },
    })
    const { allowed, status } = await answered(reviewerWith().validate(body(object)))
    expect(allowed).to.equal(false)
    expect(status?.message).to.match(
      /- spec\.policy: the ArmorProfile .* Largest parts: .*spec\.profile\.appArmor with/,
    )
  })

  it('warns of rules that an enforcer cannot carry', async () => {
    const object = policy({ enforcer: 'Seccomp', ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }) })
    const { warnings = [] } = await answered(reviewerWith().validate(body(object)))
    expect(warnings.join('\n')).to.match(/disallow-write-core-pattern \(Seccomp\)/)
    for (const warning of warnings) expect(warning.length).to.be.at.most(256)
  })

  it('takes a policy of whose rules its enforcers carry none, warns, and names those that would', async () => {
    const object = policy({ enforcer: 'Seccomp', ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }) })
    const { allowed, warnings = [] } = await answered(reviewerWith().validate(body(object)))
    expect(allowed).to.equal(true)
    expect(warnings[0]).to.match(/^NothingEnforced: Seccomp .*add AppArmor or BPF to spec\.policy\.enforcer/)
    const some = policy({
      enforcer: 'AppArmorSeccomp',
      ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }),
    })
    expect((await answered(reviewerWith().validate(body(some)))).warnings?.join()).to.not.contain('NothingEnforced')
  })

  it('warns of a model that is not there yet, and does not refuse', async () => {
    const object = policy({
      enforcer: 'AppArmor',
      mode: 'DefenseInDepth',
      spec: { defenseInDepth: { appArmor: { profileType: 'BehaviorModel' } } },
    })
    const { allowed, warnings } = await answered(reviewerWith().validate(body(object)))
    expect({ allowed, warnings: warnings?.length }).to.deep.equal({ allowed: true, warnings: 1 })
  })

  const shadowing: { target: NonNullable<PolicyParts['target']>; warns: boolean }[] = [
    { target: { kind: 'Deployment', selector: {} }, warns: true },
    {
      target: { kind: 'Deployment', selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
      warns: true,
    },
    { target: { kind: 'Deployment', selector: { matchLabels: { app: 'db' } } }, warns: false },
    { target: { kind: 'DaemonSet', selector: {} }, warns: false },
  ]
  for (const { target, warns } of shadowing)
    it(`${warns ? 'warns' : 'does not warn'} of a cluster policy for ${JSON.stringify(target)}`, async () => {
      const reviewer = reviewerWith({}, [{ cluster: true, name: 'all', target }])
      const { warnings = [] } = await answered(reviewer.validate(body(policy())))
      expect(warnings.some((warning) => /VarmorClusterPolicy all selects/.test(warning))).to.equal(warns)
    })

  type Target = NonNullable<PolicyParts['target']>
  const pods: Target = { kind: 'Pod', selector: { matchLabels: { app: 'web' } } }
  const made: { target: Target; own?: Target; warns: boolean }[] = [
    { target: { kind: 'Deployment', selector: {} }, warns: true },
    { target: { kind: 'DaemonSet', selector: { matchLabels: { app: 'web' } } }, warns: true },
    { target: { kind: 'StatefulSet', selector: { matchLabels: { app: 'db' } } }, warns: false },
    { target: { kind: 'Deployment', name: 'web' }, warns: false },
    { target: { kind: 'Deployment', selector: {} }, own: { kind: 'Pod', name: 'web-1' }, warns: false },
    { target: { kind: 'StatefulSet', selector: {} }, own: { kind: 'DaemonSet', selector: {} }, warns: false },
  ]
  for (const { target, own = pods, warns } of made)
    it(`${warns ? 'warns' : 'does not warn'} who writes a policy for ${JSON.stringify(own)} of the cluster’s for ${JSON.stringify(target)}`, async () => {
      const reviewer = reviewerWith({}, [{ cluster: true, name: 'all', target }])
      const { warnings = [] } = await answered(reviewer.validate(body(policy({ target: own }))))
      const says = new RegExp(
        `VarmorClusterPolicy all has priority in pods that a ${target.kind} with these labels creates, for the enforcers of that cluster policy`,
      )
      expect(warnings.some((warning) => says.test(warning))).to.equal(warns)
    })

  const unable: { code: CompilerErrorCode; expected: object; message: RegExp }[] = [
    {
      code: 'TOO_COSTLY',
      expected: { code: 422, reason: 'Invalid' },
      message: /VarmorPolicy demo\/web has one error:\n- spec\.policy: this is TOO_COSTLY: it takes more than 2 s/,
    },
    {
      code: 'BUSY',
      expected: { code: 429, reason: 'TooManyRequests' },
      message: /cannot check VarmorPolicy demo\/web: .* try again in a few seconds/,
    },
  ]
  const compilersThat = (code: CompilerErrorCode, message: string): Partial<ReviewerOptions> => ({
    validate: {
      behaviorModeling: false,
      judge: judgeBy({ run: () => Promise.reject(new CompilerError(code, message)) }, judgeOptions),
    },
  })
  for (const { code, expected, message } of unable)
    it(`refuses a policy whose compiler says ${code}, and says what to do`, async () => {
      const reviewer = reviewerWith(compilersThat(code, compilerMessages[code](2)))
      const { allowed, status } = await answered(reviewer.validate(body(policy())))
      expect(allowed).to.equal(false)
      expect(status).to.include(expected)
      expect(status?.message).to.match(message)
    })

  it('warns of Pods and Services only where this manager does not look for their addresses', async () => {
    const egress = {
      toPods: [{ podSelector: { matchLabels: { name: 'db' } } }],
      toServices: [{ namespace: 'a', name: 'b' }],
    }
    const object = policy({ enforcer: 'BPF', ...enhance({ bpfRawRules: { network: { egress } } }) })
    const { allowed, warnings } = await answered(reviewerWith().validate(body(object)))
    expect({ allowed, warnings: warnings?.length }).to.deep.equal({ allowed: true, warnings: 1 })
    expect(warnings![0]).to.match(/the manager does not look up the addresses of Pods: set --enablePodEgressControl/)
  })

  it('leaves the policy to another manager where this one is being stopped', async () => {
    const reviewer = reviewerWith(compilersThat('STOPPED', 'it is being stopped'))
    expect(await reviewer.validate(body(policy()))).to.deep.equal({ status: 503, message: 'it is being stopped' })
  })

  it('asks the compilers for each policy in the name of its namespace and of who asks, and for what it would be changed to', async () => {
    const asked: unknown[] = []
    const run = async (...all: unknown[]) => {
      asked.push(all)
      return { errors: [], count: 0, skipped: [] }
    }
    const by = judgeBy({ run } as unknown as Compilers, judgeOptions)
    const reviewer = reviewerWith({ validate: { behaviorModeling: false, judge: by } })
    const [before, now] = [policy({ mode: 'RuntimeDefault' }), policy()]
    await answered(reviewer.validate(body(now, { operation: 'UPDATE', oldObject: before }), { peer: '10.0.0.1' }))
    await answered(reviewer.validate(body(policy({ cluster: true }))))
    const cluster = policy({ cluster: true })
    expect(asked).to.deep.equal([
      [
        'judgePolicy',
        [now, before, judgeOptions],
        { tenant: 'demo', peer: '10.0.0.1', urgent: true, subject: now.spec },
      ],
      ['judgePolicy', [cluster, undefined, judgeOptions], { tenant: '', urgent: true, subject: cluster.spec }],
    ])
  })

  it('bounds what it says', async () => {
    const many = policy(enhance({ hardeningRules: Array.from({ length: 900 }, (_, i) => `no-rule-${i}`) }))
    const { status } = await answered(reviewerWith().validate(body(many)))
    expect(status?.message?.length).to.be.at.most(16 * 1024)
    expect(status?.message).to.match(/and 8\d\d more/)
  })
})

describe('reviews', () => {
  it('answers a mutation with a patch', async () => {
    const { patch, patchType, allowed } = await answered(
      reviewerWith({}, [{ enforcer: 'BPF' }]).mutate(body(deployment())),
    )
    expect({ allowed, patchType }).to.deep.equal({ allowed: true, patchType: 'JSONPatch' })
    expect(JSON.parse(Buffer.from(patch!, 'base64').toString())[0].path).to.equal('/spec/template/metadata/annotations')
  })

  it('refuses a policy that managers would not keep, and takes changes of those that they keep', async () => {
    const options = { behaviorModeling: false, judge, takesMore: (namespace: string) => namespace !== 'demo' }
    const reviewer = reviewerWith({ validate: options })
    const refused = await answered(reviewer.validate(body(policy())))
    expect(refused.allowed).to.equal(false)
    expect(refused.status?.message).to.match(/metadata\.namespace.*reach the memory limit of the managers.*delete some/)
    const before = policy()
    const now = policy({ mode: 'RuntimeDefault' })
    const update = { operation: 'UPDATE', oldObject: before }
    expect(await answered(reviewer.validate(body(now, update)))).to.deep.include({ allowed: true })
    expect(await answered(reviewer.validate(body(policy(), { namespace: 'other' })))).to.deep.include({ allowed: true })
  })

  it('leaves out the patch where nothing changes', async () => {
    expect(await answered(reviewerWith().mutate(body(deployment())))).to.deep.equal({ uid: 'u-1', allowed: true })
  })

  const bad: [string, string][] = [
    ['no JSON', '{'],
    ['a list', '[]'],
    [
      'another version',
      JSON.stringify({ apiVersion: 'admission.k8s.io/v1beta1', kind: 'AdmissionReview', request: {} }),
    ],
    ['a review without a request', JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' })],
  ]
  for (const [title, text] of bad)
    it(`refuses ${title} with 400`, async () => {
      for (const answer of [await reviewerWith().mutate(text), await reviewerWith().validate(text)])
        expect(answer.status).to.equal(400)
    })

  it('does not claim that nothing matches before all policies are known', async () => {
    expect((await reviewerWith({ isSynced: () => false }).mutate(body(deployment()))).status).to.equal(503)
  })

  it('leaves no trace of a dry run, and answers it alike', async () => {
    const seen: ReviewOutcome[] = []
    const reviewer = reviewerWith({ observe: (outcome) => seen.push(outcome) }, [{ enforcer: 'BPF' }])
    const dry = await answered(reviewer.mutate(body(deployment(), { dryRun: true })))
    expect(seen).to.deep.equal([])
    expect(await answered(reviewer.mutate(body(deployment())))).to.deep.equal(dry)
    expect(seen.map(({ mutated, policy }) => ({ mutated, policy }))).to.deep.equal([
      { mutated: true, policy: 'VarmorPolicy/demo/web' },
    ])
  })
})
