import type { AccessAttributes } from '../auth/authorizer.ts'
import type { ResourceCall } from '../context.ts'
import { timestamp } from '../context.ts'
import type { Resource } from '../registry/resource.ts'
import type { UserInfo } from '../request.ts'
import { type ApiResponse, json } from '../request.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import { badRequest, invalid } from '../status.ts'
import { bodyValue, decodeObject } from './decode-body.ts'
import { writeOptions } from './options.ts'
import { handleBinding } from './subresources/binding.ts'

type Handler = (call: ResourceCall) => ApiResponse | Promise<ApiResponse>

const handlers: Record<string, Handler> = {
  'authentication.k8s.io/tokenreviews': tokenReview,
  'authentication.k8s.io/selfsubjectreviews': selfSubjectReview,
  'authorization.k8s.io/subjectaccessreviews': (call) => accessReview(call, 'other'),
  'authorization.k8s.io/localsubjectaccessreviews': (call) => accessReview(call, 'local'),
  'authorization.k8s.io/selfsubjectaccessreviews': (call) => accessReview(call, 'self'),
  'authorization.k8s.io/selfsubjectrulesreviews': rulesReview,
  '/bindings': (call) => {
    const name = textOf(objectOf(objectOf(bodyValue(call.request))['metadata'])['name'])
    return handleBinding({
      ...call,
      resource: call.context.registry.find('', 'v1', 'pods')!,
      info: { ...call.info, name },
    })
  },
}

/** How a resource answers that stores nothing: its objects are questions. */
export const virtualHandler = (resource: Resource): Handler | undefined => handlers[resource.storage]

function read(call: ResourceCall): JsonObject {
  return decodeObject(call, writeOptions(call.query, 'Create'))
}

function reviewed(call: ResourceCall, spec: JsonObject | undefined, status: JsonObject): ApiResponse {
  const { kind, apiVersion } = call.resource
  return json(201, { kind, apiVersion, metadata: {}, ...(spec ? { spec } : {}), status })
}

function tokenReview(call: ResourceCall): ApiResponse {
  const spec = objectOf(read(call)['spec'])
  const token = textOf(spec['token'])
  if (token === '') throw badRequest('token is required for TokenReview in authentication')
  const audiences = listOf(spec['audiences']).map(textOf)
  const verified = call.context.authenticator.token(token, audiences.length > 0 ? audiences : undefined)
  if (!verified) return reviewed(call, spec, { user: {}, error: 'invalid bearer token, token lookup failed' })
  return reviewed(call, spec, {
    authenticated: true,
    user: userObject(verified.user),
    audiences: [...verified.audiences],
  })
}

function userObject({ name, uid, groups, extra }: UserInfo): JsonObject {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups: [...groups],
    ...(extra === undefined || Object.keys(extra).length === 0
      ? {}
      : { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
  }
}

function selfSubjectReview(call: ResourceCall): ApiResponse {
  const { kind, apiVersion } = call.resource
  return json(201, {
    kind,
    apiVersion,
    metadata: { creationTimestamp: timestamp(call.context.clock.now()) },
    status: { userInfo: userObject(call.user) },
  })
}

function accessReview(call: ResourceCall, of: 'self' | 'local' | 'other'): ApiResponse {
  const review = read(call)
  const spec = objectOf(review['spec'])
  const resource = spec['resourceAttributes']
  const path = spec['nonResourceAttributes']
  const issue = accessIssue(call, spec, of)
  if (issue) throw invalid({ group: 'authorization.k8s.io', kind: call.resource.kind }, '', [issue])
  const user = of === 'self' ? call.user : specUser(spec)
  const { allowed, reason } = call.context.authorizer.authorize(attributes(user, objectOf(resource), path))
  return reviewed(call, spec, { allowed, ...(reason === '' ? {} : { reason }) })
}

function accessIssue(call: ResourceCall, spec: JsonObject, of: 'self' | 'local' | 'other') {
  const both = spec['resourceAttributes'] !== undefined && spec['nonResourceAttributes'] !== undefined
  const none = spec['resourceAttributes'] === undefined && spec['nonResourceAttributes'] === undefined
  if (both)
    return {
      type: 'FieldValueInvalid' as const,
      field: 'spec.nonResourceAttributes',
      value: spec['nonResourceAttributes'] ?? null,
      detail: 'cannot be specified in combination with resourceAttributes',
    }
  if (none)
    return {
      type: 'FieldValueInvalid' as const,
      field: 'spec.resourceAttributes',
      value: null,
      detail: 'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    }
  if (of !== 'self' && textOf(spec['user']) === '' && listOf(spec['groups']).length === 0)
    return {
      type: 'FieldValueInvalid' as const,
      field: 'spec.user',
      value: textOf(spec['user']),
      detail: 'at least one of user or group must be specified',
    }
  if (of === 'local' && textOf(objectOf(spec['resourceAttributes'])['namespace']) !== call.info.namespace)
    return {
      type: 'FieldValueInvalid' as const,
      field: 'spec.resourceAttributes.namespace',
      value: textOf(objectOf(spec['resourceAttributes'])['namespace']),
      detail: `must match metadata.namespace: ${call.info.namespace}`,
    }
  return undefined
}

function specUser(spec: JsonObject): UserInfo {
  const extra = Object.entries(objectOf(spec['extra'])).map(([key, values]) => [key, listOf(values).map(textOf)])
  return {
    name: textOf(spec['user']),
    uid: textOf(spec['uid']),
    groups: listOf(spec['groups']).map(textOf),
    extra: Object.fromEntries(extra),
  }
}

function attributes(user: UserInfo, resource: JsonObject, nonResource: unknown): AccessAttributes {
  const path = objectOf(nonResource)
  const isResource = nonResource === undefined
  return {
    user,
    isResource,
    verb: textOf((isResource ? resource : path)['verb']),
    group: textOf(resource['group']),
    version: textOf(resource['version']),
    resource: textOf(resource['resource']),
    subresource: textOf(resource['subresource']),
    namespace: textOf(resource['namespace']),
    name: textOf(resource['name']),
    path: textOf(path['path']),
  }
}

function rulesReview(call: ResourceCall): ApiResponse {
  const spec = objectOf(read(call)['spec'])
  const namespace = textOf(spec['namespace'])
  if (namespace === '') throw badRequest('no namespace on request')
  const { rules, errors } = call.context.authorizer.rulesFor(call.user, namespace)
  const resourceRules = rules
    .filter((rule) => rule.resources.length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs: [...verbs],
      apiGroups: [...apiGroups],
      resources: [...resources],
      ...(resourceNames.length > 0 ? { resourceNames: [...resourceNames] } : {}),
    }))
  const nonResourceRules = rules
    .filter((rule) => rule.nonResourceURLs.length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs: [...verbs], nonResourceURLs: [...nonResourceURLs] }))
  return reviewed(
    call,
    {},
    {
      resourceRules,
      nonResourceRules,
      incomplete: errors.length > 0,
      ...(errors.length > 0 ? { evaluationError: errors.join(', ') } : {}),
    },
  )
}
