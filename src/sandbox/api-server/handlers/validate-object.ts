import type { ResourceCall } from '../context.ts'
import type { FieldIssue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { validateBuiltIn } from '../schema/built-in.ts'
import { finalizerWarnings, validateObjectMeta, validateObjectMetaUpdate } from '../schema/metadata.ts'
import { invalid } from '../status.ts'

/**
 * @param subresource that was written to; the empty text for the object itself
 * @throws {ApiStatusError} 422 with everything that is wrong with the object
 */
export function checkValid(
  resource: Resource,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string,
): void {
  const metadata = old
    ? validateObjectMetaUpdate(object, old)
    : validateObjectMeta(object, resource.namespaced, resource.names)
  const issues = [...metadata, ...valueIssues(resource, object, old, subresource)]
  if (issues.length > 0)
    throw invalid({ group: resource.group, kind: resource.kind }, object.metadata.name ?? '', issues)
}

function valueIssues(
  resource: Resource,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string,
): FieldIssue[] {
  if (!resource.custom) return validateBuiltIn(resource.apiVersion, resource.kind, object, old)
  const { schema } = resource.custom
  return old && subresource === 'status' ? schema.validateStatus(object, old) : schema.validate(object, old)
}

/** Writers of custom resources are warned of finalizers that others would refuse. */
export function warnOfFinalizers(call: ResourceCall, object: KubeObject, old: KubeObject | undefined): void {
  if (call.resource.custom && !call.subresource) call.warnings.push(...finalizerWarnings(object, old))
}
