import { expect } from 'chai'
import { issueText } from '../../../src/sandbox/api-server/field-issue.ts'
import {
  checkDecodable,
  defaultBuiltIn,
  keepKnownFields,
  validateBuiltIn,
} from '../../../src/sandbox/api-server/schema/built-in.ts'
import { builtInKinds } from '../../../src/sandbox/api-server/schema/built-in-kinds.ts'
import { at, clone, type JsonObject, objectOf } from '../../../src/sandbox/api-server/schema/json.ts'
import { ApiStatusError } from '../../../src/sandbox/api-server/status.ts'

const container = { name: 'c', image: 'nginx' }
const podSpec: JsonObject = { containers: [container] }
const template: JsonObject = { metadata: { labels: { a: 'b' } }, spec: podSpec }
const selected: JsonObject = { selector: { matchLabels: { a: 'b' } }, template }
const object = (apiVersion: string, kind: string, more: JsonObject, metadata: JsonObject = {}): JsonObject =>
  defaultBuiltIn(apiVersion, kind, {
    apiVersion,
    kind,
    metadata: { name: 'x', namespace: 'default', ...metadata },
    ...more,
  })
const pod = (spec: JsonObject, metadata: JsonObject = {}) =>
  object('v1', 'Pod', { spec: { ...podSpec, ...spec } }, metadata)
const deployment = (spec: JsonObject) => object('apps/v1', 'Deployment', { spec: { ...selected, ...spec } })
const issues = (checked: JsonObject, old?: JsonObject): string[] =>
  validateBuiltIn(String(checked.apiVersion), String(checked.kind), checked, old).map(issueText)

function problem(kind: string, body: JsonObject, apiVersion = 'v1'): string {
  try {
    checkDecodable(apiVersion, kind, body)
  } catch (error) {
    if (error instanceof ApiStatusError && error.status.code === 400) return error.message
    throw error
  }
  return ''
}

