import { type ApiContext, timestamp } from './context.ts'
import type { KubeObject } from './kube-object.ts'

/** The first address of the service range. */
export const kubernetesServiceAddress = '10.96.0.1'

/** Fills a store with the initial objects of every cluster. Existing objects stay. */
export function bootstrap(context: ApiContext): void {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    ensure(context, '/namespaces', namespace(name))
  ensure(context, '/services', kubernetesService)
}

function ensure({ store, uuid, clock }: ApiContext, storage: string, object: KubeObject): void {
  const { name, namespace = '' } = object.metadata
  if (store.get(storage, namespace, name)) return
  const metadata = { ...object.metadata, uid: uuid(), creationTimestamp: timestamp(clock.now()) }
  store.create(storage, { ...object, metadata })
}

const namespace = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
})

const kubernetesService: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
  spec: {
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    clusterIP: kubernetesServiceAddress,
    clusterIPs: [kubernetesServiceAddress],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    internalTrafficPolicy: 'Cluster',
  },
  status: { loadBalancer: {} },
}
