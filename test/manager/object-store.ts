import { ApiError } from '../../src/kube/api-error.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { ObjectPort } from '../../src/manager/tls/object-port.ts'

/** Objects of one kind in an API server: a write succeeds only on the version that was read. */
export class ObjectStore<T extends KubeObject> {
  readonly objects = new Map<string, T>()
  writes = 0
  #version = 0
  /** Called before each call. An error that it throws reaches the caller; while it awaits, other calls may run. */
  before: (verb: string, name: string) => Promise<void> | void = () => undefined

  readonly port: ObjectPort<T> = {
    get: async (name) => {
      await this.before('get', name)
      return structuredClone(this.objects.get(name))
    },
    create: async (object) => {
      const name = object.metadata!.name!
      await this.before('create', name)
      if (this.objects.has(name)) throw refused(409, 'AlreadyExists', name)
      return this.put(object)
    },
    update: async (object) => {
      const name = object.metadata!.name!
      await this.before('update', name)
      const now = this.objects.get(name)
      if (now === undefined) throw refused(404, 'NotFound', name)
      if (now.metadata!.resourceVersion !== object.metadata!.resourceVersion) throw refused(409, 'Conflict', name)
      return this.put(object)
    },
  }

  put(object: T): T {
    const stored = structuredClone(object)
    stored.metadata = { ...stored.metadata, resourceVersion: String(++this.#version) }
    this.objects.set(stored.metadata.name!, stored)
    this.writes++
    return structuredClone(stored)
  }
}

const refused = (code: number, reason: string, name: string): ApiError =>
  new ApiError(code, { reason, message: name }, { verb: 'PUT', path: name })
