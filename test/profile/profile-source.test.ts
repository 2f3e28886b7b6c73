import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { desiredProfile } from '../../actors/policy/desired-profile.ts'
import type { Modeling } from '../../actors/policy/modeling.ts'
import { customResourceDefinition, kinds } from '../../src/api/crds.ts'
import type { OpenApiSchema } from '../../src/api/open-api.ts'
import type { AnyPolicy, ArmorProfileSpec, BpfRawRules, EnhanceProtect, Policy } from '../../src/api/types.ts'
import { asWall } from '../../src/base/clock.ts'
import type { BpfProfile } from '../../src/profile/bpf/bpf-profile.ts'
import { compilePolicy } from '../../src/profile/compile.ts'
import { type BehaviorModel, oldestAppArmor } from '../../src/profile/context.ts'
import {
  type CarriedProfile,
  type Contents,
  compileCarried,
  type NodeFacts,
  sourceOf,
} from '../../src/profile/profile-source.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import type { Rule } from '../../src/rules/meaning.ts'
import { prune } from '../../src/sandbox/api-server/schema/pruning.ts'
import { policyWith } from '../api/sample-policies.ts'
import { newAppArmor } from './apparmor/policies.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/policies')

const nodes: Record<string, NodeFacts> = {
  'AppArmor 3.0': { appArmor: oldestAppArmor, blockDevices: [] },
  'AppArmor 4.1 and a disk of an odd name': { appArmor: newAppArmor, blockDevices: ['/dev/odd0'] },
}

const version = customResourceDefinition(kinds.find(({ kind }) => kind === 'ArmorProfile')!) as unknown as {
  spec: { versions: { schema: { openAPIV3Schema: OpenApiSchema } }[] }
}
const schema = version.spec.versions[0]!.schema.openAPIV3Schema

/** Sorts the fields of objects by name, as Go does. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

const carriedBy = ({ profile: { name, enforcer }, behaviorModeling, source }: ArmorProfileSpec): CarriedProfile => ({
  profileName: name,
  enforcer,
  recording: behaviorModeling.enable,
  source: source!,
})

/** The spec of the ArmorProfile as the API server stores it: as JSON, without fields that the CRD does not have. */
function stored(policy: AnyPolicy, modeling: Modeling, model?: BehaviorModel): ArmorProfileSpec {
  const desired = desiredProfile(policy, { installNamespace: 'varmor', modeling, ...(model && { model }) })
  if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
  const sent = JSON.parse(JSON.stringify(desired.document, sorted)) as { spec: ArmorProfileSpec }
  const { object, unknown } = prune(sent as never, schema)
  expect(unknown).to.deep.equal([])
  return object['spec'] as unknown as ArmorProfileSpec
}

interface Case {
  modeling?: Modeling
  model?: BehaviorModel
}

/** The contents for the enforcers, compiled directly from the policy. */
function direct(policy: AnyPolicy, facts: NodeFacts, { modeling, model }: Case): Contents {
  const modelingComplete = modeling?.state === 'complete'
  const compiled = compilePolicy(policy, { ...facts, modelingComplete, ...(model && { model }) })
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
  const { AppArmor, BPF, Seccomp } = compiled.value.enforcers
  return {
    ...(AppArmor && { AppArmor: AppArmor.profile }),
    ...(BPF && { BPF: JSON.stringify(BPF.profile) }),
    ...(Seccomp && { Seccomp: JSON.stringify(Seccomp.profile) }),
  }
}

/**
 * Compiles the policy both directly and from the stored ArmorProfile, for each kind of node, and compares the results.
 * @returns the contents that the first node loads
 */
function same(object: object, given: Case = {}): Contents {
  const policy = object as AnyPolicy
  const spec = stored(policy, given.modeling ?? { state: 'none' }, given.model)
  const all = Object.entries(nodes).map(([node, facts]) => {
    const compiled = compileCarried(carriedBy(spec), facts)
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
    const wanted = direct(policy, facts, given)
    expect(Object.keys(compiled.value), node).to.deep.equal(Object.keys(wanted))
    // Do not use deep.equal: it needs minutes to print the difference of two texts of a megabyte.
    for (const [enforcer, content] of Object.entries(compiled.value))
      if (content !== wanted[enforcer as keyof Contents]) throw new Error(`${node}, ${enforcer}: the bytes differ`)
    return compiled.value
  })
  expect({ appArmor: all[0]!.AppArmor, seccomp: all[0]!.Seccomp }, 'for reading').to.deep.equal({
    appArmor: spec.profile.appArmor,
    seccomp: spec.profile.seccomp,
  })
  return all[0]!
}

