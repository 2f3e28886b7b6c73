import type { KubeObject } from '../kube-object.ts'
import type { UserInfo } from '../request.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'

const group = 'rbac.authorization.k8s.io'
const storages = [`${group}/clusterrolebindings`, `${group}/rolebindings`]

/** Finds the bindings that name a user or one of its groups, at the cost of those alone. */
export class BindingIndex {
  /** By namespace (empty for the cluster) and subject. */
  private readonly bySubject = new Map<string, Set<KubeObject>>()

  constructor(store: Store) {
    for (const storage of storages) for (const binding of store.walk(storage)) this.add(binding)
    store.listen((storage, { type, object, previous }) => {
      if (!storages.includes(storage)) return
      if (previous) this.remove(previous)
      if (type !== 'DELETED') this.add(object)
    })
  }

  /** The bindings of a namespace (empty for those of the cluster) for a user, in the order of their names. */
  find(user: UserInfo, namespace: string): KubeObject[] {
    const found = new Set(this.bySubject.get(keyOf(namespace, userSubject(user.name))))
    for (const name of user.groups)
      for (const binding of this.bySubject.get(keyOf(namespace, groupSubject(name))) ?? []) found.add(binding)
    return [...found].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  private add(binding: KubeObject): void {
    for (const key of keysOf(binding)) {
      const there = this.bySubject.get(key)
      if (there) there.add(binding)
      else this.bySubject.set(key, new Set([binding]))
    }
  }

  private remove(binding: KubeObject): void {
    for (const key of keysOf(binding)) {
      const there = this.bySubject.get(key)
      there?.delete(binding)
      if (there?.size === 0) this.bySubject.delete(key)
    }
  }
}

const keyOf = (namespace: string, subject: string): string => `${namespace} ${subject}`
const userSubject = (name: string): string => `user ${name}`
const groupSubject = (name: string): string => `group ${name}`

function keysOf(binding: KubeObject): string[] {
  const { namespace = '' } = binding.metadata
  const subjects = listOf(binding['subjects']).map(objectOf)
  return subjects.flatMap((subject) => subjectOf(subject, namespace) ?? []).map((subject) => keyOf(namespace, subject))
}

function subjectOf(subject: JsonObject, bindingNamespace: string): string | undefined {
  const name = textOf(subject['name'])
  if (subject['kind'] === 'User') return userSubject(name)
  if (subject['kind'] === 'Group') return groupSubject(name)
  const namespace = textOf(subject['namespace']) || bindingNamespace
  // A service account is a user with such a name.
  return subject['kind'] === 'ServiceAccount' ? userSubject(`system:serviceaccount:${namespace}:${name}`) : undefined
}
