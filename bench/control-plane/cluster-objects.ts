import { apiVersion } from '../../src/api/schema/common.ts'
import type { ArmorProfile, VarmorPolicy } from '../../src/api/types.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { defineResource } from '../../src/kube/resources.ts'
import { fakeNodeAnnotation } from '../../test/cluster/control-plane.ts'

export const pods = defineResource({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

/** Number of namespaces over which policies are spread. */
export const NAMESPACES = 50

export const namespaceOf = (serial: number): string => `team-${serial % NAMESPACES}`

/** A typical user's policy: a few built-in rules, for one application of the namespace. */
export const benchPolicy = (serial: number, spec: Partial<VarmorPolicy['spec']> = {}): VarmorPolicy & KubeObject =>
  ({
    apiVersion,
    kind: 'VarmorPolicy',
    metadata: { name: `policy-${serial}`, namespace: namespaceOf(serial) },
    spec: {
      target: { kind: 'Deployment', selector: { matchLabels: { app: `app-${serial}` } } },
      policy: {
        enforcer: 'AppArmorSeccomp',
        mode: 'EnhanceProtect',
        enhanceProtect: {
          hardeningRules: ['disallow-umount', 'disallow-create-user-ns'],
          attackProtectionRules: [{ rules: ['mitigate-sa-leak'] }],
        },
      },
      ...spec,
    },
  }) as VarmorPolicy & KubeObject

/** A node that kwok keeps ready. */
export function fakeNode(name: string): KubeObject {
  const [annotation, value] = fakeNodeAnnotation.split('=') as [string, string]
  const capacity = { cpu: '64', memory: '256Gi', pods: '1000' }
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' }
  const node = {
    metadata: { name, labels, annotations: { [annotation]: value } },
    status: { capacity, allocatable: capacity },
  }
  return node as KubeObject
}

export function deployment(name: string, namespace: string, replicas: number): KubeObject {
  const labels = { app: name, 'sandbox.varmor.org/enable': 'true' }
  const spec = {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'registry.example.com/web:1' }] } },
  }
  return { metadata: { name, namespace, labels }, spec } as KubeObject
}

export const isLoadedEverywhere = (nodes: number, { metadata, status }: ArmorProfile): boolean =>
  status?.observedGeneration === metadata.generation && status?.currentNumberLoaded === nodes
