import type { Binaries } from './binaries/build.ts'

/** Where the servers of one control plane listen, and their files. */
export interface ControlPlane {
  binaries: Binaries
  /** Folder for the data of etcd. */
  data: string
  /** Path of a file of the cluster's PKI: `pki('ca.crt')`. */
  pki: (file: string) => string
  /** Path of a component's own kubeconfig. */
  kubeconfig: (user: string) => string
  /** The log of the service accounts' requests to the API server, and its rules (`audit-log.ts`). */
  audit: { policy: string; log: string }
  /** Which certificate the API server shows to webhooks. */
  admission: string
  /** Address of the API server, at which a node reaches it. */
  address: string
  /** Where nodes outside of this machine's network reach it, if there are any. */
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
    // The data has to survive a killed process, not a power cut.
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
    // The address of a node outside is one of a network that is not ours; its name is then one of this machine.
    'kubelet-preferred-address-types': outsideAddress === undefined ? 'InternalIP' : 'Hostname',
    // Webhooks behind a Service are then called at its endpoints, which needs no kube-proxy on this machine.
    'enable-aggregator-routing': true,
    profiling: false,
  })
}

/** For its file of that flag, as docs/security.md has it. @param kubeconfig whose user is for all webhooks */
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

/** The defaults (20 and 50 requests a second) would dominate every test. */
const unhurried = { 'kube-api-qps': 500, 'kube-api-burst': 1000 }

const delegating = (plane: ControlPlane, user: string, port: number): Flags => ({
  kubeconfig: plane.kubeconfig(user),
  'authentication-kubeconfig': plane.kubeconfig(user),
  'authorization-kubeconfig': plane.kubeconfig(user),
  'bind-address': '127.0.0.1',
  'secure-port': port,
  'tls-cert-file': plane.pki('server.crt'),
  'tls-private-key-file': plane.pki('server.key'),
  // There is one of each; after a crash a lease would keep the next one waiting for 15 s.
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
    // Renewed each quarter of it. Without leases all nodes are lost every 50 s, and their pods are not ready from then
    // on.
    'node-lease-duration-seconds': 120,
    'server-address': `127.0.0.1:${plane.ports.kwok}`,
  })
}
