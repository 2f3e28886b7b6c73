import { randomUUID } from 'node:crypto'
import { chmod, chown, mkdir, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import type { Container, Pod } from '../controllers/types.ts'
import type { Mount } from './cri-types.ts'
import { ConfigError } from './environment.ts'
import { expandVariables } from './expand-variables.ts'
import type { PodPlace } from './field-values.ts'
import { fieldsOf, podFieldsOf, uidOf, type Volume, type VolumeMount } from './pod-fields.ts'
import { isFilled, type VolumeFile, type VolumeObjects, volumeFiles } from './volume-files.ts'

export interface PodVolumesOptions {
  /** The kubelet's own folder, `/var/lib/kubelet` of a real one. */
  readonly root: string
  objectsOf(pod: Pod): VolumeObjects
}

const propagations: Record<string, Mount['propagation']> = {
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
}

/** The folders and files that pods of a node bring with them. */
export class PodVolumes {
  readonly #options: PodVolumesOptions

  constructor(options: PodVolumesOptions) {
    this.#options = options
  }

  #folder(pod: Pod): string {
    return join(this.#options.root, 'pods', uidOf(pod))
  }

  /**
   * Makes and fills the volumes that a container mounts.
   * @throws {ConfigError} for a volume that this node cannot give, or whose source is missing
   */
  async mounts(
    pod: Pod,
    container: Container,
    environment: ReadonlyMap<string, string>,
    place: PodPlace,
  ): Promise<Mount[]> {
    const { volumeMounts = [], volumeDevices = [] } = fieldsOf(container)
    if (volumeDevices.length > 0) throw new ConfigError('volumeDevices are not supported on this node')
    const mounts: Mount[] = []
    for (const mount of volumeMounts) mounts.push(await this.#mount(pod, mount, environment, place))
    return mounts
  }

  async #mount(
    pod: Pod,
    mount: VolumeMount,
    environment: ReadonlyMap<string, string>,
    place: PodPlace,
  ): Promise<Mount> {
    const volume = podFieldsOf(pod).volumes?.find(({ name }) => name === mount.name)
    if (volume === undefined) throw new ConfigError(`volumeMounts: there is no volume ${mount.name}`)
    const source = await this.#prepared(pod, volume, place)
    const below = mount.subPathExpr === undefined ? mount.subPath : expandVariables(mount.subPathExpr, environment)
    const propagation = propagations[mount.mountPropagation ?? '']
    return {
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: below ? await subPath(source, below, volume.name) : source,
      // What the kubelet fills is not for pods to change.
      readonly: mount.readOnly === true || isFilled(volume),
      ...(propagation !== undefined && { propagation }),
    }
  }

  /** The path of the volume on the node. */
  async #prepared(pod: Pod, volume: Volume, place: PodPlace): Promise<string> {
    const { hostPath, emptyDir } = volume
    if (hostPath !== undefined) return preparedHostPath(volume.name, hostPath.path, hostPath.type)
    const { fsGroup } = podFieldsOf(pod).securityContext ?? {}
    if (emptyDir !== undefined) {
      if (emptyDir.medium)
        throw new ConfigError(`volume ${volume.name}: emptyDir.medium ${emptyDir.medium} is not supported on this node`)
      return sharedFolder(join(this.#folder(pod), 'volumes/kubernetes.io~empty-dir', volume.name), fsGroup)
    }
    if (isFilled(volume)) return this.#fill(pod, volume, place)
    const kinds = Object.keys(volume).filter((key) => key !== 'name')
    throw new ConfigError(
      `volume ${volume.name}: ${kinds.join(', ')} is not supported on this node; use emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
    )
  }

  async #fill(pod: Pod, volume: Volume, place: PodPlace): Promise<string> {
    const folder = join(this.#folder(pod), 'volumes/kubernetes.io~projected', volume.name)
    const files = await volumeFiles(volume, pod, place, this.#options.objectsOf(pod))
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
    const { fsGroup } = podFieldsOf(pod).securityContext ?? {}
    for (const file of files) await writeIfNews(folder, file, fsGroup)
    await removeOthers(folder, files)
    return folder
  }

  /** Brings what was filled up to date: tokens before they expire, ConfigMaps and Secrets that have changed. */
  async refresh(pod: Pod, place: PodPlace): Promise<void> {
    for (const volume of podFieldsOf(pod).volumes ?? []) {
      const folder = join(this.#folder(pod), 'volumes/kubernetes.io~projected', volume.name)
      if (isFilled(volume) && (await exists(folder))) await this.#fill(pod, volume, place)
    }
  }

  /** A file that a process may say its last words in; they become the message of its exit. */
  async terminationLog(pod: Pod, container: Container, attempt: number): Promise<Mount | undefined> {
    const { terminationMessagePath: containerPath } = fieldsOf(container)
    if (!containerPath) return undefined
    const folder = join(this.#folder(pod), 'containers', container.name)
    await mkdir(folder, { recursive: true })
    const hostPath = join(folder, String(attempt))
    await (await open(hostPath, 'a')).close()
    // Whoever the process runs as.
    await chmod(hostPath, 0o666)
    return { containerPath, hostPath }
  }

  /** Its containers have ended. */
  async remove(pod: Pod): Promise<void> {
    await rm(this.#folder(pod), { recursive: true, force: true })
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

async function sharedFolder(folder: string, fsGroup: number | undefined): Promise<string> {
  if (await exists(folder)) return folder
  await mkdir(folder, { recursive: true })
  if (fsGroup !== undefined) await chown(folder, 0, fsGroup)
  await chmod(folder, fsGroup === undefined ? 0o777 : 0o2777)
  return folder
}

async function writeIfNews(folder: string, file: VolumeFile, fsGroup: number | undefined): Promise<void> {
  const path = join(folder, file.path)
  const before = await readFile(path).catch(() => undefined)
  if (before?.equals(file.content)) return
  await mkdir(dirname(path), { recursive: true })
  // A reader sees the old file or the new one, whole.
  const draft = join(folder, `..${randomUUID()}`)
  await writeFile(draft, file.content, { mode: 0o600 })
  if (fsGroup !== undefined) await chown(draft, 0, fsGroup)
  await chmod(draft, fsGroup === undefined ? file.mode : file.mode | 0o440)
  await rename(draft, path)
}

async function removeOthers(folder: string, files: readonly VolumeFile[]): Promise<void> {
  const kept = new Set(files.map(({ path }) => join(folder, path)))
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    // Names with two dots are drafts, and no names of keys.
    if (entry.isFile() && !entry.name.startsWith('..') && !kept.has(path)) await rm(path)
  }
}

const hostPathKinds: Record<string, (found: Awaited<ReturnType<typeof stat>>) => boolean> = {
  Directory: (found) => found.isDirectory(),
  DirectoryOrCreate: (found) => found.isDirectory(),
  File: (found) => found.isFile(),
  FileOrCreate: (found) => found.isFile(),
  Socket: (found) => found.isSocket(),
  CharDevice: (found) => found.isCharacterDevice(),
  BlockDevice: (found) => found.isBlockDevice(),
}

async function preparedHostPath(volume: string, path: string, type = ''): Promise<string> {
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 })
  if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close()
  if (type === '') {
    // The runtime would refuse to mount what is not there; the real kubelet makes a folder.
    if (!(await exists(path))) await mkdir(path, { recursive: true, mode: 0o755 })
    return path
  }
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || hostPathKinds[type]?.(found) !== true)
    throw new ConfigError(`volume ${volume}: hostPath type check failed: ${path} is not a ${type}`)
  return path
}

/** Links in a volume are its pods' doing: none may lead out of it. */
async function subPath(source: string, below: string, volume: string): Promise<string> {
  const wanted = join(source, below)
  const outside = new ConfigError(`volume ${volume}: subPath ${JSON.stringify(below)} leads out of the volume`)
  const isInside = (path: string, root: string): boolean => path === root || path.startsWith(`${root}${sep}`)
  if (!isInside(wanted, source)) throw outside
  const root = await realpath(source)
  // Before a folder is made: its nearest ancestor that is there already.
  let ancestor = wanted
  while (!(await exists(ancestor))) ancestor = dirname(ancestor)
  if (!isInside(await realpath(ancestor), root)) throw outside
  if (ancestor !== wanted) await mkdir(wanted, { recursive: true, mode: 0o755 })
  return realpath(wanted)
}
