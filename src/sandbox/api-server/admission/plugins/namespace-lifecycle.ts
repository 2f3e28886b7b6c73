import { ApiStatusError, forbidden, notFound } from '../../status.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'
import type { AdmissionRequest } from '../admission-request.ts'

const immortal = new Set(['default', 'kube-system', 'kube-public'])
const namespaces = { group: '', resource: 'namespaces' }

/** Nothing is made in a namespace that is not there or is going away, and some namespaces never go. */
export function namespaceLifecycle(store: Store): AdmissionPlugin {
  return {
    admit(request) {
      const { operation, resource, namespace, name } = request
      if (operation === 'DELETE' && resource.storage === '/namespaces' && immortal.has(name))
        throw forbidden(namespaces, name, 'this namespace may not be deleted')
      if (operation === 'DELETE' || !resource.namespaced || isReview(request)) return
      const found = store.get('/namespaces', '', namespace)
      if (!found) throw notFound(namespaces, namespace)
      if (operation === 'CREATE' && found.metadata.deletionTimestamp) throw terminating(request)
    },
  }
}

const isReview = ({ resource }: AdmissionRequest): boolean => resource.plural === 'localsubjectaccessreviews'

function terminating({ resource, namespace, name, object }: AdmissionRequest): ApiStatusError {
  const { status } = forbidden(
    { group: resource.group, resource: resource.plural },
    name || object?.metadata.generateName || 'Unknown',
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  )
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  return new ApiStatusError({ ...status, details: { ...status.details, causes: [cause] } })
}
