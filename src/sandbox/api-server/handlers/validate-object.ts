import type { FieldIssue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { validateBuiltIn } from '../schema/built-in.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from '../schema/metadata.ts'
import { invalid } from '../status.ts'

/** @throws {ApiStatusError} 422 with everything that is wrong with the object */
export function checkValid(resource: Resource, object: KubeObject, old: KubeObject | undefined): void {
  const issues = resource.custom ? customIssues(resource, object, old) : builtInIssues(resource, object, old)
  if (issues.length > 0)
    throw invalid({ group: resource.group, kind: resource.kind }, object.metadata.name ?? '', issues)
}

const builtInIssues = (resource: Resource, object: KubeObject, old: KubeObject | undefined): FieldIssue[] =>
  validateBuiltIn(resource.apiVersion, resource.kind, object, old)

function customIssues(resource: Resource, object: KubeObject, old: KubeObject | undefined): FieldIssue[] {
  const metadata = old
    ? validateObjectMetaUpdate(object, old)
    : validateObjectMeta(object, resource.namespaced, resource.names)
  return [...metadata, ...resource.custom!.schema.validate(object, old)]
}
