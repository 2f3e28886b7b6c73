import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConfigError, type ObjectSource } from '../../../src/sandbox/kubelet/pod-objects.ts'
import { PodVolumes } from '../../../src/sandbox/kubelet/pod-volumes.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { containerOf, podOf } from './pods.ts'

const place = { podIP: '10.1.1.1', hostIP: '10.0.2.15' }

describe('the volumes of a pod', () => {
  let folder: string
  let data: Record<string, string>
  let tokens: string[]
  let volumes: PodVolumes
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-volumes-'))
    data = { 'a.conf': 'one', b: 'two' }
    tokens = []
    volumes = new PodVolumes(folder, {
      data: async (_pod, { kind, name, optional }: ObjectSource) => {
        if (kind === 'configmap' && name === 'settings')
          return new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)]))
        if (kind === 'secret' && name === 'key') return new Map([['word', Buffer.from([0, 255])]])
        if (optional) return undefined
        throw new ConfigError(`${kind} "${name}" not found`)
      },
      token: async (_pod, audience, seconds) => {
        tokens.push(`${audience} ${seconds}`)
        return `token ${tokens.length}`
      },
    })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** The node's path of the container's only mount. */
  const mount = async (volume: object, more: object = {}): Promise<string> => {
    const container = containerOf({ volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] })
    const pod = podOf({ containers: [container], volumes: [{ name: 'v', ...volume }] })
    const [made] = await volumes.mounts(pod, container, place)
    return made!.hostPath
  }
  const refusal = async (volume: object, more: object = {}): Promise<string> => {
    const error = await thrownBy(mount(volume, more))
    expect(error).to.be.instanceOf(ConfigError)
    return (error as Error).message
  }

  it('are empty folders for every user, kept over restarts of a container', async () => {
    const path = await mount({ emptyDir: {} })
    expect(statSync(path).mode & 0o7777).to.equal(0o777)
    writeFileSync(join(path, 'kept'), '')
    expect(await mount({ emptyDir: {} })).to.equal(path)
    expect(readdirSync(path)).to.deep.equal(['kept'])
  })

  it('are files of a ConfigMap, in the names and modes that the pod wants', async () => {
    const path = await mount({ configMap: { name: 'settings' } })
    expect(readdirSync(path).sort()).to.deep.equal(['a.conf', 'b'])
    expect(readFileSync(join(path, 'a.conf'), 'utf8')).to.equal('one')
    expect(statSync(join(path, 'b')).mode & 0o777).to.equal(0o644)
    const items = [{ key: 'b', path: 'deep/er', mode: 0o400 }]
    const other = await mount({ name: 'w', configMap: { name: 'settings', items } }, { name: 'w' })
    expect(statSync(join(other, 'deep/er')).mode & 0o777).to.equal(0o400)
  })

  it('have the bytes of a Secret', async () => {
    const path = await mount({ secret: { secretName: 'key', defaultMode: 0o600 } })
    expect([...readFileSync(join(path, 'word'))]).to.deep.equal([0, 255])
  })

  it('project a token, a ConfigMap and fields of the pod into one folder', async () => {
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
      { configMap: { name: 'settings', items: [{ key: 'b', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [
            { path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } },
            { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
          ],
        },
      },
    ]
    const path = await mount({ projected: { sources } })
    const read = (name: string): string => readFileSync(join(path, name), 'utf8')
    expect(['token', 'ca.crt', 'namespace', 'name'].map(read)).to.deep.equal(['token 1', 'two', 'demo', 'web'])
    expect(tokens).to.deep.equal(['undefined 3607'])
  })

  it('follow what their ConfigMap says, and drop what it no longer has', async () => {
    const container = containerOf({ volumeMounts: [{ name: 'v', mountPath: '/v' }] })
    const pod = podOf({ containers: [container], volumes: [{ name: 'v', configMap: { name: 'settings' } }] })
    const [made] = await volumes.mounts(pod, container, place)
    data = { 'a.conf': 'changed', c: 'new' }
    await volumes.refresh(pod, place)
    expect(readdirSync(made!.hostPath).sort()).to.deep.equal(['a.conf', 'c'])
    expect(readFileSync(join(made!.hostPath, 'a.conf'), 'utf8')).to.equal('changed')
    expect(made?.readonly).to.equal(true)
    await volumes.remove(pod)
    expect(readdirSync(join(folder, 'pods'))).to.deep.equal([])
  })

  it('are no way out of them', async () => {
    expect(await refusal({ configMap: { name: 'settings', items: [{ key: 'b', path: '../x' }] } })).to.include(
      'is not a path in the volume',
    )
  })

  const types: { type: string | undefined; path: string; says?: string }[] = [
    { type: undefined, path: 'new' },
    { type: 'DirectoryOrCreate', path: 'new' },
    { type: 'FileOrCreate', path: 'newfile' },
    { type: 'Directory', path: 'dir' },
    { type: 'File', path: 'file' },
    { type: 'Directory', path: 'missing', says: 'missing does not exist' },
    { type: 'Socket', path: 'missing', says: 'missing does not exist' },
  ]
  for (const { type, path, says } of types)
    it(`are of the host: ${type ?? 'any type'} at ${path}: ${says ?? 'mounted'}`, async () => {
      mkdirSync(join(folder, 'dir'))
      writeFileSync(join(folder, 'file'), '')
      const volume = { hostPath: { path: join(folder, path), ...(type && { type }) } }
      if (says === undefined) expect(await mount(volume)).to.equal(join(folder, path))
      else expect(await refusal(volume)).to.include(says)
    })

  const refusals: [title: string, volume: object, more: object, says: string][] = [
    ['a kind that this node does not have', { csi: {} }, {}, 'volume v: csi is not supported on this node'],
    ['memory as medium', { emptyDir: { medium: 'Memory' } }, {}, 'volume v: emptyDir is not supported on this node'],
    ['a ConfigMap that is missing', { configMap: { name: 'none' } }, {}, 'configmap "none" not found'],
    ['a Secret that is missing', { secret: { secretName: 'none' } }, {}, 'secret "none" not found'],
    [
      'a key that is missing',
      { configMap: { name: 'settings', items: [{ key: 'z', path: 'z' }] } },
      {},
      'configmap settings does not have the key z',
    ],
    [
      'a projection of another kind',
      { projected: { sources: [{ clusterTrustBundle: {} }] } },
      {},
      'a projection of clusterTrustBundle is not supported',
    ],
    ['a part of one', { emptyDir: {} }, { subPath: 'x' }, 'subPath is not supported on this node'],
  ]
  for (const [title, volume, more, says] of refusals)
    it(`are refused: ${title}`, async () => expect(await refusal(volume, more)).to.include(says))

  it('may lack what is optional', async () => {
    expect(readdirSync(await mount({ configMap: { name: 'none', optional: true } }))).to.deep.equal([])
  })
})