const listed = ({ category, name }: Rule): EnhanceProtect =>
  category === 'hardening'
    ? { hardeningRules: [name] }
    : category === 'attack-protection'
      ? { attackProtectionRules: [{ rules: [name] }] }
      : { vulMitigationRules: [name] }

const qualifiers: [title: string, more: (rule: Rule) => EnhanceProtect][] = [
  ['refused', () => ({})],
  ['refused and reported', () => ({ auditViolations: true })],
  ['let through and reported', () => ({ auditViolations: true, allowViolations: true })],
  ['let through', () => ({ allowViolations: true })],
  ['refused in a privileged container', () => ({ privileged: true, protectAncestors: false })],
  [
    'refused to some programs',
    ({ category, name }) =>
      category === 'attack-protection'
        ? { attackProtectionRules: [{ rules: [name], targets: ['/usr/bin/python3'] }] }
        : {},
  ],
]

describe('a profile compiled on a node from the ArmorProfile', () => {
  for (const [title, more] of qualifiers)
    it(`has the bytes that the policy compiles to, for each rule, ${title}, and enforcer`, () => {
      for (const rule of catalogue)
        same(policyWith({ mode: 'EnhanceProtect', enhanceProtect: { ...listed(rule), ...more(rule) } }))
    })

  const raw: Record<string, (qualified: object) => BpfRawRules> = {
    files: (q) => ({ files: [{ ...q, pattern: '/srv/**', permissions: ['read', 'write'] }] }),
    processes: (q) => ({ processes: [{ ...q, pattern: '**ping', permissions: ['exec'] }] }),
    sockets: (q) => ({ network: { sockets: [{ ...q, domains: ['inet'], protocols: ['tcp'] }] } }),
    destinations: (q) => ({
      network: { egress: { toDestinations: [{ ...q, cidr: '192.0.2.0/24', ports: [{ port: 80, endPort: 90 }] }] } },
    }),
    services: (q) => ({ network: { egress: { toServices: [{ ...q, namespace: 'default', name: 'kubernetes' }] } } }),
    pods: (q) => ({ network: { egress: { toPods: [{ ...q, podSelector: { matchLabels: { app: 'db' } } }] } } }),
    ptrace: (q) => ({ ptrace: { ...q, strictMode: true, permissions: ['trace'] } }),
    mounts: (q) => ({ mounts: [{ ...q, sourcePattern: '**', fstype: 'proc', flags: ['*'] }] }),
  }
  const ofRaw: [title: string, qualified: object][] = [
    ['as the policy says', {}],
    ['refused', { qualifiers: ['deny'] }],
    ['reported', { qualifiers: ['audit'] }],
    ['refused and reported', { qualifiers: ['deny', 'audit'] }],
  ]
  for (const [kind, rules] of Object.entries(raw))
    for (const [title, qualified] of ofRaw)
      it(`has the bytes that the policy compiles to, for raw rules about ${kind}, ${title}`, () => {
        const enhanceProtect = { auditViolations: true, bpfRawRules: rules(qualified) }
        same(policyWith({ mode: 'EnhanceProtect', enhanceProtect }))
      })

  for (const file of readdirSync(FIXTURES))
    it(`has the bytes that the policy compiles to: ${file}`, () => {
      const policy = parse(readFileSync(join(FIXTURES, file), 'utf8')) as AnyPolicy
      const model = { appArmor: 'profile x {\n  file,\n}\n', seccomp: '{"defaultAction":"SCMP_ACT_ERRNO"}' }
      const records = policy.spec.policy.mode === 'BehaviorModeling'
      same(policy, { model, ...(records && { modeling: { state: 'recording', began: asWall(0), ends: 1 } }) })
    })

  const modelings: Modeling[] = [
    { state: 'recording', began: asWall(0), ends: 1 },
    { state: 'complete', began: asWall(0) },
  ]
  for (const modeling of modelings)
    it(`has the bytes that the policy compiles to while its modelling is ${modeling.state}`, () => {
      same(policyWith({ mode: 'BehaviorModeling', modelingOptions: { duration: 1 } }), { modeling })
    })

  it('has what the form for reading has no place for', () => {
    const bpfRawRules = {
      network: {
        egress: {
          toServices: [{ namespace: 'default', name: 'kubernetes' }],
          toPods: [{ namespace: 'db', podSelector: { matchLabels: { app: 'db' } } }],
        },
      },
    }
    const enhanceProtect = {
      hardeningRules: ['disallow-mount-procfs', 'disallow-create-user-ns', 'disallow-load-all-bpf-prog'],
      attackProtectionRules: [{ rules: ['block-access-to-kube-apiserver'] }],
      bpfRawRules,
    }
    const disks = { hardeningRules: ['disallow-debug-disk-device'], privileged: true }
    const bpfOf = (protect: EnhanceProtect) =>
      JSON.parse(same(policyWith({ mode: 'EnhanceProtect', enhanceProtect: protect })).BPF!) as BpfProfile
    const profile = bpfOf(enhanceProtect)
    expect(profile.egress?.references.map(({ kind }) => kind)).to.include.members(['service', 'pods'])
    expect(profile.userns).to.deep.equal({ deny: true, audit: false })
    expect(profile.bpf.map(({ command }) => command)).to.include('prog_load')
    expect(profile.files.rules.some(({ except = [] }) => except.length > 0)).to.equal(true)
    expect(profile.mounts?.rules.some(({ source, target }) => source === undefined && target !== undefined)).to.equal(
      true,
    )
    expect(bpfOf(disks).blockDevices).not.to.equal(0)
  })

  it('is compiled for the kernel of the node, and names what is left out there', () => {
    const policy = policyWith({
      mode: 'EnhanceProtect',
      enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] },
    })
    const spec = stored(policy as unknown as AnyPolicy, { state: 'none' })
    const [old, newer] = Object.values(nodes).map((facts) => {
      const compiled = compileCarried(carriedBy(spec), facts)
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
      const { value, skipped } = compiled
      return {
        denies: /deny userns,/.test(value.AppArmor!),
        left: skipped.map(({ enforcer, rule }) => [enforcer, rule]),
      }
    })
    expect(old).to.deep.equal({ denies: false, left: [['AppArmor', 'disallow-create-user-ns']] })
    expect(newer).to.deep.equal({ denies: true, left: [] })
  })
})

