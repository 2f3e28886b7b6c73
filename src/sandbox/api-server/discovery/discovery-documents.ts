import { createHash } from 'node:crypto'
import type { Registry } from '../registry/registry.ts'
import { apiVersionOf, type Resource, type SubresourceSpec } from '../registry/resource.ts'
import type { JsonObject } from '../schema/json.ts'

/** `/api`: the versions of the core group. */
export const coreVersions = (address: string): JsonObject => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
})

/** `/apis`: every other group. */
export const groupList = (registry: Registry): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: registry.groups().map((group) => groupEntry(registry, group)),
})

/** `/apis/GROUP`; undefined for a group that there is not. */
export function groupDocument(registry: Registry, group: string): JsonObject | undefined {
  if (!registry.groups().includes(group)) return undefined
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(registry, group) }
}

function groupEntry(registry: Registry, group: string): JsonObject {
  const versions = registry.versions(group).map((version) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions, preferredVersion: versions[0] ?? null }
}

/** `/api/v1` and `/apis/GROUP/VERSION`; undefined for a version that there is not. */
export function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const resources = registry.resourcesOf(group, version)
  if (resources.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf(group, version),
    resources: resources.flatMap((resource) => [
      resourceEntry(resource),
      ...resource.subresources.map((subresource) => subresourceEntry(resource, subresource)),
    ]),
  }
}

function resourceEntry(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, shortNames, categories } = resource
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(resource),
    ...(shortNames?.length ? { shortNames: [...shortNames] } : {}),
    ...(categories?.length ? { categories: [...categories] } : {}),
    ...(resource.verbs.includes('watch') ? { storageVersionHash: storageVersionHash(resource) } : {}),
  }
}

function subresourceEntry({ plural, namespaced }: Resource, subresource: SubresourceSpec): JsonObject {
  const { name, kind, verbs, group, version } = subresource
  return {
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...(group && version ? { group, version } : {}),
    kind,
    verbs: sorted(verbs),
  }
}

const sorted = (verbs: readonly string[]): string[] => [...verbs].sort()

/** Those of custom resources come in an order of their own. */
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

const verbsOf = ({ verbs, custom }: Resource): string[] =>
  custom ? customVerbs.filter((verb) => (verbs as readonly string[]).includes(verb)) : sorted(verbs)

/** Changes when the version does in which objects are stored: base64 of the first 8 bytes of a hash of its name. */
function storageVersionHash({ group, version, kind, custom }: Resource): string {
  const stored = custom?.storageVersion ?? version
  const digest = createHash('sha256').update(`${group}/${stored}/${kind}`).digest()
  return digest.subarray(0, 8).toString('base64')
}

/** Everything at once, for `/api` and `/apis` of clients that accept it. */
export function aggregatedDiscovery(registry: Registry, core: boolean): JsonObject {
  const groups = core ? [''] : registry.groups()
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((group) => ({
      metadata: group === '' ? {} : { name: group },
      versions: registry.versions(group).map((version) => versionDiscovery(registry, group, version)),
    })),
  }
}

function versionDiscovery(registry: Registry, group: string, version: string): JsonObject {
  const resources = registry.resourcesOf(group, version)
  return {
    version,
    resources: resources.map((resource) => resourceDiscovery(resource)),
    freshness: 'Current',
  }
}

function resourceDiscovery(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind, shortNames, categories, subresources, custom } = resource
  const { group, version } = resource
  // Built-in kinds are of the group and version they are listed under, which the server leaves out.
  const responseKind = custom ? { group, version, kind } : { group: '', version: '', kind }
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(resource),
    ...(shortNames?.length ? { shortNames: [...shortNames] } : {}),
    ...(categories?.length ? { categories: [...categories] } : {}),
    ...(subresources.length > 0
      ? { subresources: subresources.map((subresource) => subresourceDiscovery(resource, subresource)) }
      : {}),
  }
}

function subresourceDiscovery({ custom, ...resource }: Resource, subresource: SubresourceSpec): JsonObject {
  const own = custom ? { group: resource.group, version: resource.version } : { group: '', version: '' }
  const { group = own.group, version = own.version, kind, name, verbs } = subresource
  return { subresource: name, responseKind: { group, version, kind }, verbs: sorted(verbs) }
}
