import { readFileSync } from 'node:fs'

/** Logs each request of service accounts, without bodies, except those of Kubernetes' own accounts. */
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

/** A request for objects, as the API server noted it. */
export interface ServedRequest {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  user: string
  verb: string
  group: string
  /** With its subresource, as in a role: `varmorpolicies/status`. */
  resource: string
  namespace: string
  /** Also of a list or a watch of one object. */
  name: string
  /** By authorization: no role gives the right. */
  isForbidden: boolean
}

interface AuditEvent {
  verb: string
  user: { username: string }
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string; namespace?: string; name?: string }
  responseStatus?: { code?: number }
  annotations?: Record<string, string>
}

/** The requests in a log of the API server. A watch may be in it twice: when it began, and when it ended. */
export function servedRequests(log: string): ServedRequest[] {
  // The server may be writing the last line.
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
    // A patch that makes an object takes the right to create it, too.
    const created = verb === 'patch' && responseStatus?.code === 201
    return created ? [request, { ...request, verb: 'create', name: '' }] : [request]
  })
}