describe('what an ArmorProfile carries', () => {
  const model = { appArmor: 'of AppArmor', seccomp: 'of seccomp' }
  const own = { profileType: 'Custom', customProfile: 'x' } as const
  const modeled = { profileType: 'BehaviorModel' } as const
  const rows: [title: string, policy: Partial<Policy>, model: object | undefined][] = [
    ['no model for other modes', { mode: 'AlwaysAllow' }, undefined],
    ['no model for profiles of its own', { defenseInDepth: { appArmor: own } }, undefined],
    ['the part of the model that it builds on', { defenseInDepth: { appArmor: modeled } }, { appArmor: 'of AppArmor' }],
    ['all of the model when it builds on all', { defenseInDepth: { appArmor: modeled, seccomp: modeled } }, model],
  ]
  for (const [title, part, wanted] of rows)
    it(`is the policy, and ${title}`, () => {
      const policy: Policy = { enforcer: 'AppArmorSeccomp', mode: 'DefenseInDepth', ...part }
      const source = sourceOf(policy, model)
      expect(JSON.parse(source.policy)).to.deep.equal(policy)
      expect(source.model).to.deep.equal(wanted)
    })

  const ofNewer: [what: string, policy: object, code: string, path: string][] = [
    ['a field', { mode: 'AlwaysAllow', landlock: {} }, 'UNKNOWN_FIELD', 'spec.policy.landlock'],
    ['a mode', { mode: 'Quarantine' }, 'NOT_ALLOWED', 'spec.policy.mode'],
    ['an enforcer', { mode: 'AlwaysAllow', enforcer: 'AppArmorLandlock' }, 'NOT_ALLOWED', 'spec.policy.enforcer'],
    [
      'a rule',
      { mode: 'EnhanceProtect', enhanceProtect: { hardeningRules: ['disallow-time-travel'] } },
      'UNKNOWN_RULE',
      'spec.policy.enhanceProtect.hardeningRules[0]',
    ],
    [
      'a qualifier',
      {
        mode: 'EnhanceProtect',
        enforcer: 'BPF',
        enhanceProtect: {
          bpfRawRules: { files: [{ pattern: '/x', permissions: ['read'], qualifiers: ['deny', 'kill'] }] },
        },
      },
      'NOT_ALLOWED',
      'spec.policy.enhanceProtect.bpfRawRules.files[0].qualifiers[1]',
    ],
  ]
  for (const [what, policy, code, path] of ofNewer)
    it(`by a newer manager is refused by the name of ${what} that is not known here`, () => {
      const source = { policy: JSON.stringify({ enforcer: 'AppArmor', ...policy }) }
      const carried = { profileName: 'varmor-demo-web', enforcer: 'AppArmor', recording: false, source }
      const compiled = compileCarried(carried, nodes['AppArmor 3.0']!)
      const errors = compiled.ok ? [] : compiled.errors.map((error) => [error.code, error.path])
      expect(errors).to.deep.equal([[code, path]])
    })
})
