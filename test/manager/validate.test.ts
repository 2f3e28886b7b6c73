import { expect } from 'chai'
import type { AnyPolicy } from '../../src/api/types.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { Reviewer, type ReviewerOptions, type ReviewOutcome } from '../../src/manager/admission/reviewer.ts'
import { deployment, modern, type PolicyParts, policy } from './made-up.ts'

function reviewerWith(options: Partial<ReviewerOptions> = {}, policies: PolicyParts[] = []) {
  const index = new PolicyIndex()
  for (const parts of policies) index.set(policy(parts))
  return new Reviewer({
    index,
    isSynced: () => true,
    mutate: modern,
    validate: { behaviorModeling: false },
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

const answered = (answer: ReturnType<Reviewer['validate']>) => {
  if (answer.status !== 200) throw new Error(answer.message)
  expect(answer.review.response.uid).to.equal('u-1')
  return answer.review.response
}

const enhance = (enhanceProtect: object) => ({ mode: 'EnhanceProtect', spec: { enhanceProtect } })

interface Row {
  title: string
  before?: PolicyParts
  now: PolicyParts
  /** Nothing: it is allowed. */
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
    title: 'a name too long for a profile',
    now: { name: 'n'.repeat(60) },
    messages: [/metadata\.name.*shorten the name by \d+ bytes/],
  },
  {
    title: 'behaviour modelling where it is off',
    now: { mode: 'BehaviorModeling', spec: { modelingOptions: { duration: 1 } } },
    messages: [/behaviorModeling\.enabled/],
  },
  {
    title: 'another target',
    before: {},
    now: { target: { kind: 'Deployment', name: 'other' } },
    messages: [/spec\.target.*cannot be changed/],
  },
  { title: 'AppArmor taken away', before: {}, now: { enforcer: 'BPFSeccomp' }, messages: [/AppArmor cannot be taken/] },
  { title: 'Seccomp taken away', before: {}, now: { enforcer: 'BPFAppArmor' }, messages: [/Seccomp cannot be taken/] },
  { title: 'BPF taken away', before: {}, now: { enforcer: 'AppArmorSeccomp' } },
  { title: 'enforcers added', before: { enforcer: 'BPF' }, now: {} },
  { title: 'another mode', before: {}, now: { mode: 'RuntimeDefault' } },
]

describe('validation', () => {
  for (const cluster of [false, true])
    for (const { title, before, now, messages } of rows)
      it(`${messages === undefined ? 'allows' : 'refuses'} ${title}${cluster ? ', of the cluster' : ''}`, () => {
        const update = before && { operation: 'UPDATE', oldObject: policy({ cluster, ...before }) }
        const { allowed, status } = answered(reviewerWith().validate(body(policy({ cluster, ...now }), update)))
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
    it(`lets ${title} be changed`, () => {
      expect(answered(reviewerWith().validate(body(object, { operation: 'UPDATE', oldObject }))).allowed).to.equal(true)
    })

  it('keeps to the length of a profile’s name of this installation', () => {
    const object = policy({ cluster: true, name: 'n'.repeat(40) })
    const inLonger = reviewerWith({
      validate: { behaviorModeling: false, installNamespace: 'a-much-longer-namespace' },
    })
    expect(answered(inLonger.validate(body(object))).status?.message).to.match(/varmor-cluster-a-much-longer-namespace/)
    expect(answered(reviewerWith().validate(body(object))).allowed).to.equal(true)
  })

  it('leaves other kinds and subresources alone', () => {
    expect(answered(reviewerWith().validate(body(deployment()))).allowed).to.equal(true)
    expect(answered(reviewerWith().validate(body(broken, { subResource: 'status' }))).allowed).to.equal(true)
    expect(answered(reviewerWith().validate(body(broken, { operation: 'DELETE', object: null }))).allowed).to.equal(
      true,
    )
  })

  it('warns of rules that an enforcer cannot carry', () => {
    const object = policy({ enforcer: 'Seccomp', ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }) })
    const { warnings = [] } = answered(reviewerWith().validate(body(object)))
    expect(warnings.join('\n')).to.match(/disallow-write-core-pattern \(Seccomp\)/)
    for (const warning of warnings) expect(warning.length).to.be.at.most(256)
  })

  it('takes a policy of whose rules its enforcers carry none, warns, and names those that would', () => {
    const object = policy({ enforcer: 'Seccomp', ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }) })
    const { allowed, warnings = [] } = answered(reviewerWith().validate(body(object)))
    expect(allowed).to.equal(true)
    expect(warnings[0]).to.match(/^NothingEnforced: Seccomp .*add AppArmor or BPF to spec\.policy\.enforcer/)
    const some = policy({
      enforcer: 'AppArmorSeccomp',
      ...enhance({ hardeningRules: ['disallow-write-core-pattern'] }),
    })
    expect(answered(reviewerWith().validate(body(some))).warnings?.join()).to.not.contain('NothingEnforced')
  })

  it('warns of a model that is not there yet, and does not refuse', () => {
    const object = policy({
      enforcer: 'AppArmor',
      mode: 'DefenseInDepth',
      spec: { defenseInDepth: { appArmor: { profileType: 'BehaviorModel' } } },
    })
    const { allowed, warnings } = answered(reviewerWith().validate(body(object)))
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
    it(`${warns ? 'warns' : 'does not warn'} of a cluster policy for ${JSON.stringify(target)}`, () => {
      const reviewer = reviewerWith({}, [{ cluster: true, name: 'all', target }])
      const { warnings = [] } = answered(reviewer.validate(body(policy())))
      expect(warnings.some((warning) => /VarmorClusterPolicy all covers/.test(warning))).to.equal(warns)
    })

  it('bounds what it says', () => {
    const many = policy(enhance({ hardeningRules: Array.from({ length: 900 }, (_, i) => `no-rule-${i}`) }))
    const { status } = answered(reviewerWith().validate(body(many)))
    expect(status?.message?.length).to.be.at.most(16 * 1024)
    expect(status?.message).to.match(/and 8\d\d more/)
  })
})

describe('reviews', () => {
  it('answers a mutation with a patch', () => {
    const { patch, patchType, allowed } = answered(reviewerWith({}, [{ enforcer: 'BPF' }]).mutate(body(deployment())))
    expect({ allowed, patchType }).to.deep.equal({ allowed: true, patchType: 'JSONPatch' })
    expect(JSON.parse(Buffer.from(patch!, 'base64').toString())[0].path).to.equal('/spec/template/metadata/annotations')
  })

  it('leaves out the patch where nothing changes', () => {
    expect(answered(reviewerWith().mutate(body(deployment())))).to.deep.equal({ uid: 'u-1', allowed: true })
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
    it(`refuses ${title} with 400`, () => {
      for (const answer of [reviewerWith().mutate(text), reviewerWith().validate(text)])
        expect(answer.status).to.equal(400)
    })

  it('does not claim that nothing matches before all policies are known', () => {
    expect(reviewerWith({ isSynced: () => false }).mutate(body(deployment())).status).to.equal(503)
  })

  it('leaves no trace of a dry run, and answers it alike', () => {
    const seen: ReviewOutcome[] = []
    const reviewer = reviewerWith({ observe: (outcome) => seen.push(outcome) }, [{ enforcer: 'BPF' }])
    const dry = answered(reviewer.mutate(body(deployment(), { dryRun: true })))
    expect(seen).to.deep.equal([])
    expect(answered(reviewer.mutate(body(deployment())))).to.deep.equal(dry)
    expect(seen.map(({ mutated, policy }) => ({ mutated, policy }))).to.deep.equal([
      { mutated: true, policy: 'VarmorPolicy/demo/web' },
    ])
  })
})
