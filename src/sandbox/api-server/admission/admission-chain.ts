import type { KubeObject } from '../kube-object.ts'
import { managedFieldsProblem } from '../patch/managed-fields.ts'
import type { AdmissionRequest } from './admission-request.ts'

/** One step of admission. What it does not do, it leaves out. */
export interface AdmissionPlugin {
  /** The object as it shall be; never the one it was given, changed. Not called for deletions. */
  mutate?(request: AdmissionRequest): KubeObject | undefined | Promise<KubeObject | undefined>
  /** @throws {ApiStatusError} to refuse */
  validate?(request: AdmissionRequest): void | Promise<void>
  /** Called before anything else, for every operation. @throws {ApiStatusError} to refuse */
  admit?(request: AdmissionRequest): void
}

/** The steps that a write goes through before it is stored, in order. */
export class AdmissionChain {
  private readonly plugins: readonly AdmissionPlugin[]

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.plugins = plugins
  }

  /**
   * The object after every step has had its say; the old one for a deletion.
   * @throws {ApiStatusError}
   */
  async mutate(request: AdmissionRequest): Promise<KubeObject> {
    let object = request.object
    for (const plugin of this.plugins) {
      plugin.admit?.({ ...request, object })
      if (plugin.mutate) object = (await plugin.mutate({ ...request, object })) ?? object
    }
    return withSoundManagers(request, object ?? request.oldObject!)
  }

  /** @throws {ApiStatusError} */
  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.plugins) await plugin.validate?.(request)
  }
}

/** A webhook that works on an older form of the object may garble who owns what; then that stays as it was. */
function withSoundManagers({ object: before, warnings }: AdmissionRequest, object: KubeObject): KubeObject {
  const problem = managedFieldsProblem(object)
  if (problem === undefined) return object
  warnings.push(
    `.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${problem}`,
  )
  const { managedFields: _, ...metadata } = object.metadata
  const kept = before?.metadata.managedFields
  return { ...object, metadata: { ...metadata, ...(kept ? { managedFields: kept } : {}) } }
}
