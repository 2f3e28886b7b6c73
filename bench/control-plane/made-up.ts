import { apiVersion } from '../../src/api/schema/common.ts'
import type { VarmorPolicy } from '../../src/api/types.ts'

const created = Date.UTC(2026, 0, 1)

export function madeUpPolicy(i: number): VarmorPolicy {
  return {
    apiVersion,
    kind: 'VarmorPolicy',
    metadata: { name: `policy-${i}`, namespace: 'demo', creationTimestamp: new Date(created + i * 1000).toISOString() },
    spec: {
      target: { kind: 'Deployment', selector: { matchLabels: { environment: 'production', app: `app-${i}` } } },
      policy: {
        enforcer: 'AppArmorBPFSeccomp',
        mode: 'EnhanceProtect',
        enhanceProtect: { hardeningRules: ['disallow-umount'] },
      },
    },
  } as VarmorPolicy
}

const container = (name: string) => ({
  name,
  image: `registry.example.com/team/${name}:1.2.3`,
  ports: [{ containerPort: 8080, protocol: 'TCP', name: 'http' }],
  env: Array.from({ length: 8 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}` })),
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '256Mi' } },
  volumeMounts: [{ name: 'config', mountPath: '/etc/app', readOnly: true }],
  livenessProbe: { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10 },
  securityContext: { runAsNonRoot: true, allowPrivilegeEscalation: false },
  terminationMessagePath: '/dev/termination-log',
  imagePullPolicy: 'IfNotPresent',
})

/** A review of a Deployment with three containers, about 4 KB, as an API server sends it. */
export function madeUpReview(app: string): Buffer {
  const labels = { app, environment: 'production', team: 'payments', 'sandbox.varmor.org/enable': 'true' }
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: 'demo', labels, annotations: { owner: 'payments' }, creationTimestamp: null },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels, creationTimestamp: null },
        spec: {
          containers: ['web', 'cache', 'log'].map(container),
          volumes: [{ name: 'config', configMap: { name: 'config', defaultMode: 420 } }],
          restartPolicy: 'Always',
          dnsPolicy: 'ClusterFirst',
          schedulerName: 'default-scheduler',
        },
      },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    },
    status: {},
  }
  const request = {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    requestKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    requestResource: { group: 'apps', version: 'v1', resource: 'deployments' },
    name: app,
    namespace: 'demo',
    operation: 'CREATE',
    userInfo: { username: 'somebody', groups: ['system:authenticated'] },
    object,
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
  }
  return Buffer.from(JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request }))
}
