import { readFileSync } from 'node:fs'

/**
 * An audit policy that logs each request of service accounts, without bodies, but no request of Kubernetes' own
 * accounts.
 */
export const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'None' },
  ],
}

/** A request for objects, from the API server's audit log. */
export interface ServedRequest {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  user: string
  verb: string
  group: string
  /** Name with the subresource, as in a role: `varmorpolicies/status`. */
  resource: string
  namespace: string
  /** Name of the object; also set for a list or a watch of one object. */
  name: string
  /** Tells whether authorization refused the request because no role gives the right. */
  isForbidden: boolean
}

interface AuditEvent {
  verb: string
  user: { username: string }
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string; namespace?: string; name?: string }
  responseStatus?: { code?: number }
  annotations?: Record<string, string>
}

/** The requests in a log of the API server. The log may contain a watch twice, at its start and at its end. */
export function servedRequests(log: string): ServedRequest[] {
  // The API server may still be writing the last line.
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  return lines.flatMap((line) => {
    const { verb, user, objectRef, responseStatus, annotations = {} } = JSON.parse(line) as AuditEvent
    if (objectRef?.resource === undefined) return []
    const { apiGroup: group = '', resource, subresource, namespace = '', name = '' } = objectRef
    const request: ServedRequest = {
      ...{ user: user.username, verb, group, namespace, name },
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
      isForbidden: annotations['authorization.k8s.io/decision'] === 'forbid',
    }
    // A patch that creates an object also needs the right to create it.
    const created = verb === 'patch' && responseStatus?.code === 201
    return created ? [request, { ...request, verb: 'create', name: '' }] : [request]
  })
}
