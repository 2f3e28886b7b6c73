import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'

const nothing = (): void => undefined

export function beforeWrite(
  { context, resource }: ResourceCall,
  draft: KubeObject,
  old: KubeObject | undefined,
): () => void {
  return context.hooks.get(resource.storage)?.before?.(draft, old) ?? nothing
}

export function afterWrite({ context, resource }: ResourceCall, stored: KubeObject): void {
  context.hooks.get(resource.storage)?.after?.(stored)
}
