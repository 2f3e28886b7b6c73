import { expect } from 'chai'
import { issueText } from '../../../src/sandbox/api-server/field-issue.ts'
import { decodeBuiltIn, defaultBuiltIn, validateBuiltIn } from '../../../src/sandbox/api-server/schema/built-in.ts'
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
    decodeBuiltIn(apiVersion, kind, body)
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
      ['a number for a text', { spec: { containers: [{ name: 1 }] } }, 'spec.containers[0].name: must be string'],
      ['a text for an object', { spec: 'x' }, 'spec: must be object'],
      ['an object for a list', { spec: { containers: {} } }, 'spec.containers: must be array'],
      ['a number for a label', { metadata: { labels: { a: 1 } } }, 'metadata.labels.a: must be string'],
      ['a fraction for an integer', { spec: { priority: 1.5 } }, 'spec.priority: must be integer'],
      ['a number beyond its size', { spec: { priority: 2 ** 31 + 1 } }, 'spec.priority: must match format "int32"'],
      ['a text for a truth', { spec: { hostNetwork: 'yes' } }, 'spec.hostNetwork: must be boolean'],
      [
        'what is no quantity',
        { spec: { containers: [{ resources: { limits: { cpu: 'much' } } }] } },
        'spec.containers[0].resources.limits.cpu: must match format "quantity"',
      ],
    ]
    for (const [title, body, text] of rows)
      it(`refuses ${title}`, () => expect(problem('Pod', body)).to.equal(Pod + text))

    it('names unknown fields with their places', () => {
      const body = { spec: { foo: 1, containers: [{ name: 'c' }, { bar: 2 }] } }
      expect(decodeBuiltIn('v1', 'Pod', body).problems).to.deep.equal([
        'unknown field "spec.foo"',
        'unknown field "spec.containers[1].bar"',
      ])
    })

    it('drops what is unknown, null or empty', () => {
      const body = { metadata: { name: 'x', labels: {}, annotations: null }, data: { a: null, b: '1' }, foo: 1 }
      expect(decodeBuiltIn('v1', 'ConfigMap', body).object).to.deep.equal({
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
    const hook = {
      name: 'a.b.c',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: 'https://x' },
    }
    const webhook = (more: JsonObject) =>
      object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [{ ...hook, ...more }] })
    const roleRef = { kind: 'Role', name: 'r' }
    const seccomp = (profile: JsonObject) => pod({ securityContext: { seccompProfile: profile } })
    const profile = 'spec.securityContext.seccompProfile.localhostProfile'

    const rows: [string, JsonObject, string[]][] = [
      ['nothing', pod({}), []],
      ['no containers', pod({ containers: [] }), ['spec.containers: Required value']],
      [
        'a container without a name',
        pod({ containers: [{ image: 'nginx' }] }),
        ['spec.containers[0].name: Required value'],
      ],
      [
        'two containers of one name',
        pod({ containers: [container, container] }),
        ['spec.containers[1].name: Duplicate value: "c"'],
      ],
      [
        'an unknown restart policy',
        pod({ restartPolicy: 'Sometimes' }),
        ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
      ],
      [
        'a local profile without a name',
        seccomp({ type: 'Localhost' }),
        [`${profile}: Required value: must be set when type is Localhost`],
      ],
      [
        'a profile that climbs',
        seccomp({ type: 'Localhost', localhostProfile: '../x' }),
        [`${profile}: Invalid value: "../x": must not contain '..'`],
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
        'labels that the selector does not choose',
        deployment({ selector: { matchLabels: { a: 'c' } } }),
        ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
      ],
      [
        'negative replicas',
        deployment({ replicas: -1 }),
        ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
      ],
      [
        'a bad config key',
        object('v1', 'ConfigMap', { data: { 'a b': '' } }),
        [
          "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ],
      ],
      [
        'a role binding without a name',
        object('rbac.authorization.k8s.io/v1', 'RoleBinding', { roleRef: { ...roleRef, name: '' } }),
        ['roleRef.name: Required value'],
      ],
      [
        'a webhook that does not say its side effects',
        webhook({ sideEffects: undefined as never }),
        ['webhooks[0].sideEffects: Required value'],
      ],
      [
        'a webhook that waits too long',
        webhook({ timeoutSeconds: 31 }),
        ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
      ],
      [
        'a webhook on a bare connection',
        webhook({ clientConfig: { url: 'http://x' } }),
        ['webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme'],
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
    })
  })
})
