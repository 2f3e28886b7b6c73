import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { WebhookServer } from '../api-suite/webhook-server.ts'
import { busyboxImage } from './binaries/images.ts'
import type { Cluster } from './cluster.ts'
import { describeCluster } from './describe-cluster.ts'
import { type Node, startNode } from './node.ts'
import { eventually } from './wait.ts'

const crds = join(import.meta.dirname, '..', '..', 'deploy', 'crds')

const pod = (name: string, node: string, script: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName: node,
    restartPolicy: 'Never',
    // A shell that is process 1 has no default reaction to SIGTERM.
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: busyboxImage, command: ['sh', '-c', script] }],
  },
})

const create = (cluster: Cluster, namespace: string, object: object): Promise<string> =>
  cluster.kubectl(['create', '--namespace', namespace, '-f', '-'], { input: JSON.stringify(object) })

const getPhase = (cluster: Cluster, namespace: string, name: string): Promise<string> =>
  cluster.kubectl(['get', 'pod', name, '--namespace', namespace, '-o', 'jsonpath={.status.phase}'])

/**
 * A Service without pods whose endpoint is this test's webhook server, and a webhook configuration that names the
 * Service.
 */
const behindService = ({ port, ca }: WebhookServer, address: string, namespace: string): object[] => [
  { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hook' }, spec: { ports: [{ port: 443, targetPort: port }] } },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'hook', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    ports: [{ name: '', port }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'hook' },
    webhooks: [
      {
        name: 'hook.varmor.test',
        clientConfig: {
          service: { namespace, name: 'hook', path: '/refuse' },
          caBundle: Buffer.from(ca).toString('base64'),
        },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
      },
    ],
  },
]

describeCluster('a control plane', (cluster) => {
  it('serves the version that was built', async () => {
    const { serverVersion, clientVersion } = parse(await cluster().kubectl(['version', '-o', 'json']))
    expect(serverVersion.gitVersion).to.equal(clientVersion.gitVersion)
    expect(`${serverVersion.major}.${serverVersion.minor}`).to.equal('1.37')
  })

  it('establishes the definitions of deploy/crds', async () => {
    await cluster().kubectl(['apply', '--server-side', '-f', crds])
    const wait = ['wait', '--for=condition=Established', '--timeout=120s', '-f', crds]
    expect((await cluster().kubectl(wait)).trim().split('\n')).to.have.length(4)
  })

  it('takes back a client of its own authority, with no rights', async () => {
    const client = await cluster().clientOf({ name: 'jane', organization: 'developers' })
    const { status, text } = await client.call('GET', '/api/v1/namespaces')
    await client.close()
    expect(status).to.equal(403)
    expect(JSON.parse(text).message).to.contain('User "jane" cannot list resource "namespaces"')
  })

  it('runs a deployment on nodes that kwok pretends', async () => {
    const namespace = 'fake-nodes'
    await cluster().addFakeNode('fake-1')
    await cluster().kubectl(['create', 'namespace', namespace])
    const at = ['--namespace', namespace]
    await cluster().kubectl([...at, 'create', 'deployment', 'web', '--image=none', '--replicas=20'])
    await cluster().kubectl([...at, 'rollout', 'status', 'deployment/web', '--timeout=120s'])
    const phases = await cluster().kubectl([...at, 'get', 'pods', '-o', 'jsonpath={.items[*].status.phase}'])
    expect(phases.split(' ')).to.deep.equal(Array(20).fill('Running'))
    await cluster().kubectl(['delete', 'namespace', namespace, '--wait=false'])
    await cluster().kubectl(['delete', 'node', 'fake-1'])
  })
})

describeCluster(
  'real nodes',
  (cluster) => {
    const namespace = 'real-nodes'
    let nodes: Node[]
    before(async () => {
      nodes = await Promise.all(['node-1', 'node-2'].map((name) => startNode(cluster(), name)))
      await cluster().kubectl(['create', 'namespace', namespace])
      const account = ['get', 'serviceaccount', 'default', '--namespace', namespace, '-o', 'name']
      await eventually('the ServiceAccount', async () => (await cluster().tryKubectl(account)).status === 0)
      await create(cluster(), namespace, pod('server', 'node-1', 'echo started; exec httpd -f -p 8080 -h /etc'))
      await eventually('the pod to run', async () => (await getPhase(cluster(), namespace, 'server')) === 'Running')
    })
    after(async () => {
      for (const node of nodes ?? []) await node.stop()
    })
    const kubectl = (...args: string[]): Promise<string> => cluster().kubectl(['--namespace', namespace, ...args])

    it('run a pod, whose output kubectl logs shows', async () => {
      await eventually('the output', async () => (await kubectl('logs', 'server')) === 'started\n')
    })

    it('run a command in it for kubectl exec', async () => {
      expect(await kubectl('exec', 'server', '--', 'hostname')).to.equal('server\n')
      const failed = await cluster().tryKubectl(['-n', namespace, 'exec', 'server', '--', 'sh', '-c', 'exit 3'])
      expect(failed.status).to.equal(3)
    })

    it('reach each other’s pods', async () => {
      const address = await kubectl('get', 'pod', 'server', '-o', 'jsonpath={.status.podIP}')
      await create(cluster(), namespace, pod('client', 'node-2', `wget -q -O - http://${address}:8080/hostname`))
      await eventually(
        'the client to end',
        async () => (await getPhase(cluster(), namespace, 'client')) === 'Succeeded',
      )
      expect(await kubectl('logs', 'client')).to.equal('server\n')
    })

    it('keep a pod running while their kubelet and containerd are killed', async () => {
      const [node] = nodes as [Node, Node]
      const id = ['get', 'pod', 'server', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']
      const before = await kubectl(...id)
      await node.kubelet.kill()
      await node.containerd.restart()
      await node.kubelet.start()
      await node.kubelet.ready()
      await cluster().nodeReady(node.name)
      expect(await kubectl(...id)).to.equal(before)
      await eventually('exec to work', async () => (await kubectl('exec', 'server', '--', 'hostname')) === 'server\n')
    })

    it('have an address at which the API server calls a webhook behind a Service', async () => {
      const [node] = nodes as [Node, Node]
      const host = `hook.${namespace}.svc`
      const webhook = await WebhookServer.start(node.address, [host])
      try {
        webhook.on('/refuse', () => ({ allowed: false, status: { message: 'by a Service' } }))
        for (const object of behindService(webhook, node.address, namespace)) await create(cluster(), namespace, object)
        await eventually('the refusal', async () => {
          const args = ['-n', namespace, 'create', 'configmap', 'refused', '--dry-run=server']
          return (await cluster().tryKubectl(args)).stderr.includes('denied the request: by a Service')
        })
      } finally {
        await cluster().kubectl(['delete', 'validatingwebhookconfiguration', 'hook', '--ignore-not-found'])
        await webhook.close()
      }
    })

    it('end a pod that is deleted', async () => {
      await kubectl('delete', 'pod', 'server', '--timeout=120s')
      expect((await cluster().tryKubectl(['-n', namespace, 'get', 'pod', 'server'])).stderr).to.contain('NotFound')
    })
  },
  { nodes: true },
)
