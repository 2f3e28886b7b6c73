import type { ResourceCall } from '../../context.ts'
import type { Resource } from '../../registry/resource.ts'
import type { ApiResponse } from '../../request.ts'
import { handleBinding } from './binding.ts'
import { handleEviction } from './eviction.ts'
import { handleNamespaceFinalize } from './namespace-finalize.ts'
import { handlePodConnection } from './pod-connection.ts'
import { handleScale } from './scale.ts'
import { handleTokenRequest } from './token-request.ts'

type Handler = (call: ResourceCall) => ApiResponse | Promise<ApiResponse>

const handlers: Record<string, Handler> = {
  '/pods binding': handleBinding,
  '/pods eviction': handleEviction,
  '/pods log': handlePodConnection,
  '/pods exec': handlePodConnection,
  '/pods attach': handlePodConnection,
  '/pods portforward': handlePodConnection,
  '/pods proxy': handlePodConnection,
  '/namespaces finalize': handleNamespaceFinalize,
  '/serviceaccounts token': handleTokenRequest,
}

/** How a subresource answers; undefined where it is the object itself that is read and written. */
export function subresourceHandler(resource: Resource, name: string): Handler | undefined {
  return name === 'scale' ? handleScale : handlers[`${resource.storage} ${name}`]
}
