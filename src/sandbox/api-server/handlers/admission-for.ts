import type { AdmissionRequest, Operation } from '../admission/admission-request.ts'
import { namespaceOf, type ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import type { JsonObject } from '../schema/json.ts'
import { expectedType } from './decode-body.ts'

interface Written {
  name: string
  object?: KubeObject | undefined
  oldObject?: KubeObject | undefined
  options: { object: JsonObject; dryRun: boolean }
}

/** What admission is asked about one write of a call. */
export function admissionFor(call: ResourceCall, operation: Operation, written: Written): AdmissionRequest {
  const { resource, subresource, user, warnings } = call
  const namespace = resource.storage === '/namespaces' ? written.name : namespaceOf(call)
  return {
    operation,
    resource,
    subresource: subresource?.name ?? '',
    objectType: expectedType(call),
    namespace,
    name: written.name,
    object: written.object,
    oldObject: written.oldObject,
    options: written.options.object,
    dryRun: written.options.dryRun,
    user,
    warnings,
  }
}
