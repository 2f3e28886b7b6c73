import { createHash } from 'node:crypto'
import type { Registry } from '../registry/registry.ts'
import { apiVersionOf, type Resource, type SubresourceSpec } from '../registry/resource.ts'
import type { JsonObject } from '../schema/json.ts'

/** The document at `/api`: the versions of the core group. */
export const coreVersions = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }

/** The document at `/apis`: all groups except the core group. */
export const groupList = (registry: Registry): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: registry.groups().map((group) => groupEntry(registry, group)),
})

/** The document at `/apis/GROUP`; undefined for an unknown group. */
export function groupDocument(registry: Registry, group: string): JsonObject | undefined {
  if (!registry.groups().includes(group)) return undefined
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(registry, group) }
}

function groupEntry(registry: Registry, group: string): JsonObject {
  const versions = registry.versions(group).map((version) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions, preferredVersion: versions[0] ?? null }
}

/** The document at `/api/v1` or `/apis/GROUP/VERSION`; undefined for an unknown version. */
export function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const found = registry.resourcesOf(group, version)
  if (found.length === 0) return undefined
  const resources = found.flatMap((resource) => [
    resourceEntry(resource),
    ...resource.subresources.map((subresource) => subresourceEntry(resource, subresource)),
  ])
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf(group, version), resources }
}

/** The part that both forms of discovery have in common. */
const common = ({ verbs, shortNames, categories }: Resource): JsonObject => ({
  verbs: [...verbs],
  ...(shortNames?.length ? { shortNames: [...shortNames] } : {}),
  ...(categories?.length ? { categories: [...categories] } : {}),
})

function resourceEntry(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, group, version } = resource
  // As in Kubernetes, the text changes with the storage version: base64 of the first 8 bytes of the hash of its name.
  const digest = createHash('sha256').update(`${group}/${version}/${kind}`).digest()
  const stored = resource.verbs.includes('watch')
    ? { storageVersionHash: digest.subarray(0, 8).toString('base64') }
    : {}
  return { name: plural, singularName: singular, namespaced, kind, ...common(resource), ...stored }
}

function subresourceEntry({ plural, namespaced }: Resource, subresource: SubresourceSpec): JsonObject {
  const { name, kind, verbs, group, version } = subresource
  const own = group && version ? { group, version } : {}
  return { name: `${plural}/${name}`, singularName: '', namespaced, ...own, kind, verbs: [...verbs] }
}

/** All groups in one document, for clients of `/api` and `/apis` that accept it. */
export function aggregatedDiscovery(registry: Registry, core: boolean): JsonObject {
  const items = (core ? [''] : registry.groups()).map((group) => ({
    metadata: group === '' ? {} : { name: group },
    versions: registry.versions(group).map((version) => ({
      version,
      resources: registry.resourcesOf(group, version).map(resourceDiscovery),
      freshness: 'Current',
    })),
  }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items }
}

function resourceDiscovery(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, subresources, custom, group, version } = resource
  // A built-in kind belongs to the listed group and version, so the server omits both here.
  const home = custom ? { group, version } : { group: '', version: '' }
  const below = subresources.map((one) => ({
    subresource: one.name,
    responseKind: { group: one.group ?? home.group, version: one.version ?? home.version, kind: one.kind },
    verbs: [...one.verbs],
  }))
  return {
    resource: plural,
    responseKind: { ...home, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    ...common(resource),
    ...(below.length > 0 ? { subresources: below } : {}),
  }
}
