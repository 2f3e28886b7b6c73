import type { ConfigMap, Secret } from '../../kube/core-objects.ts'
import type { Pod } from '../controllers/types.ts'
import { ConfigError } from './environment.ts'
import { fieldValue, type PodPlace } from './field-values.ts'
import type { DownwardItem, KeyPath, ObjectSource, Projection, Volume } from './pod-fields.ts'

/** A file of a volume that the kubelet fills. */
export interface VolumeFile {
  /** Below the volume's folder. */
  readonly path: string
  readonly content: Uint8Array
  readonly mode: number
}

/** What volumes of a pod are filled from. Undefined: there is no such object. */
export interface VolumeObjects {
  configMap(name: string): Promise<ConfigMap | undefined>
  secret(name: string): Promise<Secret | undefined>
  /** A token of the pod's service account. @throws where the API server gives none */
  token(audience: string | undefined, seconds: number): Promise<string>
}

const usualMode = 0o644
/** Seconds, where a projection names none. */
const tokenLifetime = 3600

/** Kinds of volumes that are filled with files. */
export const isFilled = ({ configMap, secret, downwardAPI, projected }: Volume): boolean =>
  [configMap, secret, downwardAPI, projected].some((source) => source !== undefined)

/**
 * The files of a volume.
 * @throws {ConfigError} for what is missing and not optional, and for what this node cannot give
 */
export async function volumeFiles(
  volume: Volume,
  pod: Pod,
  place: PodPlace,
  objects: VolumeObjects,
): Promise<VolumeFile[]> {
  const { configMap, secret, downwardAPI, projected } = volume
  const context = { volume: volume.name, pod, place, objects }
  if (configMap !== undefined) return ofObject(context, 'configmap', configMap, configMap.defaultMode)
  if (secret !== undefined)
    return ofObject(context, 'secret', { ...secret, name: secret.secretName ?? '' }, secret.defaultMode)
  if (downwardAPI !== undefined) return ofFields(context, downwardAPI.items, downwardAPI.defaultMode)
  const files: VolumeFile[] = []
  for (const source of projected?.sources ?? [])
    files.push(...(await projectedFiles(context, source, projected?.defaultMode)))
  return files
}

interface Context {
  readonly volume: string
  readonly pod: Pod
  readonly place: PodPlace
  readonly objects: VolumeObjects
}

async function projectedFiles(context: Context, source: Projection, mode = usualMode): Promise<VolumeFile[]> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source
  if (configMap !== undefined) return ofObject(context, 'configmap', configMap, mode)
  if (secret !== undefined) return ofObject(context, 'secret', secret, mode)
  if (downwardAPI !== undefined) return ofFields(context, downwardAPI.items, mode)
  if (serviceAccountToken === undefined)
    throw new ConfigError(
      `volume ${context.volume}: a projection of ${Object.keys(source).join(', ')} is not supported on this node`,
    )
  const { audience, expirationSeconds = tokenLifetime, path } = serviceAccountToken
  const token = await context.objects.token(audience, expirationSeconds)
  return [{ path: safePath(context, path), content: Buffer.from(token), mode }]
}

async function ofObject(
  context: Context,
  kind: 'configmap' | 'secret',
  { name = '', items, optional }: ObjectSource,
  mode = usualMode,
): Promise<VolumeFile[]> {
  const data =
    kind === 'configmap'
      ? configMapData(await context.objects.configMap(name))
      : secretData(await context.objects.secret(name))
  if (data === undefined) {
    if (optional === true) return []
    throw new ConfigError(`volume ${context.volume}: ${kind} "${name}" not found`)
  }
  const chosen: KeyPath[] = items ?? Array.from(data.keys(), (key) => ({ key, path: key }))
  return chosen.flatMap((item) => {
    const content = data.get(item.key)
    if (content !== undefined) return [{ path: safePath(context, item.path), content, mode: item.mode ?? mode }]
    if (optional === true) return []
    throw new ConfigError(`volume ${context.volume}: references non-existent ${kind} key: ${item.key}`)
  })
}

function ofFields(
  { volume, pod, place }: Context,
  items: readonly DownwardItem[] = [],
  mode = usualMode,
): VolumeFile[] {
  return items.map(({ path, fieldRef, mode: own }) => {
    const value = fieldRef && fieldValue(pod, fieldRef.fieldPath, place)
    if (value === undefined)
      throw new ConfigError(
        `volume ${volume}: ${path}: ${fieldRef === undefined ? 'resourceFieldRef' : fieldRef.fieldPath} is not supported on this node`,
      )
    return { path: safePath({ volume }, path), content: Buffer.from(value), mode: own ?? mode }
  })
}

function configMapData(object: (ConfigMap & { binaryData?: Record<string, string> }) | undefined) {
  if (object === undefined) return undefined
  const texts = Object.entries(object.data ?? {}).map(([key, text]): [string, Uint8Array] => [key, Buffer.from(text)])
  return new Map([...texts, ...decoded(object.binaryData)])
}

const secretData = (object: Secret | undefined): Map<string, Uint8Array> | undefined =>
  object && new Map(decoded(object.data))

const decoded = (data: Readonly<Record<string, string>> = {}): [string, Uint8Array][] =>
  Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64')])

/** The API server refuses paths that lead out of a volume; what writes as root trusts nobody. */
function safePath({ volume }: Pick<Context, 'volume'>, path: string): string {
  const parts = path.split('/')
  if (path !== '' && !path.startsWith('/') && parts.every((part) => part !== '..' && part !== '.' && part !== ''))
    return path
  throw new ConfigError(`volume ${volume}: ${JSON.stringify(path)} is no path below the volume`)
}
