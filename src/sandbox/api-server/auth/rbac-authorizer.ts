import type { KubeObject } from '../kube-object.ts'
import type { UserInfo } from '../request.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'
import type { AccessAttributes, Authorizer, Decision, PolicyRule } from './authorizer.ts'
import { BindingIndex } from './binding-index.ts'

const group = 'rbac.authorization.k8s.io'

/** Role-based access, read from the stored roles and bindings. `system:masters` may do everything. */
export class RbacAuthorizer implements Authorizer {
  private readonly store: Store
  private readonly bindings: BindingIndex

  constructor(store: Store) {
    this.store = store
    this.bindings = new BindingIndex(store)
  }

  authorize(attributes: AccessAttributes): Decision {
    if (attributes.user.groups.includes('system:masters')) return { allowed: true, reason: '' }
    const errors: string[] = []
    for (const { rules, reason } of this.grants(attributes.user, attributes.namespace, errors))
      if (rules.some((rule) => covers(rule, attributes))) return { allowed: true, reason }
    return { allowed: false, reason: errors.length > 0 ? `RBAC: ${aggregate(errors)}` : '' }
  }

  rulesFor(user: UserInfo, namespace: string): { rules: PolicyRule[]; errors: string[] } {
    const errors: string[] = []
    const rules = [...this.grants(user, namespace, errors)].flatMap((grant) => grant.rules)
    // What `system:masters` may do is said by the role that it has from the start.
    return { rules, errors }
  }

  private *grants(
    user: UserInfo,
    namespace: string,
    errors: string[],
  ): Generator<{ rules: PolicyRule[]; reason: string }> {
    for (const binding of this.bindings.find(user, '')) yield* this.grant(binding, user, '', errors)
    if (namespace === '') return
    for (const binding of this.bindings.find(user, namespace)) yield* this.grant(binding, user, namespace, errors)
  }

  private *grant(
    binding: KubeObject,
    user: UserInfo,
    namespace: string,
    errors: string[],
  ): Generator<{ rules: PolicyRule[]; reason: string }> {
    const subject = listOf(binding['subjects'])
      .map(objectOf)
      .find((one) => isSubject(one, user, namespace))
    if (!subject) return
    const reference = objectOf(binding['roleRef'])
    const role = this.role(reference, namespace)
    if (role) yield { rules: rulesOf(role), reason: reasonOf(binding, reference, subject) }
    else errors.push(notFoundText(reference))
  }

  private role({ kind, name }: JsonObject, namespace: string): KubeObject | undefined {
    if (kind === 'ClusterRole') return this.store.get(`${group}/clusterroles`, '', textOf(name))
    return this.store.get(`${group}/roles`, namespace, textOf(name))
  }
}

const notFoundText = ({ kind, name }: JsonObject): string =>
  `${kind === 'ClusterRole' ? 'clusterrole' : 'role'}.${group} ${JSON.stringify(textOf(name))} not found`

/** As Go prints a list of errors: one alone, several in brackets without repetition. */
function aggregate(errors: readonly string[]): string {
  const distinct = [...new Set(errors)]
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`
}

function isSubject(subject: JsonObject, user: UserInfo, bindingNamespace: string): boolean {
  const name = textOf(subject['name'])
  switch (subject['kind']) {
    case 'User':
      return user.name === name
    case 'Group':
      return user.groups.includes(name)
    case 'ServiceAccount': {
      const namespace = textOf(subject['namespace']) || bindingNamespace
      return namespace !== '' && user.name === `system:serviceaccount:${namespace}:${name}`
    }
    default:
      return false
  }
}

function reasonOf(binding: KubeObject, reference: JsonObject, subject: JsonObject): string {
  const { name, namespace } = binding.metadata
  const of = namespace ? `RoleBinding "${name}/${namespace}"` : `ClusterRoleBinding "${name}"`
  const who =
    subject['kind'] === 'ServiceAccount'
      ? `ServiceAccount "${textOf(subject['name'])}/${textOf(subject['namespace'])}"`
      : `${textOf(subject['kind'])} "${textOf(subject['name'])}"`
  return `RBAC: allowed by ${of} of ${textOf(reference['kind'])} "${textOf(reference['name'])}" to ${who}`
}

const texts = (value: unknown): string[] => listOf(value).map(textOf)

/** The rules of a Role or ClusterRole. */
export const rulesOf = (role: KubeObject): PolicyRule[] =>
  listOf(role['rules'])
    .map(objectOf)
    .map((rule) => ({
      verbs: texts(rule['verbs']),
      apiGroups: texts(rule['apiGroups']),
      resources: texts(rule['resources']),
      resourceNames: texts(rule['resourceNames']),
      nonResourceURLs: texts(rule['nonResourceURLs']),
    }))

const allows = (values: readonly string[], value: string): boolean => values.includes('*') || values.includes(value)

/** Whether a rule allows what is asked. */
export function covers(rule: PolicyRule, attributes: AccessAttributes): boolean {
  if (!allows(rule.verbs, attributes.verb)) return false
  if (!attributes.isResource) return rule.nonResourceURLs.some((url) => matchesPath(url, attributes.path))
  const { resource, subresource, name } = attributes
  const wanted = subresource === '' ? resource : `${resource}/${subresource}`
  return (
    allows(rule.apiGroups, attributes.group) &&
    (allows(rule.resources, wanted) || (subresource !== '' && rule.resources.includes(`*/${subresource}`))) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(name))
  )
}

const matchesPath = (url: string, path: string): boolean =>
  url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)))
