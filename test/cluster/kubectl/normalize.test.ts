import { expect } from 'chai'
import { compareRuns, differingLines } from './compare.ts'
import { normalize, type Surroundings } from './normalize.ts'

const here: Surroundings = {
  namespace: 'kubectl-abcde',
  folder: '/tmp/varmor-kubectl-x1',
  server: 'https://127.0.0.1:1234',
}

describe('the output of kubectl, normalized', () => {
  const rows: [what: string, text: string, normalized: string][] = [
    ['a namespace', 'found in kubectl-abcde namespace.', 'found in <namespace> namespace.'],
    ['the server', 'https://127.0.0.1:1234/api', '<server>/api'],
    ['a uid', 'uid: 0b1c2d3e-0000-4000-8000-00000000000f', 'uid: <uid>'],
    ['a time', 'creationTimestamp: "2026-11-25T09:04:06Z"', 'creationTimestamp: "<time>"'],
    ['a time in describe', 'Start: Wed, 25 Nov 2026 09:04:06 +0000', 'Start: <time>'],
    ['a resource version', 'resourceVersion: "417"', 'resourceVersion: "<version>"'],
    ['a resource version in describe', '  Resource Version:  417', '  Resource Version:  <version>'],
    ['an age, and the width of its column', 'web    12s', 'web  <age>'],
    ['a long age', 'web  3d4h', 'web  <age>'],
    ['the name of a pod', 'pod/web-5d4f8c7b9f-x2k8z', 'pod/web-<hash>-<random>'],
    ['the name of a set with a short hash', 'web-89f9d6f (0/0 replicas created)', 'web-<hash> (0/0 replicas created)'],
    ['the address of a service', 'web  ClusterIP  10.96.31.7  80/TCP', 'web  ClusterIP  <service address>  80/TCP'],
    ['indentation: it stays', 'a:\n    b: c', 'a:\n    b: c'],
    ['numbers that mean something: they stay', 'replicas: 12', 'replicas: 12'],
    ['words that mean something: they stay', 'kube-root-ca.crt front-proxy', 'kube-root-ca.crt front-proxy'],
  ]
  for (const [what, text, normalized] of rows) {
    it(what, () => expect(normalize(text, here)).to.equal(normalized))
  }
})

describe('a comparison of two runs', () => {
  const step = (stdout: string, status = 0): Parameters<typeof compareRuns>[0][number] => ({
    line: 'kubectl get cm',
    status,
    stdout,
    stderr: '',
  })

  it('says nothing where they agree', () => {
    expect(compareRuns([step('a\n')], [step('a\n')])).to.equal('')
  })

  it('shows what only one of them said, under the command line', () => {
    expect(compareRuns([step('a\nb\nc\n')], [step('a\nx\nc\n', 1)])).to.equal(
      ['$ kubectl get cm', '- exit status 0', '+ exit status 1', '- b', '+ x'].join('\n'),
    )
  })

  it('shows what was not run', () => {
    expect(compareRuns([step('a')], [])).to.equal('$ kubectl get cm\n  was not run')
  })

  it('finds lines that were put in', () => {
    expect(differingLines('a\nc', 'a\nb\nc\nd')).to.deep.equal(['+ b', '+ d'])
  })
})
