import type { NameRule } from '../schema/metadata.ts'
import { builtInGroups } from './built-in-groups.ts'
import { allVerbs, apiVersionOf, type GroupSpec, type Resource, type ResourceSpec } from './resource.ts'

/** Resources that share their objects: as in Kubernetes, both groups have the same Events. */
const sharedStorage: Record<string, string> = { 'events.k8s.io/events': '/events' }

const nameRules: Record<string, NameRule> = {
  namespaces: 'label',
  services: 'label',
  statefulsets: 'label',
  roles: 'path-segment',
  clusterroles: 'path-segment',
  rolebindings: 'path-segment',
  clusterrolebindings: 'path-segment',
}

/** The served resources: the built-in resources, and those of the current CustomResourceDefinitions. */
export class Registry {
  private readonly byPath = new Map<string, Resource>()
  private readonly byKind = new Map<string, Resource>()
  private readonly groupOrder: string[] = []
  /** Increases with every change, so that clients of the registry can cache documents. */
  generation = 0

  constructor(groups: readonly GroupSpec[] = builtInGroups) {
    for (const { group, version, resources } of groups)
      for (const spec of resources) this.add(builtIn(group, version, spec))
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.byPath.get(`${group}/${version}/${plural}`)
  }

  findKind(apiVersion: string, kind: string): Resource | undefined {
    return this.byKind.get(`${apiVersion} ${kind}`)
  }

  /** The resource whose objects are stored under this name; undefined after its definition is gone. */
  ofStorage(storage: string): Resource | undefined {
    return this.all().find((resource) => resource.storage === storage)
  }

  /** All resources, in the order in which they are served. */
  all(): Resource[] {
    return [...this.byPath.values()]
  }

  /** The groups except core, in discovery's order. */
  groups(): string[] {
    return this.groupOrder.filter((group) => group !== '')
  }

  /** The versions of a group; the preferred version is first. */
  versions(group: string): string[] {
    const found = new Set(this.all().flatMap((resource) => (resource.group === group ? [resource.version] : [])))
    return [...found].sort(byVersionPriority)
  }

  resourcesOf(group: string, version: string): Resource[] {
    return this.all().filter((resource) => resource.group === group && resource.version === version)
  }

  add(resource: Resource): void {
    this.byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource)
    this.byKind.set(`${resource.apiVersion} ${resource.kind}`, resource)
    if (!this.groupOrder.includes(resource.group)) this.groupOrder.push(resource.group)
    this.generation++
  }

  remove(resource: Resource): void {
    this.byPath.delete(`${resource.group}/${resource.version}/${resource.plural}`)
    this.byKind.delete(`${resource.apiVersion} ${resource.kind}`)
    const index = this.groupOrder.indexOf(resource.group)
    if (!this.all().some(({ group }) => group === resource.group) && index >= 0) this.groupOrder.splice(index, 1)
    this.generation++
  }
}

function builtIn(group: string, version: string, spec: ResourceSpec): Resource {
  return {
    ...spec,
    group,
    version,
    apiVersion: apiVersionOf(group, version),
    listKind: `${spec.kind}List`,
    verbs: spec.verbs ?? allVerbs,
    subresources: spec.subresources ?? [],
    storage: sharedStorage[`${group}/${spec.plural}`] ?? `${group}/${spec.plural}`,
    names: nameRules[spec.plural] ?? 'subdomain',
  }
}

const pattern = /^v(\d+)(?:(alpha|beta)(\d+))?$/

/** Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name. */
export function byVersionPriority(a: string, b: string): number {
  const left = pattern.exec(a)
  const right = pattern.exec(b)
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1
  const stage = (found: RegExpExecArray): number => (found[2] === 'alpha' ? 0 : found[2] === 'beta' ? 1 : 2)
  return (
    stage(right) - stage(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0)
  )
}
