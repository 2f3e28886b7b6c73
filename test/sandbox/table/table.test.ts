import { expect } from 'chai'
import type { JsonObject, JsonValue } from '../../../src/sandbox/api-server/schema/json.ts'
import {
  customResourceLayout,
  type PrinterColumn,
} from '../../../src/sandbox/api-server/table/custom-resource-layout.ts'
import { humanDuration } from '../../../src/sandbox/api-server/table/human-duration.ts'
import { compileJsonPath } from '../../../src/sandbox/api-server/table/json-path.ts'
import { builtInLayout } from '../../../src/sandbox/api-server/table/layouts.ts'
import { toTable } from '../../../src/sandbox/api-server/table/table.ts'

const now = Date.parse('2026-01-02T00:00:00Z')
const metadata = { name: 'x', creationTimestamp: '2026-01-01T23:50:00Z' }
const cells = (apiVersion: string, kind: string, object: JsonObject): JsonValue[] =>
  builtInLayout(apiVersion, kind).cells({ apiVersion, kind, metadata, ...object }, now)

describe('sandbox/table', () => {
  const spans: [number, string][] = [
    [-3, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [125, '2m5s'],
    [599, '9m59s'],
    [600, '10m'],
    [3 * 3600 - 1, '179m'],
    [3 * 3600, '3h'],
    [3 * 3600 + 60, '3h1m'],
    [8 * 3600, '8h'],
    [47 * 3600, '47h'],
    [48 * 3600, '2d'],
    [49 * 3600, '2d1h'],
    [8 * 86400, '8d'],
    [729 * 86400, '729d'],
    [730 * 86400, '2y'],
    [731 * 86400, '2y1d'],
    [8 * 365 * 86400 + 86400, '8y'],
  ]
  for (const [seconds, text] of spans)
    it(`shows ${seconds} s as ${text}`, () => expect(humanDuration(seconds * 1000)).to.equal(text))

  describe('pods', () => {
    const two = { containers: [{ name: 'a' }, { name: 'b' }] }
    const running = { ready: true, state: { running: {} } }
    const rows: [string, JsonObject, JsonValue[]][] = [
      ['a new one', { spec: two, status: { phase: 'Pending' } }, ['0/2', 'Pending', '0']],
      [
        'one that runs',
        { spec: two, status: { phase: 'Running', containerStatuses: [running, running] } },
        ['2/2', 'Running', '0'],
      ],
      [
        'one that crashes',
        {
          spec: two,
          status: {
            phase: 'Running',
            containerStatuses: [
              {
                restartCount: 3,
                state: { waiting: { reason: 'CrashLoopBackOff' } },
                lastState: { terminated: { finishedAt: '2026-01-01T23:59:00Z' } },
              },
              running,
            ],
          },
        },
        ['1/2', 'CrashLoopBackOff', '3 (60s ago)'],
      ],
      [
        'one that failed',
        { spec: two, status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 2 } } }] } },
        ['0/2', 'ExitCode:2', '0'],
      ],
      [
        'one that a signal ended',
        {
          spec: two,
          status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 137, signal: 9 } } }] },
        },
        ['0/2', 'Signal:9', '0'],
      ],
      [
        'one whose first container is done',
        {
          spec: two,
          status: {
            phase: 'Running',
            conditions: [{ type: 'Ready', status: 'True' }],
            containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }, running],
          },
        },
        ['1/2', 'Running', '0'],
      ],
      [
        'one that initializes',
        {
          spec: { ...two, initContainers: [{ name: 'i' }, { name: 'j' }] },
          status: {
            phase: 'Pending',
            initContainerStatuses: [
              { name: 'i', state: { terminated: { exitCode: 0 } } },
              { name: 'j', state: { running: {} } },
            ],
          },
        },
        ['0/2', 'Init:1/2', '0'],
      ],
      [
        'one whose init container fails',
        {
          spec: { ...two, initContainers: [{ name: 'i' }] },
          status: {
            phase: 'Pending',
            initContainerStatuses: [
              { name: 'i', restartCount: 1, state: { terminated: { exitCode: 1, reason: 'Error' } } },
            ],
          },
        },
        ['0/2', 'Init:Error', '1'],
      ],
      [
        'one with a sidecar',
        {
          spec: { ...two, initContainers: [{ name: 's', restartPolicy: 'Always' }] },
          status: {
            phase: 'Running',
            initContainerStatuses: [{ name: 's', started: true, ...running }],
            containerStatuses: [running, running],
          },
        },
        ['3/3', 'Running', '0'],
      ],
      [
        'one that is being deleted',
        {
          metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:30Z' },
          spec: two,
          status: { phase: 'Running', containerStatuses: [running] },
        },
        ['1/2', 'Terminating', '0'],
      ],
    ]
    for (const [title, pod, wanted] of rows)
      it(`show ${title}`, () => expect(cells('v1', 'Pod', pod).slice(1, 4)).to.deep.equal(wanted))

    it('show where they are with -o wide', () => {
      const pod = {
        spec: { ...two, nodeName: 'n', readinessGates: [{ conditionType: 'g' }] },
        status: { podIPs: [{ ip: '1.2.3.4' }], conditions: [{ type: 'g', status: 'True' }] },
      }
      expect(cells('v1', 'Pod', pod).slice(4)).to.deep.equal(['10m', '1.2.3.4', 'n', '<none>', '1/1'])
      const names = builtInLayout('v1', 'Pod').columns.map(({ name, priority }) => [name, priority])
      expect(names).to.deep.equal([
        ['Name', 0],
        ['Ready', 0],
        ['Status', 0],
        ['Restarts', 0],
        ['Age', 0],
        ['IP', 1],
        ['Node', 1],
        ['Nominated Node', 1],
        ['Readiness Gates', 1],
      ])
    })

    it('say that they completed', () => {
      const table = toTable(builtInLayout('v1', 'Pod'), [{ metadata, status: { phase: 'Succeeded' } }], {
        now,
        includeObject: 'None',
        metadata: {},
      })
      expect((table.rows as JsonObject[])[0]?.conditions).to.deep.equal([
        { type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' },
      ])
    })
  })

  const template = {
    spec: {
      containers: [
        { name: 'a', image: 'i:1' },
        { name: 'b', image: 'i:2' },
      ],
    },
  }
  const selector = {
    matchLabels: { b: '2', a: '1' },
    matchExpressions: [{ key: 'c', operator: 'In', values: ['y', 'x'] }],
  }
  const selected = 'a=1,b=2,c in (x,y)'
  const kinds: [string, string, JsonObject, JsonValue[]][] = [
    [
      'apps/v1',
      'Deployment',
      {
        spec: { replicas: 3, selector, template },
        status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 },
      },
      ['x', '2/3', 3, 1, '10m', 'a,b', 'i:1,i:2', selected],
    ],
    [
      'apps/v1',
      'ReplicaSet',
      { spec: { replicas: 3, selector, template }, status: { replicas: 2, readyReplicas: 1 } },
      ['x', 3, 2, 1, '10m', 'a,b', 'i:1,i:2', selected],
    ],
    ['apps/v1', 'StatefulSet', { spec: { replicas: 2, template } }, ['x', '0/2', '10m', 'a,b', 'i:1,i:2']],
    [
      'apps/v1',
      'DaemonSet',
      {
        spec: { selector: {}, template: { spec: { ...template.spec, nodeSelector: { os: 'linux' } } } },
        status: { desiredNumberScheduled: 5, numberReady: 4 },
      },
      ['x', 5, 0, 4, 0, 0, 'os=linux', '10m', 'a,b', 'i:1,i:2', '<none>'],
    ],
    [
      'v1',
      'Service',
      {
        spec: {
          type: 'NodePort',
          clusterIPs: ['10.0.0.1'],
          ports: [
            { port: 80, nodePort: 30000, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
          selector: { a: '1' },
        },
      },
      ['x', 'NodePort', '10.0.0.1', '<none>', '80:30000/TCP,53/UDP', '10m', 'a=1'],
    ],
    [
      'v1',
      'Service',
      { spec: { type: 'LoadBalancer' } },
      ['x', 'LoadBalancer', '<none>', '<pending>', '<none>', '10m', '<none>'],
    ],
    [
      'v1',
      'Node',
      {
        metadata: { ...metadata, labels: { 'node-role.kubernetes.io/control-plane': '' } },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          addresses: [{ type: 'InternalIP', address: '1.1.1.1' }],
          nodeInfo: {
            kubeletVersion: 'v1.37.2',
            osImage: 'Debian',
            kernelVersion: '6.1',
            architecture: 'amd64',
            containerRuntimeVersion: 'containerd://2',
          },
        },
      },
      [
        'x',
        'Ready,SchedulingDisabled',
        'control-plane',
        '10m',
        'v1.37.2',
        '1.1.1.1',
        '<none>',
        'Debian',
        '6.1 (amd64)',
        'containerd://2',
      ],
    ],
    ['v1', 'Namespace', { status: { phase: 'Active' } }, ['x', 'Active', '10m']],
    ['v1', 'ConfigMap', { data: { a: '1' }, binaryData: { b: '' } }, ['x', 2, '10m']],
    ['v1', 'Secret', { type: 'Opaque', data: { a: '' } }, ['x', 'Opaque', 1, '10m']],
    ['v1', 'ServiceAccount', {}, ['x', '10m']],
    [
      'v1',
      'Event',
      {
        lastTimestamp: '2026-01-01T23:59:00Z',
        firstTimestamp: '2026-01-01T23:00:00Z',
        count: 4,
        type: 'Normal',
        reason: 'R',
        message: ' m ',
        involvedObject: { kind: 'Pod', name: 'p' },
        source: { component: 'c', host: 'h' },
      },
      ['60s', 'Normal', 'R', 'pod/p', '', 'c, h', 'm', '60m', 4, 'x'],
    ],
    ['coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'me' } }, ['x', 'me', '10m']],
    [
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      {
        spec: {
          group: 'x.io',
          scope: 'Namespaced',
          names: { kind: 'Foo', shortNames: ['f', 'fo'] },
          versions: [{ name: 'v1', served: true, storage: true }, { name: 'v0', served: true }, { name: 'v2' }],
        },
        status: { conditions: [{ type: 'Established', status: 'True' }] },
      },
      ['x', 'Namespaced', 'v0,v1(storage)', '2026-01-01T23:50:00Z', 'x.io', 'Foo', 'f,fo', true],
    ],
    ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', { webhooks: [{}] }, ['x', 1, '10m']],
    ['unknown/v1', 'Thing', {}, ['x', '10m']],
  ]
  for (const [apiVersion, kind, object, wanted] of kinds)
    it(`shows ${apiVersion} ${kind}`, () => {
      expect(cells(apiVersion, kind, object)).to.deep.equal(wanted)
      expect(builtInLayout(apiVersion, kind).columns).to.have.length(wanted.length)
    })

  it('gives rows the object, its metadata, or nothing', () => {
    const table = (includeObject: 'None' | 'Metadata' | 'Object') =>
      toTable(builtInLayout('v1', 'ServiceAccount'), [{ metadata, secrets: [] }], {
        now,
        includeObject,
        metadata: { resourceVersion: '5' },
      })
    expect(table('Metadata')).to.deep.include({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '5' },
    })
    expect(table('Metadata').rows).to.deep.equal([
      { cells: ['x', '10m'], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } },
    ])
    expect(table('None').rows).to.deep.equal([{ cells: ['x', '10m'], object: null }])
    expect(table('Object').rows).to.deep.equal([{ cells: ['x', '10m'], object: { metadata, secrets: [] } }])
  })

  describe('custom resources', () => {
    const column = (type: string, jsonPath: string, more: Partial<PrinterColumn> = {}): PrinterColumn => ({
      name: 'C',
      type,
      jsonPath,
      ...more,
    })
    const object: JsonObject = {
      metadata,
      spec: { n: 3, f: 1.5, b: true, s: 'text', o: { b: 2, a: 1 }, l: ['p', 'q'], 'a.b': 'dotted' },
      status: {
        conditions: [
          { type: 'A', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
        at: 'never',
      },
    }
    const rows: [PrinterColumn, JsonValue][] = [
      [column('integer', '.spec.n'), 3],
      [column('integer', '.spec.f'), 1],
      [column('number', '.spec.f'), 1.5],
      [column('boolean', '.spec.b'), true],
      [column('string', '.spec.s'), 'text'],
      [column('string', '.spec.n'), '3'],
      [column('string', '.spec.o'), '{"a":1,"b":2}'],
      [column('string', '.spec.l[1]'), 'q'],
      [column('string', '.spec.l[*]'), 'p'],
      [column('string', '.spec.a\\.b'), 'dotted'],
      [column('string', ".spec['a.b']"), 'dotted'],
      [column('string', '.status.conditions[?(@.type=="Ready")].status'), 'True'],
      [column('string', ".status.conditions[?(@.type=='Lost')].status"), null],
      [column('string', '.spec.missing.deeper'), null],
      [column('integer', '.spec.s'), null],
      [column('date', '.metadata.creationTimestamp'), '10m'],
      [column('date', '.status.at'), '<invalid>'],
      [column('date', '.status.none'), null],
    ]
    for (const [printer, wanted] of rows)
      it(`show ${printer.type} ${printer.jsonPath}`, () => {
        expect(customResourceLayout([printer]).cells(object, now)).to.deep.equal(['x', wanted])
      })

    it('show their age when they have no columns', () => {
      for (const none of [undefined, []]) {
        expect(customResourceLayout(none).columns.map(({ name, type }) => [name, type])).to.deep.equal([
          ['Name', 'string'],
          ['Age', 'date'],
        ])
        expect(customResourceLayout(none).cells(object, now)).to.deep.equal(['x', '10m'])
      }
    })

    it('describe a column by its path when the CRD does not', () => {
      const { columns } = customResourceLayout([column('string', '.spec.s', { priority: 1 })])
      expect(columns[1]).to.deep.equal({
        name: 'C',
        type: 'string',
        format: '',
        priority: 1,
        description: 'Custom resource definition column (in JSONPath format): .spec.s',
      })
    })

    it('have no cell for a path that is none', () => expect(compileJsonPath('.a[')).to.equal(undefined))
  })
})
