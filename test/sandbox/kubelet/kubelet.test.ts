import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { noLogger } from '../../../src/base/logger.ts'
import { configMaps, secrets } from '../../../src/kube/core-objects.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { defineResource } from '../../../src/kube/resources.ts'
import type { Pod } from '../../../src/sandbox/controllers/objects.ts'
import { runSandboxNode, type SandboxNode } from '../../../src/sandbox/kubelet/run-sandbox-node.ts'
import { Sandbox } from '../../../src/sandbox/sandbox.ts'
import { eventually } from '../../cluster/wait.ts'
import { image, needsContainers, RealNode } from './real-node.ts'

const pods = defineResource({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })
const events = defineResource({ group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true })

interface Run {
  status: number | null
  stdout: string
  stderr: string
}

/** Of the cluster tier's cache; undefined where that never ran. */
function findKubectl(): string | undefined {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'varmor/cluster')
  const folders = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('kubernetes-')) : []
  return folders.map((name) => join(cache, name, 'kubectl')).find(existsSync)
}

describe('a node of the sandbox with a real containerd', () => {
  const kubectlPath = findKubectl()
  let real: RealNode
  let sandbox: Sandbox
  let node: SandboxNode | undefined
  let problems: string[]
  const logger = {
    info: () => undefined,
    warn: (context: object, message: string) => problems.push(`${message} ${JSON.stringify(context)}`),
  }

  before(async function () {
    needsContainers(this)
    real = new RealNode()
    await real.start()
    sandbox = await Sandbox.start({ nodes: 0, logger: noLogger })
    await startNode()
  })
  after(async () => {
    await node?.stop()
    await sandbox?.stop()
    await real?.dispose()
  })
  beforeEach(() => {
    problems = []
  })

  let config: KubeConfig | undefined
  const startNode = async (): Promise<void> => {
    if (config === undefined) {
      config = new KubeConfig()
      config.loadFromString((await sandbox.admitNode('kernel')).kubeconfig)
    }
    node = await runSandboxNode({
      ...{ config, name: 'kernel', containerd: real.socket, logger, address: '127.0.0.1' },
      ...{ root: real.root, podLogs: real.podLogs, listen: { host: '127.0.0.1', port: 0 } },
    })
  }
  const stopNode = async (): Promise<void> => {
    await node?.stop()
    node = undefined
  }
  const create = (name: string, spec: object, metadata: object = {}): Promise<KubeObject> => {
    const usual = { terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, ...spec }
    return sandbox.client.create(pods, {
      metadata: { name, namespace: 'default', ...metadata },
      spec: usual,
    } as KubeObject)
  }
  const shell = (script: string, more: object = {}): object => ({
    name: 'main',
    image,
    command: ['sh', '-c', script],
    ...more,
  })
  const get = async (name: string): Promise<Pod> =>
    (await sandbox.client.get(pods, { name, namespace: 'default' })) as unknown as Pod
  const until = (name: string, what: string, is: (pod: Pod) => boolean): Promise<Pod> =>
    eventually(`pod ${name}: ${what}`, async () => {
      const pod = await get(name)
      return is(pod) && pod
    }).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify((await get(name)).status)} ${problems.join('\n')}`)
    })
  const running = (name: string): Promise<Pod> =>
    until(name, 'ready', ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True')
  const remove = async (name: string): Promise<void> => {
    await sandbox.client.delete(pods, { name, namespace: 'default' })
    await eventually(`pod ${name} to go`, async () => {
      const { items } = await sandbox.client.list(pods, { namespace: 'default' })
      return items.every(({ metadata }) => metadata?.name !== name)
    })
  }
  const needsKubectl = (test: Mocha.Context): void => {
    if (kubectlPath !== undefined) return
    console.log('      needs kubectl: run npm run test:cluster once, which builds it')
    test.skip()
  }
  const kubectl = (args: readonly string[], input?: string | Buffer): Promise<Run> =>
    new Promise((resolve, reject) => {
      const child = spawn(kubectlPath!, ['--kubeconfig', sandbox.kubeconfigPath, ...args])
      const run = { stdout: '', stderr: '' }
      child.stdout.on('data', (text) => {
        run.stdout += text
      })
      child.stderr.on('data', (text) => {
        run.stderr += text
      })
      child.once('error', reject)
      child.once('close', (status) => resolve({ ...run, status }))
      // One that ends before it has read all.
      child.stdin.on('error', () => undefined)
      if (input !== undefined) child.stdin.end(input)
    })

  it('is registered with what its machine and runtime are', async () => {
    const nodes = defineResource({ group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false })
    const { status } = (await sandbox.client.get(nodes, { name: 'kernel' })) as { status?: Record<string, unknown> }
    expect(JSON.stringify(status)).to.include('containerd://')
    expect(status?.['daemonEndpoints']).to.deep.equal({ kubeletEndpoint: { Port: node?.port } })
    expect(status?.['addresses']).to.deep.include({ type: 'InternalIP', address: '127.0.0.1' })
  })

  it('runs a pod with what its spec says, and the API says of it what the runtime does', async () => {
    await sandbox.client.create(configMaps, {
      metadata: { name: 'settings', namespace: 'default' },
      data: { COLOUR: 'blue', 'app.conf': 'one\ntwo\n' },
    })
    await sandbox.client.create(secrets, {
      metadata: { name: 'key', namespace: 'default' },
      data: { password: Buffer.from('s3cret').toString('base64') },
    })
    mkdirSync(join(real.folder, 'host'))
    writeFileSync(join(real.folder, 'host/file'), 'of the host')
    await create(
      'whole',
      {
        initContainers: [
          shell('echo from init > /shared/init', {
            name: 'init',
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          }),
        ],
        containers: [
          shell(
            'echo "$GREETING|$COLOUR|$NODE|$PASSWORD"; cat /shared/init /config/app.conf /host/file /secret/password; echo "|$(id -u)"; touch /x 2>/dev/null || echo read-only; exec sleep 1000',
            {
              env: [
                { name: 'GREETING', value: 'hello $(COLOUR)' },
                { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'key', key: 'password' } } },
              ],
              envFrom: [{ configMapRef: { name: 'settings' } }],
              volumeMounts: [
                { name: 'shared', mountPath: '/shared' },
                { name: 'config', mountPath: '/config' },
                { name: 'host', mountPath: '/host' },
                { name: 'secret', mountPath: '/secret' },
              ],
              securityContext: { runAsUser: 1234, readOnlyRootFilesystem: true },
            },
          ),
        ],
        volumes: [
          { name: 'shared', emptyDir: {} },
          { name: 'config', configMap: { name: 'settings' } },
          { name: 'host', hostPath: { path: join(real.folder, 'host'), type: 'Directory' } },
          { name: 'secret', secret: { secretName: 'key' } },
        ],
      },
      { labels: { app: 'whole' }, annotations: { note: 'kept' } },
    )
    const { status, metadata } = await running('whole')
    expect(status).to.deep.include({ phase: 'Running', hostIP: '127.0.0.1', podIP: '127.0.0.1' })
    expect(status?.initContainerStatuses?.[0]?.state.terminated).to.include({ exitCode: 0, reason: 'Completed' })
    const [main] = status?.containerStatuses ?? []
    expect(main).to.include({ ready: true, restartCount: 0 })
    expect(main?.imageID).to.match(/^sha256:[0-9a-f]{64}$/)
    const info = JSON.parse(real.ctr('container', 'info', main?.containerID?.replace('containerd://', '') ?? '')) as {
      Labels: Record<string, string>
    }
    expect(info.Labels).to.include({
      'io.kubernetes.pod.name': 'whole',
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': metadata.uid,
      'io.kubernetes.container.name': 'main',
    })
    const log = await logOf('whole')
    expect(log).to.equal('hello blue|blue|kernel|s3cret\nfrom init\none\ntwo\nof the hosts3cret|1234\nread-only\n')
    await remove('whole')
    expect(real.tasks()).to.deep.equal([])
    expect(readdirSync(join(real.root, 'pods'))).to.deep.equal([])
    expect(readdirSync(real.podLogs)).to.deep.equal([])
  })

  const logOf = async (name: string): Promise<string> => {
    const [folder] = readdirSync(real.podLogs).filter((one) => one.includes(`_${name}_`))
    const { readLog } = await import('../../../src/sandbox/kubelet/container-log.ts')
    const chunks: Uint8Array[] = []
    for await (const chunk of readLog(join(real.podLogs, folder!, 'main/0.log'))) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  it('restarts a container that crashes, with back-off and exit code', async () => {
    await create('crash', {
      containers: [shell('exit 7')],
    })
    const { status } = await until('crash', 'waiting to be restarted', ({ status }) => {
      const [main] = status?.containerStatuses ?? []
      return main?.restartCount === 1 && main.state.waiting?.reason === 'CrashLoopBackOff'
    })
    const [main] = status?.containerStatuses ?? []
    expect(main?.lastState.terminated).to.include({ exitCode: 7, reason: 'Error' })
    expect(main?.lastState.terminated?.containerID).to.match(/^containerd:\/\//)
    await remove('crash')
  })

  it('gives a job its end: Succeeded and Failed, and no restart', async () => {
    await create('good', { restartPolicy: 'Never', containers: [shell('exit 0')] })
    await create('bad', { restartPolicy: 'Never', containers: [shell('exit 3')] })
    const good = await until('good', 'over', ({ status }) => status?.phase === 'Succeeded')
    const bad = await until('bad', 'over', ({ status }) => status?.phase === 'Failed')
    expect(good.status?.containerStatuses?.[0]?.state.terminated).to.include({ exitCode: 0, reason: 'Completed' })
    expect(bad.status?.containerStatuses?.[0]?.state.terminated).to.include({ exitCode: 3, reason: 'Error' })
    await remove('good')
    await remove('bad')
  })

  it('lets a pod end by itself within its grace period, and kills it afterwards', async () => {
    await create('polite', {
      terminationGracePeriodSeconds: 30,
      containers: [shell('trap "echo bye; exit 5" TERM; while true; do sleep 0.1; done')],
    })
    await running('polite')
    await create('stubborn', { containers: [shell('trap "" TERM; while true; do sleep 0.1; done')] })
    await running('stubborn')
    await Promise.all([remove('polite'), remove('stubborn')])
    expect(real.tasks()).to.deep.equal([])
  })

  const rows: { what: string; spec: object; reason: string; message: RegExp }[] = [
    {
      what: 'an image that is not there and may not be pulled',
      spec: { containers: [{ name: 'main', image: 'docker.io/varmor/none:1', imagePullPolicy: 'Never' }] },
      reason: 'ErrImageNeverPull',
      message: /docker.io\/varmor\/none:1 is not on this node/,
    },
    {
      what: 'an image that cannot be pulled',
      spec: { containers: [{ name: 'main', image: '127.0.0.1:1/none:1' }] },
      reason: 'ErrImagePull',
      message: /failed to pull/,
    },
    {
      what: 'a kind of volume that this node cannot give',
      spec: {
        containers: [shell('true', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
        volumes: [{ name: 'v', nfs: { server: 'a', path: '/' } }],
      },
      reason: 'CreateContainerConfigError',
      message: /volume v: nfs is not supported on this node; use emptyDir/,
    },
    {
      what: 'a ConfigMap that is not there',
      spec: { containers: [shell('true', { envFrom: [{ configMapRef: { name: 'nothing' } }] })] },
      reason: 'CreateContainerConfigError',
      message: /configmap "nothing" not found/,
    },
    {
      what: 'a seccomp profile that is not there',
      spec: {
        containers: [
          shell('true', { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'no.json' } } }),
        ],
      },
      reason: 'CreateContainerError',
      message: /no\.json/,
    },
    {
      what: 'a command that does not exist',
      spec: { containers: [{ name: 'main', image, command: ['/no/such'] }] },
      reason: 'RunContainerError',
      message: /\/no\/such/,
    },
    {
      what: 'root where the pod forbids it',
      spec: { containers: [shell('true')], securityContext: { runAsNonRoot: true } },
      reason: 'CreateContainerConfigError',
      message: /would run as root/,
    },
  ]
  for (const [index, { what, spec, reason, message }] of rows.entries())
    it(`says why a pod does not start: ${what}`, async () => {
      const name = `refused-${index}`
      await create(name, spec)
      const { status } = await until(
        name,
        reason,
        ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === reason,
      )
      expect(status?.containerStatuses?.[0]?.state.waiting?.message).to.match(message)
      await eventually('an event', async () =>
        (
          await sandbox.client.list(events, { namespace: 'default', fieldSelector: `involvedObject.name=${name}` })
        ).items.some((event) => message.test(JSON.stringify(event).replaceAll('\\"', '"'))),
      )
      await remove(name)
    })

  it('starts a container as soon as what it lacked is there', async () => {
    await create('late', { containers: [shell('exec sleep 1000', { envFrom: [{ configMapRef: { name: 'late' } }] })] })
    await until(
      'late',
      'waiting',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'CreateContainerConfigError',
    )
    await sandbox.client.create(configMaps, { metadata: { name: 'late', namespace: 'default' }, data: { X: 'y' } })
    expect((await running('late')).status?.containerStatuses?.[0]).to.include({ restartCount: 0 })
    await remove('late')
  })

  it('puts a container under the seccomp profile that its pod names', async () => {
    mkdirSync(join(real.root, 'seccomp'), { recursive: true })
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    }
    writeFileSync(join(real.root, 'seccomp/no-mkdir.json'), JSON.stringify(profile))
    const localhost = { seccompProfile: { type: 'Localhost', localhostProfile: 'no-mkdir.json' } }
    await create('confined', {
      restartPolicy: 'Never',
      containers: [shell('mkdir /tmp/a && exit 0; exit 4', { securityContext: localhost })],
    })
    const { status } = await until('confined', 'over', ({ status }) => status?.phase === 'Failed')
    expect(status?.containerStatuses?.[0]?.state.terminated).to.include({ exitCode: 4 })
    await remove('confined')
  })

  it('gives a pod a token of its service account, with which it finds the API server', async () => {
    await create('account', {
      automountServiceAccountToken: true,
      containers: [
        shell(
          'cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo " $KUBERNETES_SERVICE_PORT"; wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token; exec sleep 1000',
        ),
      ],
    })
    await running('account')
    const [first, length] = (await logOf('account')).split('\n')
    expect(first).to.equal(`default ${new URL(sandbox.api.url).port}`)
    expect(Number(length)).to.be.above(200)
    await remove('account')
  })

  it('goes on after a restart: what runs is kept, what ended meanwhile is reported with its exit code, what was deleted is gone', async () => {
    await create('stays', { containers: [shell('exec sleep 1000')] })
    await create('ends', {
      restartPolicy: 'Never',
      containers: [shell('while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 9')],
    })
    await create('goes', { containers: [shell('exec sleep 1000')] })
    const before = await running('stays')
    const ends = await running('ends')
    const goes = await running('goes')
    await stopNode()
    const id = ends.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? ''
    real.ctr('task', 'exec', '--exec-id', 'end', id, 'touch', '/tmp/end')
    await sandbox.client.delete(pods, { name: 'goes', namespace: 'default' }, { gracePeriodSeconds: 0 })
    await startNode()
    const ended = await until('ends', 'over', ({ status }) => status?.phase === 'Failed')
    expect(ended.status?.containerStatuses?.[0]?.state.terminated).to.include({ exitCode: 9, reason: 'Error' })
    const gone = goes.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '')
    await eventually('the deleted pod to end', async () => !real.tasks().includes(gone ?? ''))
    const after = await running('stays')
    expect(after.status?.containerStatuses).to.deep.equal(before.status?.containerStatuses)
    await remove('stays')
    await remove('ends')
  })

  it('finds its pods again when containerd was away', async () => {
    await create('through', { containers: [shell('exec sleep 1000')] })
    const before = await running('through')
    await real.killContainerd()
    await real.startContainerd()
    await create('later', { containers: [shell('exec sleep 1000')] })
    await running('later')
    expect((await get('through')).status?.containerStatuses).to.deep.equal(before.status?.containerStatuses)
    await remove('later')
    await remove('through')
    expect(real.tasks()).to.deep.equal([])
  })

  describe('and kubectl', () => {
    before(async function () {
      needsKubectl(this)
      await create('talk', {
        containers: [
          shell('echo one; echo two; echo three; exec sleep 1000'),
          { name: 'other', image, command: ['sleep', '1000'] },
        ],
      })
      await running('talk')
    })
    after(async () => {
      if (kubectlPath !== undefined && sandbox !== undefined) await remove('talk')
    })

    const exec = (flags: string, command: readonly string[], input?: string | Buffer): Promise<Run> =>
      kubectl(['exec', ...flags.split(' ').filter((one) => one !== ''), 'talk', '-c', 'main', '--', ...command], input)

    it('reads logs, and the last lines of them', async () => {
      expect((await kubectl(['logs', 'talk', '-c', 'main'])).stdout).to.equal('one\ntwo\nthree\n')
      expect((await kubectl(['logs', 'talk', '-c', 'main', '--tail=1'])).stdout).to.equal('three\n')
    })

    it('follows a log to the end of its container', async () => {
      await create('brief', {
        restartPolicy: 'Never',
        containers: [shell('for i in 1 2 3; do echo $i; sleep 0.3; done')],
      })
      await until('brief', 'begun', ({ status }) => status?.phase === 'Running')
      expect(await kubectl(['logs', '--follow', 'brief'])).to.deep.equal({ status: 0, stdout: '1\n2\n3\n', stderr: '' })
      await remove('brief')
    })

    it('runs a command, with both outputs and the exit code', async () => {
      const run = await exec('', ['sh', '-c', 'echo out; echo err >&2; exit 42'])
      expect(run).to.deep.equal({ status: 42, stdout: 'out\n', stderr: 'err\ncommand terminated with exit code 42\n' })
    })

    it('ends the input of a command, which the command sees', async () => {
      expect(await exec('-i', ['cat'], 'x')).to.deep.equal({ status: 0, stdout: 'x', stderr: '' })
      expect(await exec('-i', ['wc', '-c'], '')).to.include({ status: 0, stdout: '0\n' })
    })

    it('carries much through a command without loss, either way', async () => {
      const bytes = Buffer.alloc(3_000_000, 'abcdefghij\n')
      const run = await exec('-i', ['cat'], bytes)
      expect(run.status).to.equal(0)
      expect(run.stdout === bytes.toString()).to.equal(true)
      expect((await exec('-i', ['md5sum'], bytes)).stdout).to.match(/^[0-9a-f]{32} {2}-\n$/)
    })

    it('does not hang where the command ends before its input', async () => {
      expect(await exec('-i', ['true'], Buffer.alloc(1_000_000))).to.include({ status: 0 })
    })

    it('says what went wrong with a command that cannot be started', async () => {
      const run = await exec('', ['/no/such'])
      expect(run.status).to.equal(1)
      expect(run.stderr).to.match(/\/no\/such/)
    })

    it('says which container there is not, and which does not run', async () => {
      const unknown = await kubectl(['exec', 'talk', '-c', 'nope', '--', 'true'])
      expect(unknown.stderr).to.match(/container nope (not found|is not valid)/)
      await create('over', { restartPolicy: 'Never', containers: [shell('true')] })
      await until('over', 'over', ({ status }) => status?.phase === 'Succeeded')
      const run = await kubectl(['exec', 'over', '--', 'true'])
      expect(run.status).to.equal(1)
      expect(run.stderr).to.match(/cannot exec into a container in a completed pod|container not found/)
      await remove('over')
    })

    it('gives a command a terminal of the size of the own window', async function () {
      if (spawnSync('script', ['--version']).error !== undefined) {
        console.log('      needs script (Debian package bsdutils)')
        this.skip()
      }
      const command = `stty rows 33 cols 77; '${kubectlPath}' --kubeconfig '${sandbox.kubeconfigPath}' exec -it talk -c main -- sh -c 'until stty size | grep -q 77; do sleep 0.1; done; stty size; tty; echo $TERM; exit 6'`
      const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'])
      let shown = ''
      child.stdout.on('data', (text) => {
        shown += text
      })
      const [status] = (await once(child, 'close')) as [number | null]
      expect(shown).to.match(/33 77\r\n\/dev\/pts\/\d+\r\nxterm/)
      expect(status).to.equal(6)
    })

    it('copies a file into a container and back', async () => {
      writeFileSync(join(real.folder, 'copied'), 'a file\n')
      const there = await kubectl(['cp', join(real.folder, 'copied'), 'talk:/tmp/copied', '-c', 'main'])
      expect(there).to.include({ status: 0, stderr: '' })
      const back = await kubectl(['cp', 'talk:/tmp/copied', join(real.folder, 'back'), '-c', 'main'])
      expect(back.status, back.stderr).to.equal(0)
    })
  })
})
