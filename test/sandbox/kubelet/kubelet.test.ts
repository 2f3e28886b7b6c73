import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { configMaps, secrets } from '../../../src/kube/core-objects.ts'
import { defineResource } from '../../../src/kube/resources.ts'
import { eventually } from '../../cluster/wait.ts'
import { image } from './real-node.ts'
import { pods, shell, withSandboxNode } from './sandbox-node.ts'

const events = defineResource({ group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true })

describe('a node of the sandbox with a real containerd', () => {
  const world = withSandboxNode()
  const { startNode, stopNode, create, get, until, running, remove, logOf } = world

  it('is registered with what its machine and runtime are', async () => {
    const nodes = defineResource({ group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false })
    const { status } = (await world.sandbox.client.get(nodes, { name: 'kernel' })) as {
      status?: Record<string, unknown>
    }
    expect(JSON.stringify(status)).to.include('containerd://')
    expect(status?.['daemonEndpoints']).to.deep.equal({ kubeletEndpoint: { Port: world.port } })
    expect(status?.['addresses']).to.deep.include({ type: 'InternalIP', address: '127.0.0.1' })
  })

  it('runs a pod with what its spec says, and the API says of it what the runtime does', async () => {
    await world.sandbox.client.create(configMaps, {
      metadata: { name: 'settings', namespace: 'default' },
      data: { COLOUR: 'blue', 'app.conf': 'one\ntwo\n' },
    })
    await world.sandbox.client.create(secrets, {
      metadata: { name: 'key', namespace: 'default' },
      data: { password: Buffer.from('s3cret').toString('base64') },
    })
    mkdirSync(join(world.real.folder, 'host'))
    writeFileSync(join(world.real.folder, 'host/file'), 'of the host')
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
          { name: 'host', hostPath: { path: join(world.real.folder, 'host'), type: 'Directory' } },
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
    const info = JSON.parse(
      world.real.ctr('container', 'info', main?.containerID?.replace('containerd://', '') ?? ''),
    ) as {
      Labels: Record<string, string>
    }
    expect(info.Labels).to.include({
      'io.kubernetes.pod.name': 'whole',
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': metadata.uid,
      'io.kubernetes.container.name': 'main',
    })
    const log = await eventually('all of its log', async () => {
      const text = await logOf('whole')
      return text.endsWith('read-only\n') && text
    })
    expect(log).to.equal('hello blue|blue|kernel|s3cret\nfrom init\none\ntwo\nof the hosts3cret|1234\nread-only\n')
    await remove('whole')
    expect(world.real.tasks()).to.deep.equal([])
    expect(readdirSync(join(world.real.root, 'pods'))).to.deep.equal([])
    expect(readdirSync(world.real.podLogs)).to.deep.equal([])
  })

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
    expect(world.real.tasks()).to.deep.equal([])
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
          await world.sandbox.client.list(events, {
            namespace: 'default',
            fieldSelector: `involvedObject.name=${name}`,
          })
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
    await world.sandbox.client.create(configMaps, {
      metadata: { name: 'late', namespace: 'default' },
      data: { X: 'y' },
    })
    expect((await running('late')).status?.containerStatuses?.[0]).to.include({ restartCount: 0 })
    await remove('late')
  })

  it('puts a container under the seccomp profile that its pod names', async () => {
    mkdirSync(join(world.real.root, 'seccomp'), { recursive: true })
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    }
    writeFileSync(join(world.real.root, 'seccomp/no-mkdir.json'), JSON.stringify(profile))
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
    const [first, length] = await eventually('two lines of its log', async () => {
      const lines = (await logOf('account')).split('\n')
      return lines.length > 2 && lines
    })
    expect(first).to.equal(`default ${new URL(world.sandbox.api.url).port}`)
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
    world.real.ctr('task', 'exec', '--exec-id', 'end', id, 'touch', '/tmp/end')
    await world.sandbox.client.delete(pods, { name: 'goes', namespace: 'default' }, { gracePeriodSeconds: 0 })
    await startNode()
    const ended = await until('ends', 'over', ({ status }) => status?.phase === 'Failed')
    expect(ended.status?.containerStatuses?.[0]?.state.terminated).to.include({ exitCode: 9, reason: 'Error' })
    const gone = goes.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '')
    await eventually('the deleted pod to end', async () => !world.real.tasks().includes(gone ?? ''))
    const after = await running('stays')
    expect(after.status?.containerStatuses).to.deep.equal(before.status?.containerStatuses)
    await remove('stays')
    await remove('ends')
  })

  it('finds its pods again when containerd was away', async () => {
    await create('through', { containers: [shell('exec sleep 1000')] })
    const before = await running('through')
    await world.real.killContainerd()
    await world.real.startContainerd()
    await create('later', { containers: [shell('exec sleep 1000')] })
    await running('later')
    expect((await get('through')).status?.containerStatuses).to.deep.equal(before.status?.containerStatuses)
    await remove('later')
    await remove('through')
    expect(world.real.tasks()).to.deep.equal([])
  })
})
