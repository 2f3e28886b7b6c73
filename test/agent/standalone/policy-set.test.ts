import { expect } from 'chai'
import { type FileContents, type HeldPolicy, policySet, titleOf } from '../../../src/agent/standalone/policy-set.ts'
import { held } from './made-policies.ts'

const before = (...policies: HeldPolicy[]) => new Map(policies.map((policy) => [titleOf(policy), policy]))
const broken = (problem: string): FileContents => ({ problems: [problem] })
const says = (...policies: HeldPolicy[]): FileContents => ({ policies })

interface Case {
  files: Record<string, FileContents>
  before?: HeldPolicy[]
  /** Titles and files of the policies in force. */
  inForce: string[]
  problems?: string[]
}

const cases: Record<string, Case> = {
  'all policies of all files are in force': {
    files: { 'a.yaml': says(held('a.yaml', 'a'), held('a.yaml', 'b', { namespace: 'moby' })), 'c.yaml': says() },
    inForce: ['VarmorPolicy default/a of a.yaml', 'VarmorPolicy moby/b of a.yaml'],
  },
  'a cluster policy has no namespace': {
    files: { 'a.yaml': says(held('a.yaml', 'a', { kind: 'VarmorClusterPolicy' })) },
    inForce: ['VarmorClusterPolicy a of a.yaml'],
  },
  'a file with a mistake leaves what it said before': {
    files: { 'a.yaml': broken('a.yaml:3:1: no'), 'b.yaml': says(held('b.yaml', 'b')) },
    before: [held('a.yaml', 'a'), held('gone.yaml', 'c')],
    inForce: ['VarmorPolicy default/a of a.yaml', 'VarmorPolicy default/b of b.yaml'],
    problems: ['a.yaml:3:1: no; until this is corrected, its previous policies stay in force'],
  },
  'a file that was never right is not in force': {
    files: { 'a.yaml': broken('a.yaml: no') },
    inForce: [],
    problems: ['a.yaml: no; until this is corrected, none of its policies is in force'],
  },
  'of one policy in two files that in force stays, and both files are named': {
    files: { 'a.yaml': says(held('a.yaml', 'web')), 'b.yaml': says(held('b.yaml', 'web')) },
    before: [held('b.yaml', 'web')],
    inForce: ['VarmorPolicy default/web of b.yaml'],
    problems: [
      'VarmorPolicy default/web in a.yaml and VarmorPolicy default/web in b.yaml: the same policy; the policy of b.yaml is in force: keep it in only one file',
    ],
  },
  'of one policy in two new files the first file holds': {
    files: { 'b.yaml': says(held('b.yaml', 'web')), 'a.yaml': says(held('a.yaml', 'web')) },
    inForce: ['VarmorPolicy default/web of a.yaml'],
    problems: [
      'VarmorPolicy default/web in a.yaml and VarmorPolicy default/web in b.yaml: the same policy; the policy of a.yaml is in force: keep it in only one file',
    ],
  },
  'a policy that is twice in a file is there once': {
    files: { 'a.yaml': says(held('a.yaml', 'web'), held('a.yaml', 'web')) },
    inForce: ['VarmorPolicy default/web of a.yaml'],
    problems: [
      'VarmorPolicy default/web in a.yaml and VarmorPolicy default/web in a.yaml: the same policy; the policy of a.yaml is in force: keep it in only one file',
    ],
  },
  'of a policy that is in a file very often some are named': {
    files: { 'a.yaml': says(...Array.from({ length: 13 }, () => held('a.yaml', 'web'))) },
    inForce: ['VarmorPolicy default/web of a.yaml'],
    problems: [
      `${'VarmorPolicy default/web in a.yaml and '.repeat(10)}3 more: the same policy; the policy of a.yaml is in force: keep it in only one file`,
    ],
  },
  'a policy may go to another file': {
    files: { 'new.yaml': says(held('new.yaml', 'web')) },
    before: [held('old.yaml', 'web')],
    inForce: ['VarmorPolicy default/web of new.yaml'],
  },
  'two policies do not share the name of a profile': {
    files: {
      'a.yaml': says(held('a.yaml', 'prod-web', { namespace: 'team' })),
      'b.yaml': says(held('b.yaml', 'web', { namespace: 'team-prod' })),
    },
    before: [held('b.yaml', 'web', { namespace: 'team-prod' })],
    inForce: ['VarmorPolicy team-prod/web of b.yaml'],
    problems: [
      'VarmorPolicy team/prod-web in a.yaml and VarmorPolicy team-prod/web in b.yaml: policies whose profiles would have the same name; the policy of b.yaml is in force: rename one policy',
    ],
  },
}

describe('the policies of a folder', () => {
  for (const [title, { files, before: known = [], inForce, problems = [] }] of Object.entries(cases))
    it(title, () => {
      const set = policySet(new Map(Object.entries(files)), before(...known))
      expect(Array.from(set.policies, ([key, { file }]) => `${key} of ${file}`)).to.have.members(inForce)
      expect(set.problems).to.deep.equal(problems)
    })
})
