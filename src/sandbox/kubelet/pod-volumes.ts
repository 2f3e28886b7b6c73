import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { V1KeyToPath, V1Volume, V1VolumeMount, V1VolumeProjection } from '@kubernetes/client-node'
import type { Container, Pod } from '../controllers/objects.ts'
import type { Mount } from './cri.ts'
import { ConfigError, fieldValue, type ObjectSource, type PodObjects, type PodPlace } from './pod-objects.ts'

/** A file of a volume that the kubelet fills. */
interface VolumeFile {
  /** Path below the volume's folder. */
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

const usualMode = 0o644
const propagations: Record<string, NonNullable<Mount['propagation']>> = {
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
}

/** Creates, fills and removes the folders and files of a node's pods. */
export class PodVolumes {
  readonly #root: string
  readonly #objects: Pick<PodObjects, 'data' | 'token'>

  /** @param root the kubelet's folder; a real kubelet uses `/var/lib/kubelet` */
  constructor(root: string, objects: Pick<PodObjects, 'data' | 'token'>) {
    this.#root = root
    this.#objects = objects
  }

  /**
   * Creates and fills the volumes that a container mounts.
   * @throws {ConfigError} for an unsupported volume, or a missing source
   */
  async mounts(pod: Pod, { volumeMounts = [] }: Container, place: PodPlace): Promise<Mount[]> {
    const mounts: Mount[] = []
    for (const mount of volumeMounts) mounts.push(await this.#mount(pod, mount, place))
    return mounts
  }

  async #mount(pod: Pod, mount: V1VolumeMount, place: PodPlace): Promise<Mount> {
    const { name, mountPath, readOnly, subPath, subPathExpr, mountPropagation = '' } = mount
    const volume = pod.spec.volumes?.find((one) => one.name === name)
    if (volume === undefined) throw new ConfigError(`volumeMounts: the volume ${name} does not exist`)
    if (subPath || subPathExpr) throw new ConfigError(`volumeMounts: ${name}: subPath is not supported on this node`)
    const propagation = propagations[mountPropagation]
    return {
      containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
      hostPath: await this.#prepared(pod, volume, place),
      // Containers must not change volumes that the kubelet fills.
      readonly: readOnly === true || projectionsOf(volume) !== undefined,
      ...(propagation !== undefined && { propagation }),
    }
  }

  #folder({ metadata: { uid } }: Pod, ...below: string[]): string {
    return join(this.#root, 'pods', uid, ...below)
  }