describe('sandbox/schema/built-in', () => {
  describe('decoding', () => {
    const Pod = 'Pod in version "v1" cannot be handled as a Pod: '
    const rows: [string, JsonObject, string][] = [
      [
        'a number for a text',
        { spec: { containers: [{ name: 1 }] } },
        `${Pod}json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string`,
      ],
      [
        'a text for a struct',
        { spec: 'x' },
        `${Pod}json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec`,
      ],
      [
        'an object for a list',
        { spec: { containers: {} } },
        `${Pod}json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container`,
      ],
      [
        'a number for a label',
        { metadata: { labels: { a: 1 } } },
        `${Pod}json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string`,
      ],
      [
        'a fraction for an integer',
        { spec: { priority: 1.5 } },
        `${Pod}json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32`,
      ],
      [
        'a text for a truth',
        { spec: { hostNetwork: 'yes' } },
        `${Pod}json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool`,
      ],
      [
        'a quantity',
        { spec: { containers: [{ resources: { limits: { cpu: 'much' } } }] } },
        `${Pod}quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
      ],
    ]
    for (const [title, body, text] of rows) it(`refuses ${title}`, () => expect(problem('Pod', body)).to.equal(text))

    it('names unknown fields with their places', () => {
      const body = { spec: { foo: 1, containers: [{ name: 'c' }, { bar: 2 }] } }
      expect(checkDecodable('v1', 'Pod', body)).to.deep.equal([
        'unknown field "spec.foo"',
        'unknown field "spec.containers[1].bar"',
      ])
    })

    it('keeps what the Go type keeps', () => {
      const body = { metadata: { name: 'x', labels: {}, annotations: null }, data: { a: null, b: '1' }, foo: 1 }
      expect(keepKnownFields('v1', 'ConfigMap', body)).to.deep.equal({
        metadata: { name: 'x' },
        data: { a: '', b: '1' },
      })
    })
  })

  describe('defaults', () => {
    it('of a deployment are those of kubectl get -o yaml', () => {
      const ports = [{ containerPort: 80 }]
      const livenessProbe = { httpGet: { port: 80 } }
      const full = deployment({
        template: {
          ...template,
          spec: {
            containers: [{ ...container, ports, livenessProbe }],
            volumes: [{ name: 'v' }, { name: 's', secret: { secretName: 's' } }],
          },
        },
      })
      expect(full.spec).to.deep.equal({
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: {
            containers: [
              {
                ...container,
                imagePullPolicy: 'Always',
                livenessProbe: {
                  failureThreshold: 3,
                  httpGet: { path: '/', port: 80, scheme: 'HTTP' },
                  periodSeconds: 10,
                  successThreshold: 1,
                  timeoutSeconds: 1,
                },
                ports: [{ containerPort: 80, protocol: 'TCP' }],
                resources: {},
                terminationMessagePath: '/dev/termination-log',
                terminationMessagePolicy: 'File',
              },
            ],
            dnsPolicy: 'ClusterFirst',
            restartPolicy: 'Always',
            schedulerName: 'default-scheduler',
            securityContext: {},
            terminationGracePeriodSeconds: 30,
            volumes: [
              { name: 'v', emptyDir: {} },
              { name: 's', secret: { secretName: 's', defaultMode: 420 } },
            ],
          },
        },
      })
      expect(full.status).to.deep.equal({})
    })

    const images: [string, string][] = [
      ['nginx', 'Always'],
      ['nginx:latest', 'Always'],
      ['nginx:1', 'IfNotPresent'],
      ['host:5000/nginx', 'Always'],
      ['host:5000/nginx:1', 'IfNotPresent'],
      [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
    ]
    for (const [image, policy] of images)
      it(`pull ${image} ${policy}`, () => {
        expect(at(pod({ containers: [{ name: 'c', image }] }), 'spec', 'containers', 0, 'imagePullPolicy')).to.equal(
          policy,
        )
      })

    const rows: [string, JsonObject, (string | number)[], unknown][] = [
      [
        'a secret is opaque, its text data encoded',
        object('v1', 'Secret', { stringData: { a: 'b' } }),
        ['data'],
        { a: 'Yg==' },
      ],
      ['a pod has service links', pod({}), ['spec', 'enableServiceLinks'], true],
      [
        'requests follow limits',
        pod({ containers: [{ ...container, resources: { limits: { cpu: '1' } } }] }),
        ['spec', 'containers', 0, 'resources', 'requests'],
        { cpu: '1' },
      ],
      [
        'a grace period of 0 stays',
        pod({ terminationGracePeriodSeconds: 0 }),
        ['spec', 'terminationGracePeriodSeconds'],
        0,
      ],
      [
        'a service port leads to itself',
        object('v1', 'Service', { spec: { ports: [{ port: 80 }] } }),
        ['spec', 'ports', 0],
        { port: 80, protocol: 'TCP', targetPort: 80 },
      ],
      [
        'a namespace carries its name',
        object('v1', 'Namespace', {}),
        ['metadata', 'labels'],
        { 'kubernetes.io/metadata.name': 'x' },
      ],
      ['a job runs once', object('batch/v1', 'Job', { spec: { template } }), ['spec', 'completions'], 1],
      [
        'a webhook fails closed',
        object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [{ name: 'a.b.c' }] }),
        ['webhooks', 0, 'failurePolicy'],
        'Fail',
      ],
      [
        'a binding is of RBAC',
        object('rbac.authorization.k8s.io/v1', 'RoleBinding', { subjects: [{ kind: 'User', name: 'u' }] }),
        ['subjects', 0, 'apiGroup'],
        'rbac.authorization.k8s.io',
      ],
    ]
    for (const [title, full, path, wanted] of rows) it(title, () => expect(at(full, ...path)).to.deep.equal(wanted))

    it('change nothing the second time, for every kind', () => {
      for (const { group, version, kind } of builtInKinds()) {
        const apiVersion = group === '' ? version : `${group}/${version}`
        const once = object(apiVersion, kind, { spec: {}, status: {} })
        expect(defaultBuiltIn(apiVersion, kind, once), `${apiVersion} ${kind}`).to.deep.equal(once)
      }
      const full = deployment({})
      expect(defaultBuiltIn('apps/v1', 'Deployment', full)).to.deep.equal(full)
    })
  })

  describe('mistakes', () => {
    const subdomain =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    const role = { verbs: ['get'], apiGroups: [''], resources: ['pods'] }
    const hook = {
      name: 'a.b.c',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: 'https://x' },
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    }
    const webhook = (more: JsonObject) =>
      object(
        'admissionregistration.k8s.io/v1',
        'ValidatingWebhookConfiguration',
        { webhooks: [{ ...hook, ...more }] },
        { namespace: undefined as never },
      )
    const rbac = (kind: string, more: JsonObject) =>
      object(
        'rbac.authorization.k8s.io/v1',
        kind,
        more,
        kind.startsWith('Cluster') ? { namespace: undefined as never } : {},
      )
    const roleRef = { kind: 'Role', name: 'r' }

    const rows: [string, JsonObject, string[]][] = [
      ['nothing', pod({}), []],
      ['a bad name', pod({}, { name: 'X_' }), [`metadata.name: Invalid value: "X_": ${subdomain}`]],
      ['no name', pod({}, { name: '' }), ['metadata.name: Required value: name or generateName is required']],
      [
        'a bad label',
        pod({}, { labels: { 'a/b/c': 'd' } }),
        [
          "metadata.labels: Invalid value: \"a/b/c\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        ],
      ],
      [
        'a bad label value',
        pod({}, { labels: { a: '-' } }),
        [
          "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ],
      ],
      ['no containers', pod({ containers: [] }), ['spec.containers: Required value']],
      [
        'a container without an image',
        pod({ containers: [{ name: 'c' }] }),
        ['spec.containers[0].image: Required value'],
      ],
      [
        'two containers of one name',
        pod({ containers: [container, container] }),
        ['spec.containers[1].name: Duplicate value: "c"'],
      ],
      [
        'a mount without a volume',
        pod({ containers: [{ ...container, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] }),
        ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
      ],
      [
        'a port that is none',
        pod({ containers: [{ ...container, ports: [{ containerPort: 70000 }] }] }),
        ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
      ],
      [
        'an unknown restart policy',
        pod({ restartPolicy: 'Sometimes' }),
        ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
      ],
      [
        'two volumes of one name',
        pod({ volumes: [{ name: 'v' }, { name: 'v' }] }),
        ['spec.volumes[1].name: Duplicate value: "v"'],
      ],
      [
        'a request above its limit',
        pod({ containers: [{ ...container, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] }),
        ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
      ],
      [
        'a probe of two kinds',
        pod({ containers: [{ ...container, livenessProbe: { exec: {}, tcpSocket: { port: 1 } } }] }),
        ['spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
      ],
      [
        'a deployment without a selector',
        deployment({ selector: undefined as never }),
        [
          'spec.selector: Required value',
          'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ],
      ],
      [
        'an empty selector',
        deployment({ selector: {} }),
        ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
      ],
      [
        'labels that the selector does not choose',
        deployment({ selector: { matchLabels: { a: 'c' } } }),
        ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
      ],
      [
        'a selector that cannot be read',
        deployment({ selector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }),
        [
          'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
          'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Is"}]}: invalid label selector',
        ],
      ],
      [
        'a job whose pods never end',
        object('batch/v1', 'Job', { spec: { template } }),
        ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
      ],
      [
        'negative replicas',
        deployment({ replicas: -1 }),
        ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
      ],
      [
        'parameters of another strategy',
        deployment({ strategy: { type: 'Recreate', rollingUpdate: {} } }),
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
      ],
      [
        'a template that ends',
        deployment({ template: { ...template, spec: { ...podSpec, restartPolicy: 'Never' } } }),
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
      ],
      ['a service without ports', object('v1', 'Service', {}), ['spec.ports: Required value']],
      [
        'service ports without names',
        object('v1', 'Service', { spec: { ports: [{ port: 1 }, { port: 2, name: 'b' }] } }),
        ['spec.ports[0].name: Required value'],
      ],
      [
        'a bad config key',
        object('v1', 'ConfigMap', { data: { 'a b': '' } }),
        [
          "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ],
      ],
      [
        'a TLS secret without a key',
        object('v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }),
        ['data[tls.key]: Required value'],
      ],
      [
        'a lease of no time',
        object('coordination.k8s.io/v1', 'Lease', { spec: { leaseDurationSeconds: 0 } }),
        ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
      ],
      ['a rule without verbs', rbac('Role', { rules: [{ ...role, verbs: [] }] }), ['rules[0].verbs: Required value']],
      [
        'URLs in a namespace',
        rbac('Role', { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }),
        ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
      ],
      [
        'a cluster binding to a role',
        rbac('ClusterRoleBinding', { roleRef }),
        ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
      ],
      [
        'a subject of an unknown kind',
        rbac('RoleBinding', { roleRef, subjects: [{ kind: 'Robot', name: 'r' }] }),
        ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
      ],
      [
        'a webhook with a short name',
        webhook({ name: 'a.b' }),
        ['webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
      ],
      [
        'a webhook that does not say its side effects',
        webhook({ sideEffects: undefined as never }),
        ['webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun'],
      ],
      [
        'a webhook without a client',
        webhook({ clientConfig: {} }),
        ['webhooks[0].clientConfig: Required value: exactly one of url or service is required'],
      ],
      [
        'a webhook that waits too long',
        webhook({ timeoutSeconds: 31 }),
        ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
      ],
    ]
    for (const [title, checked, wanted] of rows)
      it(title, () => expect(issues(JSON.parse(JSON.stringify(checked)))).to.deep.equal(wanted))

    const stored = (checked: JsonObject): JsonObject => ({
      ...checked,
      metadata: { ...objectOf(checked.metadata), uid: 'u', resourceVersion: '1' },
    })
    const changed = (checked: JsonObject, change: (spec: JsonObject) => void): JsonObject => {
      const copy = clone(checked)
      change(objectOf(copy.spec))
      return copy
    }

    it('an update cannot change what is fixed', () => {
      const old = stored(deployment({}))
      expect(issues({ ...old, metadata: { ...objectOf(old.metadata), uid: 'v' } }, old)).to.deep.equal([
        'metadata.uid: Invalid value: "v": field is immutable',
      ])
      const selector = { matchLabels: { a: 'b', c: 'd' } }
      const labels = changed(old, (spec) =>
        Object.assign(spec, {
          selector,
          template: { ...objectOf(spec.template), metadata: { labels: { a: 'b', c: 'd' } } },
        }),
      )
      expect(issues(labels, old)).to.deep.equal([
        'spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable',
      ])
      expect(issues({ ...old, metadata: { ...objectOf(old.metadata), resourceVersion: '' } }, old)).to.deep.equal([
        'metadata.resourceVersion: Invalid value: "": must be specified for an update',
      ])
    })

    it('a pod can change its image, and little else', () => {
      const old = stored(pod({}))
      expect(
        issues(
          changed(old, (spec) => Object.assign(objectOf((spec.containers as JsonObject[])[0]), { image: 'y' })),
          old,
        ),
      ).to.deep.equal([])
      expect(
        issues(
          changed(old, (spec) => Object.assign(spec, { hostNetwork: true })),
          old,
        )[0],
      ).to.match(/^spec: Forbidden: pod updates may not change fields other than/)
      expect(
        issues(
          changed(old, (spec) =>
            Object.assign(spec, {
              containers: [container, { ...container, name: 'd' }].map((c) => ({
                ...objectOf((spec.containers as JsonObject[])[0]),
                ...c,
              })),
            }),
          ),
          old,
        ),
      ).to.deep.equal(['spec.containers: Forbidden: pod updates may not add or remove containers'])
    })

    it('an immutable ConfigMap stays', () => {
      const old = stored(object('v1', 'ConfigMap', { data: { a: '1' }, immutable: true }))
      expect(issues({ ...old, data: { a: '2' } }, old)).to.deep.equal([
        'data: Forbidden: field is immutable when `immutable` is set',
      ])
    })

    it('no finalizer joins while an object is being deleted', () => {
      const old = stored(pod({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
      expect(issues({ ...old, metadata: { ...objectOf(old.metadata), finalizers: ['a.b/c'] } }, old)).to.deep.equal([
        'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/c"}',
      ])
    })
  })
})
