import type { Json } from './api.ts'

/** Small valid objects. The suite needs neither an image nor a node. */
export const image = 'docker.io/varmor/busybox:1'

export const configMap = (name: string, data: Record<string, string> = {}, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

const podSpec = (): Json => ({
  terminationGracePeriodSeconds: 0,
  automountServiceAccountToken: false,
  // No node has this name, so only the test changes the pod.
  nodeSelector: { 'suite.varmor.test/nowhere': 'true' },
  containers: [{ name: 'main', image, command: ['sleep', '3600'] }],
})

export const pod = (name: string, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: podSpec(),
})

export const deployment = (name: string, replicas = 1): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec() },
  },
})

export const service = (name: string): Json => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }] },
})

export const secret = (name: string): Json => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { password: 'abc' },
})

export const lease = (name: string): Json => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name },
  spec: { holderIdentity: 'me', leaseDurationSeconds: 15 },
})