  /** Creates and fills a volume. @returns its path on the node */
  async #prepared(pod: Pod, volume: V1Volume, place: PodPlace): Promise<string> {
    const { name, hostPath, emptyDir } = volume
    if (hostPath !== undefined) return preparedHostPath(name, hostPath.path, hostPath.type)
    if (projectionsOf(volume) !== undefined) return this.#fill(pod, volume, place)
    if (emptyDir === undefined || emptyDir.medium)
      throw new ConfigError(
        `volume ${name}: ${Object.keys(volume).filter((key) => key !== 'name')} is not supported on this node; use emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
      )
    const folder = this.#folder(pod, 'volumes/kubernetes.io~empty-dir', name)
    await mkdir(folder, { recursive: true })
    // Processes in the container may run under any user, so allow access for all users.
    await chmod(folder, 0o777)
    return folder
  }

  async #fill(pod: Pod, volume: V1Volume, place: PodPlace): Promise<string> {
    const folder = this.#folder(pod, 'volumes/kubernetes.io~projected', volume.name)
    const files: VolumeFile[] = []
    const { mode = usualMode, sources } = projectionsOf(volume)!
    for (const source of sources) files.push(...(await this.#files(pod, source, mode, place)))
    for (const { path } of files) checkPath(volume.name, path)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    for (const file of files) await writeIfChanged(folder, file)
    await removeOthers(folder, files)
    return folder
  }

  async #files(pod: Pod, source: V1VolumeProjection, mode: number, place: PodPlace): Promise<VolumeFile[]> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source
    if (serviceAccountToken !== undefined) {
      const { audience, expirationSeconds, path } = serviceAccountToken
      return [{ path, content: Buffer.from(await this.#objects.token(pod, audience, expirationSeconds)), mode }]
    }
    if (downwardAPI !== undefined)
      return (downwardAPI.items ?? []).map(({ path, fieldRef, mode: own = mode }) => {
        if (fieldRef === undefined) throw new ConfigError(`${path}: resourceFieldRef is not supported on this node`)
        return { path, content: Buffer.from(fieldValue(pod, fieldRef.fieldPath, place)), mode: own }
      })
    const object = configMap ?? secret
    if (object === undefined)
      throw new ConfigError(`a projection of ${Object.keys(source)} is not supported on this node`)
    const kind = configMap === undefined ? 'secret' : 'configmap'
    return this.#ofObject(pod, { kind, name: object.name, optional: object.optional }, object.items, mode)
  }

  async #ofObject(pod: Pod, source: ObjectSource, items: V1KeyToPath[] | undefined, mode: number) {
    const data = await this.#objects.data(pod, source)
    if (data === undefined) return []
    const chosen: readonly V1KeyToPath[] = items ?? Array.from(data.keys(), (key) => ({ key, path: key }))
    return chosen.flatMap(({ key, path, mode: own = mode }) => {
      const content = data.get(key)
      if (content !== undefined) return [{ path, content, mode: own }]
      if (source.optional) return []
      throw new ConfigError(`${source.kind} ${source.name} does not have the key ${key}`)
    })
  }

  /** Updates the volumes that the kubelet fills: tokens before they expire, and changed ConfigMaps and Secrets. */
  async refresh(pod: Pod, place: PodPlace): Promise<void> {
    for (const volume of pod.spec.volumes ?? [])
      if (projectionsOf(volume) && (await found(this.#folder(pod, 'volumes/kubernetes.io~projected', volume.name))))
        await this.#fill(pod, volume, place)
  }

  /** Removes a pod's folders. Call it after its containers have ended. */
  async remove(pod: Pod): Promise<void> {
    await rm(this.#folder(pod), { recursive: true, force: true })
  }
}

interface Projections {
  mode: number | undefined
  sources: readonly V1VolumeProjection[]
}

/**
 * The sources of a volume, in the form of a projected volume; undefined for a volume that the kubelet does not fill.
 */
function projectionsOf({ configMap, secret, downwardAPI, projected }: V1Volume): Projections | undefined {
  const one = (source: { defaultMode?: number }, projection: object): Projections => ({
    mode: source.defaultMode,
    sources: [projection],
  })
  if (configMap !== undefined) return one(configMap, { configMap })
  if (secret !== undefined) return one(secret, { secret: { ...secret, name: secret.secretName } })
  if (downwardAPI !== undefined) return one(downwardAPI, { downwardAPI })
  return projected && { mode: projected.defaultMode, sources: projected.sources ?? [] }
}

/**
 * Refuses a path that leads out of a volume. The API server refuses such a path, too, but this code writes as root, so
 * it checks again.
 * @throws {ConfigError}
 */
function checkPath(volume: string, path: string): void {
  const isBelow = !path.startsWith('/') && path.split('/').every((part) => !['', '.', '..'].includes(part))
  if (!isBelow) throw new ConfigError(`volume ${volume}: ${JSON.stringify(path)} is not a path in the volume`)
}

const found = (path: string) => stat(path).catch(() => undefined)

async function writeIfChanged(folder: string, { path, content, mode }: VolumeFile): Promise<void> {
  const whole = join(folder, path)
  const before = await readFile(whole).catch(() => undefined)
  if (before?.equals(content)) return
  await mkdir(dirname(whole), { recursive: true })
  // Rename a complete draft, so that a reader sees either the whole old file or the whole new file.
  const draft = join(folder, `..${randomUUID()}`)
  await writeFile(draft, content, { mode: 0o600 })
  await chmod(draft, mode)
  await rename(draft, whole)
}

async function removeOthers(folder: string, files: readonly VolumeFile[]): Promise<void> {
  const kept = new Set(files.map(({ path }) => join(folder, path)))
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !kept.has(path)) await rm(path)
  }
}

/**
 * The path on the node. A missing path is created if the type of the volume allows this. Otherwise the path must exist,
 * because the runtime refuses a missing path.
 */
async function preparedHostPath(volume: string, path: string, type = ''): Promise<string> {
  if (type === 'FileOrCreate') await writeFile(path, '', { flag: 'a' })
  const isMade = type === 'DirectoryOrCreate' || type === ''
  if (isMade && !(await found(path))) await mkdir(path, { recursive: true, mode: 0o755 })
  if (!(await found(path))) throw new ConfigError(`volume ${volume}: hostPath: the ${type} ${path} does not exist`)
  return path
}
