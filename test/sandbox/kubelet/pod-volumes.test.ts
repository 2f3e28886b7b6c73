import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConfigError } from '../../../src/sandbox/kubelet/environment.ts'
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
    volumes = new PodVolumes({
      root: folder,
      objectsOf: () => ({
        configMap: async (name) => (name === 'settings' ? { data } : undefined),
        secret: async (name) =>
          name === 'key' ? { data: { word: Buffer.from([0, 255]).toString('base64') } } : undefined,
        token: async (audience, seconds) => {
          tokens.push(`${audience} ${seconds}`)
          return `token ${tokens.length}`
        },
      }),
    })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** The path on the node of the only mount. */
  const mount = async (volume: object, more: object = {}, spec: object = {}): Promise<string> => {
    const container = containerOf({ volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] })
    const pod = podOf({ containers: [container], volumes: [{ name: 'v', ...volume }], ...spec }, { labels: { x: 'y' } })
    const [made] = await volumes.mounts(pod, container, new Map([['WHO', 'me']]), place)
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
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
          ],
        },
      },
    ]
    const path = await mount({ projected: { sources } })
    const read = (name: string): string => readFileSync(join(path, name), 'utf8')
    expect(['token', 'ca.crt', 'namespace', 'labels'].map(read)).to.deep.equal(['token 1', 'two', 'demo', 'x="y"'])
    expect(tokens).to.deep.equal(['undefined 3607'])
  })

  it('follow what their ConfigMap says, and drop what it says no more', async () => {
    const container = containerOf({ volumeMounts: [{ name: 'v', mountPath: '/v' }] })
    const pod = podOf({ containers: [container], volumes: [{ name: 'v', configMap: { name: 'settings' } }] })
    const [made] = await volumes.mounts(pod, container, new Map(), place)
    data = { 'a.conf': 'changed', c: 'new' }
    await volumes.refresh(pod, place)
    expect(readdirSync(made!.hostPath).sort()).to.deep.equal(['a.conf', 'c'])
    expect(readFileSync(join(made!.hostPath, 'a.conf'), 'utf8')).to.equal('changed')
    expect(made?.readonly).to.equal(true)
    await volumes.remove(pod)
    expect(readdirSync(join(folder, 'pods'))).to.deep.equal([])
  })

  it('have parts that are mounted alone, also by the name of a variable', async () => {
    const path = await mount({ emptyDir: {} }, { subPathExpr: 'of/$(WHO)' })
    expect(path).to.match(/\/v\/of\/me$/)
    expect(statSync(path).isDirectory()).to.equal(true)
    expect(
      readFileSync(await mount({ configMap: { name: 'settings' }, name: 'w' }, { name: 'w', subPath: 'b' }), 'utf8'),
    ).to.equal('two')
  })

  it('are no way out of them, by dots or links', async () => {
    expect(await refusal({ emptyDir: {} }, { subPath: '../..' })).to.include('leads out of the volume')
    const path = await mount({ emptyDir: {} })
    symlinkSync('/etc', join(path, 'link'))
    expect(await refusal({ emptyDir: {} }, { subPath: 'link' })).to.include('leads out of the volume')
    expect(await refusal({ emptyDir: {} }, { subPath: 'link/new' })).to.include('leads out of the volume')
    expect(await refusal({ configMap: { name: 'settings', items: [{ key: 'b', path: '../x' }] } })).to.include(
      'no path below',
    )
  })

  const types: { type: string | undefined; path: string; says?: string }[] = [
    { type: undefined, path: 'new' },
    { type: 'DirectoryOrCreate', path: 'new' },
    { type: 'FileOrCreate', path: 'newfile' },
    { type: 'Directory', path: 'dir' },
    { type: 'File', path: 'file' },
    { type: 'Directory', path: 'file', says: 'is not a Directory' },
    { type: 'File', path: 'dir', says: 'is not a File' },
    { type: 'Socket', path: 'file', says: 'is not a Socket' },
    { type: 'Directory', path: 'missing', says: 'is not a Directory' },
  ]
  for (const { type, path, says } of types)
    it(`are of the host: ${type ?? 'any type'} at ${path}: ${says ?? 'mounted'}`, async () => {
      mkdirSync(join(folder, 'dir'))
      writeFileSync(join(folder, 'file'), '')
      const volume = { hostPath: { path: join(folder, path), ...(type && { type }) } }
      if (says === undefined) expect(await mount(volume)).to.equal(join(folder, path))
      else expect(await refusal(volume)).to.include(says)
    })

  const refusals: [title: string, volume: object, says: string][] = [
    ['a kind that this node does not have', { csi: { driver: 'x' } }, 'volume v: csi is not supported on this node'],
    ['memory as medium', { emptyDir: { medium: 'Memory' } }, 'emptyDir.medium Memory is not supported'],
    ['a ConfigMap that is missing', { configMap: { name: 'none' } }, 'volume v: configmap "none" not found'],
    ['a Secret that is missing', { secret: { secretName: 'none' } }, 'volume v: secret "none" not found'],
    [
      'a key that is missing',
      { configMap: { name: 'settings', items: [{ key: 'z', path: 'z' }] } },
      'non-existent configmap key: z',
    ],
    [
      'a projection of another kind',
      { projected: { sources: [{ clusterTrustBundle: {} }] } },
      'a projection of clusterTrustBundle is not supported',
    ],
  ]
  for (const [title, volume, says] of refusals)
    it(`are refused: ${title}`, async () => expect(await refusal(volume)).to.include(says))

  it('may lack what is optional', async () => {
    expect(readdirSync(await mount({ configMap: { name: 'none', optional: true } }))).to.deep.equal([])
  })
})
