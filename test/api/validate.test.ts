import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { FieldError } from '../../src/api/field-error.ts'
import { validatePolicy } from '../../src/api/validate.ts'
import { invalid } from './invalid-policies.ts'
import { bpf, destination, file, type Json, network, policyWith, proxy } from './sample-policies.ts'

const valid: [what: string, policy: Json][] = [
  ['a namespace is not needed', policyWith({}, { metadata: { name: 'web' } })],
  ['enforcers in any order and case', policyWith({ enforcer: 'bpfSECCOMPapparmor' })],
  ['raw rules with short forms, in any case', bpf({ files: [{ ...file, permissions: ['R', '*', 'Append', 'e'] }] })],
  [
    'R is rbind, r is ro',
    bpf({ mounts: [{ qualifiers: ['deny'], sourcePattern: '**', fstype: '*', flags: ['R', 'r', 'B', 'RO'] }] }),
  ],
  ['a pattern of 4,096 bytes', bpf({ files: [{ ...file, pattern: `/${'a'.repeat(4095)}` }] })],
  ['an address with ports', destination({ ip: '::ffff:192.0.2.1', ports: [{ port: 1, endPort: 65_535 }] })],
  ['bits of a block beyond its prefix', destination({ cidr: '192.0.2.1/24' })],
  [
    'each special address',
    network({
      egress: { toDestinations: ['pod-self', 'unspecified', 'localhost'].map((ip) => ({ qualifiers: ['audit'], ip })) },
    }),
  ],
  [
    'services of all namespaces',
    network({ egress: { toServices: [{ qualifiers: ['deny'], namespace: '', serviceSelector: {} }] } }),
  ],
  [
    'quantities as numbers and texts',
    proxy({ resources: { requests: { cpu: '0.2' }, limits: { cpu: '1e3', memory: '1Gi' } } }),
  ],
  [
    'everything that Kubernetes puts into metadata',
    policyWith(
      {},
      { metadata: { name: 'a', uid: 'u', managedFields: [{}], ownerReferences: [], creationTimestamp: null } },
    ),
  ],
  ['a cluster policy', policyWith({}, { kind: 'VarmorClusterPolicy' })],
]

describe('validatePolicy', () => {
  for (const [what, policy] of valid) {
    it(`takes ${what}`, () => expect(validatePolicy(policy)).to.deep.equal([]))
  }

  for (const [what, { policy, errors }] of Object.entries(invalid)) {
    it(`refuses ${what}`, () => {
      const found = validatePolicy(policy)
      const asked = found.map((error, i) =>
        Object.fromEntries(Object.keys(errors[i] ?? error).map((key) => [key, error[key as keyof FieldError]])),
      )
      expect(asked).to.deep.equal(errors)
    })
  }

  it('takes a name that is too long for a profile: the profile’s is shortened', () => {
    const named = (kind: string) => policyWith({}, { kind, metadata: { name: 'a'.repeat(60), namespace: 'demo' } })
    for (const kind of ['VarmorPolicy', 'VarmorClusterPolicy']) expect(validatePolicy(named(kind))).to.be.empty
  })

  it('gives mistakes in the order of the document', () => {
    const paths = validatePolicy(policyWith({ mode: 'x', enforcer: 'y' }, { metadata: { name: '-' } })).map(
      ({ path }) => path,
    )
    expect(paths).to.deep.equal(['metadata.name', 'spec.policy.enforcer', 'spec.policy.mode'])
  })

  const folder = new URL('../fixtures/policies/', import.meta.url)
  for (const name of readdirSync(folder)) {
    it(`takes the example ${name}`, () => {
      expect(validatePolicy(parse(readFileSync(new URL(name, folder), 'utf8')))).to.deep.equal([])
    })
  }
})
