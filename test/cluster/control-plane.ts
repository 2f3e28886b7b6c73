import type { Binaries } from './binaries/build.ts'

/** Addresses and files of the servers of one control plane. */
export interface ControlPlane {
  binaries: Binaries
  /** Folder of etcd's data. */
  data: string
  /** Path of a file of the cluster's PKI: `pki('ca.crt')`. */
  pki: (file: string) => string
  /** Path of a component's own kubeconfig. */
  kubeconfig: (user: string) => string
  /** Path of the audit log of service accounts' requests to the API server, and path of its policy (`audit-log.ts`). */
  audit: { policy: string; log: string }
  /** Path of the configuration that tells the API server which certificate to show to webhooks. */
  admission: string
  /** The API server's address for nodes. */
  address: string
  /** The API server's address for nodes outside of this machine's network; undefined without such nodes. */
  outsideAddress: string | undefined
  ports: { etcd: number; peer: number; api: number; controllerManager: number; scheduler: number; kwok: number }
}

export const serviceNetwork = '10.96.0.0/16'
export const serviceAddress = '10.96.0.1'
export const clusterDomain = 'cluster.local'
export const issuer = `https://kubernetes.default.svc.${clusterDomain}`
export const fakeNodeAnnotation = 'kwok.x-k8s.io/node=fake'

type Flags = Record<string, string | number | boolean>

const command = (program: string, flags: Flags): string[] => [
  program,
  ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
]

export const etcdUrl = ({ ports }: ControlPlane): string => `http://127.0.0.1:${ports.etcd}`

export function etcdCommand(plane: ControlPlane): string[] {
  const peer = `http://127.0.0.1:${plane.ports.peer}`
  return command(plane.binaries.etcd, {
    name: 'etcd',
    'data-dir': plane.data,
    'listen-client-urls': etcdUrl(plane),
    'advertise-client-urls': etcdUrl(plane),
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `etcd=${peer}`,
    'log-level': 'warn',
    // The data must survive a killed process, but not a power failure.
    'unsafe-no-fsync': true,
  })
}

export function apiServerCommand(plane: ControlPlane): string[] {
  const { address, audit, outsideAddress, pki } = plane
  const advertised = outsideAddress ?? address
  return command(plane.binaries['kube-apiserver'], {
    'etcd-servers': etcdUrl(plane),
    'bind-address': address,
    'advertise-address': advertised,
    'secure-port': plane.ports.api,
    // An endpoint of the Service `kubernetes` cannot be a loopback address.
    'endpoint-reconciler-type': advertised.startsWith('127.') ? 'none' : 'lease',
    'service-cluster-ip-range': serviceNetwork,
    'allow-privileged': true,
    'tls-cert-file': pki('server.crt'),
    'tls-private-key-file': pki('server.key'),
    'client-ca-file': pki('ca.crt'),
    'authorization-mode': 'Node,RBAC',
    'anonymous-auth': true,
    'service-account-issuer': issuer,
    'service-account-key-file': pki('tokens.pub'),
    'service-account-signing-key-file': pki('tokens.key'),
    'enable-admission-plugins': 'NodeRestriction',
    'admission-control-config-file': plane.admission,
    'audit-policy-file': audit.policy,
    'audit-log-path': audit.log,
    'kubelet-client-certificate': pki('kubelet-client.crt'),
    'kubelet-client-key': pki('kubelet-client.key'),
    'kubelet-certificate-authority': pki('ca.crt'),
    // An outside node's address belongs to a network that this machine does not reach; its name resolves to this
    // machine.
    'kubelet-preferred-address-types': outsideAddress === undefined ? 'InternalIP' : 'Hostname',
    // The API server then calls webhooks of a Service at the Service's endpoints, so this machine needs no kube-proxy.
    'enable-aggregator-routing': true,
    profiling: false,
  })
}

/**
 * The file that the API server's flag names, as in docs/security.md.
 * @param kubeconfig kubeconfig whose user the API server shows to all webhooks
 */
export const admissionConfiguration = (kubeconfig: string): object => ({
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook'].map((name) => ({
    name,
    configuration: {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'WebhookAdmissionConfiguration',
      kubeConfigFile: kubeconfig,
    },
  })),
})

/** The default limits (20 and 50 requests per second) would dominate every test. */
const unhurried = { 'kube-api-qps': 500, 'kube-api-burst': 1000 }

const delegating = (plane: ControlPlane, user: string, port: number): Flags => ({
  kubeconfig: plane.kubeconfig(user),
  'authentication-kubeconfig': plane.kubeconfig(user),
  'authorization-kubeconfig': plane.kubeconfig(user),
  'bind-address': '127.0.0.1',
  'secure-port': port,
  'tls-cert-file': plane.pki('server.crt'),
  'tls-private-key-file': plane.pki('server.key'),
  // Only one instance of each runs; after a crash a lease would delay the next instance by 15 s.
  'leader-elect': false,
  profiling: false,
  ...unhurried,
})

export function controllerManagerCommand(plane: ControlPlane): string[] {
  return command(plane.binaries['kube-controller-manager'], {
    ...delegating(plane, 'controller-manager', plane.ports.controllerManager),
    'use-service-account-credentials': true,
    'service-account-private-key-file': plane.pki('tokens.key'),
    'root-ca-file': plane.pki('ca.crt'),
    'client-ca-file': plane.pki('ca.crt'),
    'cluster-signing-cert-file': plane.pki('ca.crt'),
    'cluster-signing-key-file': plane.pki('ca.key'),
  })
}

export const schedulerCommand = (plane: ControlPlane): string[] =>
  command(plane.binaries['kube-scheduler'], delegating(plane, 'scheduler', plane.ports.scheduler))

export function kwokCommand(plane: ControlPlane): string[] {
  return command(plane.binaries.kwok, {
    kubeconfig: plane.kubeconfig('admin'),
    'manage-all-nodes': false,
    'manage-nodes-with-annotation-selector': fakeNodeAnnotation,
    config: plane.binaries.kwokStages,
    // kwok renews leases after a quarter of the duration. Without leases all nodes are lost every 50 s, and their pods
    // are not ready afterwards.
    'node-lease-duration-seconds': 120,
    'server-address': `127.0.0.1:${plane.ports.kwok}`,
  })
}
