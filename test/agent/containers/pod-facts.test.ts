import { expect } from 'chai'
import { chosenLabels, workloadOf } from '../../../src/agent/containers/pod-facts.ts'
import type { Workload } from '../../../src/audit/enrich/snapshot.ts'

describe('the workload of a pod', () => {
  const long = 'a'.repeat(50)
  const rows: { what: string; pod: string; labels: Record<string, string>; workload: Workload | undefined }[] = [
    {
      what: 'a Deployment',
      pod: 'demo-1-5bccf6777c-c8lzr',
      labels: { app: 'demo', 'pod-template-hash': '5bccf6777c' },
      workload: { kind: 'Deployment', name: 'demo-1' },
    },
    {
      what: 'a StatefulSet',
      pod: 'db-0',
      labels: {
        'statefulset.kubernetes.io/pod-name': 'db-0',
        'apps.kubernetes.io/pod-index': '0',
        'controller-revision-hash': 'db-5c9d8b7f4',
      },
      workload: { kind: 'StatefulSet', name: 'db' },
    },
    {
      what: 'a DaemonSet',
      pod: 'node-exporter-x2kvp',
      labels: { 'controller-revision-hash': '7d4b9c6f5', 'pod-template-generation': '3' },
      workload: { kind: 'DaemonSet', name: 'node-exporter' },
    },
    {
      what: 'a Job',
      pod: 'backup-28391-bq6z4',
      labels: { 'batch.kubernetes.io/job-name': 'backup-28391', 'job-name': 'backup-28391' },
      workload: { kind: 'Job', name: 'backup-28391' },
    },
    { what: 'none, for a pod of its own', pod: 'web', labels: { app: 'web' }, workload: undefined },
    {
      what: 'none, for a pod whose name does not have its hash',
      pod: 'victim-5bccf6777c',
      labels: { 'pod-template-hash': '5bccf6777c' },
      workload: undefined,
    },
    {
      what: 'none, where the label is no hash but a pattern',
      pod: 'victim-5bccf6777c-c8lzr',
      labels: { 'pod-template-hash': '.*' },
      workload: undefined,
    },
    {
      what: 'none, where the API server cut the name',
      pod: `${long}-5bccf67c8lzrx`.padEnd(63, 'x'),
      labels: { 'controller-revision-hash': '7d4b9c6f5', 'pod-template-generation': '3' },
      workload: undefined,
    },
    {
      what: 'none, for a pod that only says another one’s name',
      pod: 'web-0',
      labels: { 'statefulset.kubernetes.io/pod-name': 'db-0' },
      workload: undefined,
    },
    { what: 'none, for a Job of another name', pod: 'web-1', labels: { 'job-name': 'backup' }, workload: undefined },
  ]
  for (const { what, pod, labels, workload } of rows)
    it(`is ${what}`, () => {
      expect(workloadOf(pod, labels)).to.deep.equal(workload)
    })
})

describe('the labels of a pod in a line', () => {
  const labels = { team: 'a', app: 'web', 'pod-template-hash': '1' }
  const rows: { what: string; choice: string[] | 'all'; chosen: object }[] = [
    { what: 'none', choice: [], chosen: {} },
    {
      what: 'those that are asked for',
      choice: ['team', 'app', 'none'],
      chosen: { podLabels: { app: 'web', team: 'a' } },
    },
    { what: 'all', choice: 'all', chosen: { podLabels: labels } },
  ]
  for (const { what, choice, chosen } of rows)
    it(`are ${what}`, () => {
      expect(chosenLabels(labels, choice)).to.deep.equal(chosen)
    })

  it('have a bound in number and in size, and say so', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${String(i).padStart(3, '0')}`, 'v']))
    const chosen = chosenLabels(many, 'all')
    expect(Object.keys(chosen.podLabels!)).to.deep.equal(Object.keys(many).slice(0, 32))
    expect(chosen.podLabelsCut).to.equal(true)
    const large = { a: 'x'.repeat(2000), b: 'y'.repeat(2000) }
    expect(chosenLabels(large, 'all')).to.deep.equal({ podLabels: { a: large.a }, podLabelsCut: true })
  })
})
