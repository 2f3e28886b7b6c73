import type { Authorizer, PolicyRule } from '../../auth/authorizer.ts'
import { covers, rulesOf } from '../../auth/rbac-authorizer.ts'
import { groupResource } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { objectOf, sameJson, textOf } from '../../schema/json.ts'
import { forbidden, notFound } from '../../status.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'
import type { AdmissionRequest } from '../admission-request.ts'

const group = 'rbac.authorization.k8s.io'
const roles = new Set([`${group}/roles`, `${group}/clusterroles`])
const bindings = new Set([`${group}/rolebindings`, `${group}/clusterrolebindings`])

/** Nobody grants what he does not have himself, unless he may `escalate` or `bind`. */
export function escalationCheck(store: Store, authorizer: Authorizer): AdmissionPlugin {
  return {
    admit(request) {
      const { object, oldObject, operation, resource, user } = request
      if (!object || operation === 'DELETE' || user.groups.includes('system:masters')) return
      if (
        roles.has(resource.storage) &&
        !sameJson(object['rules'], oldObject?.['rules']) &&
        !may(request, 'escalate', authorizer)
      )
        checkHeld(request, rulesOf(object), authorizer)
      if (bindings.has(resource.storage)) checkBinding(request, object, store, authorizer)
    },
  }
}

function may({ user, resource, namespace, name }: AdmissionRequest, verb: string, authorizer: Authorizer): boolean {
  const asked = {
    user,
    verb,
    isResource: true,
    group,
    version: 'v1',
    resource: resource.plural,
    subresource: '',
    path: '',
  }
  return authorizer.authorize({ ...asked, namespace: resource.namespaced ? namespace : '', name }).allowed
}

function checkBinding(request: AdmissionRequest, object: KubeObject, store: Store, authorizer: Authorizer): void {
  const { kind, name } = objectOf(object['roleRef'])
  const plural = kind === 'ClusterRole' ? 'clusterroles' : 'roles'
  const namespace = kind === 'ClusterRole' ? '' : request.namespace
  const asked = { user: request.user, verb: 'bind', isResource: true, group, version: 'v1', subresource: '', path: '' }
  const attributes = { ...asked, resource: plural, namespace: request.namespace, name: textOf(name) }
  if (authorizer.authorize(attributes).allowed) return
  const role = store.get(`${group}/${plural}`, namespace, textOf(name))
  if (!role) throw notFound({ group, resource: plural }, textOf(name))
  checkHeld(request, rulesOf(role), authorizer)
}

/** @throws {ApiStatusError} 403 with the rules that the user lacks */
function checkHeld(request: AdmissionRequest, wanted: readonly PolicyRule[], authorizer: Authorizer): void {
  const { user, resource, namespace } = request
  const held = authorizer.rulesFor(user, resource.namespaced ? namespace : '').rules
  const missing = wanted.filter((rule) => !atoms(rule, user).every((atom) => held.some((one) => covers(one, atom))))
  if (missing.length === 0) return
  const groups = user.groups.map((name) => JSON.stringify(name)).join(' ')
  throw forbidden(
    groupResource(resource),
    request.name ?? '',
    `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(ruleText).sort().join('\n')}`,
  )
}

type Attributes = Parameters<typeof covers>[1]

/** Every single access that a rule grants. */
function atoms(rule: PolicyRule, user: Attributes['user']): Attributes[] {
  const base = { user, version: '', namespace: '' }
  const names = rule.resourceNames.length > 0 ? rule.resourceNames : ['']
  const paths = rule.nonResourceURLs.flatMap((path) =>
    rule.verbs.map((verb) => ({
      ...base,
      verb,
      isResource: false,
      group: '',
      resource: '',
      subresource: '',
      name: '',
      path,
    })),
  )
  const resources = rule.verbs.flatMap((verb) =>
    rule.apiGroups.flatMap((apiGroup) =>
      rule.resources.flatMap((one) => {
        const [resource = '', subresource = ''] = one.split('/')
        return names.map((name) => ({
          ...base,
          verb,
          isResource: true,
          group: apiGroup,
          resource,
          subresource,
          name,
          path: '',
        }))
      }),
    ),
  )
  return [...paths, ...resources]
}

function ruleText(rule: PolicyRule): string {
  const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
  const fields: [string, readonly string[]][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ]
  return `{${fields
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => `${name}:${list(values)}`)
    .join(', ')}}`
}
