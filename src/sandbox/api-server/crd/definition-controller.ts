import { type ApiContext, timestamp } from '../context.ts'
import { removeFinalizer } from '../controllers/remove-finalizer.ts'
import { resourceOfStorage, systemCall } from '../controllers/system-call.ts'
import { WorkQueue } from '../controllers/work-queue.ts'
import { deleteObject } from '../handlers/delete-object.ts'
import { deleteOptions } from '../handlers/options.ts'
import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, objectOf, sameJson, textOf } from '../schema/json.ts'
import { ApiStatusError } from '../status.ts'
import type { StoreEvent } from '../store/store-event.ts'
import { definitionResources } from './definition-resources.ts'

export const definitions = 'apiextensions.k8s.io/customresourcedefinitions'
/** A definition deletes its objects before it goes. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** Accepts definitions, serves what they define, and takes it away again with all its objects. */
export class DefinitionController {
  private readonly context: ApiContext
  private readonly queue: WorkQueue

  constructor(context: ApiContext, failed: (key: string, error: unknown) => void) {
    this.context = context
    this.queue = new WorkQueue((name) => this.work(name), failed)
    context.store.listen((storage, event) => this.observe(storage, event))
  }

  idle(): Promise<void> {
    return this.queue.idle()
  }

  close(): void {
    this.queue.close()
  }

  /** Serves the definitions of a store that was filled before. */
  scan(): void {
    for (const object of this.context.store.walk(definitions)) this.queue.add(object.metadata.name)
  }

  private observe(storage: string, { type, object }: StoreEvent): void {
    if (storage === definitions) {
      if (type === 'DELETED') this.withdraw(object)
      this.queue.add(object.metadata.name)
      return
    }
    // The last object of a definition that is being deleted lets it go.
    if (type !== 'DELETED') return
    const slash = storage.indexOf('/')
    const definition = this.context.store.get(definitions, '', `${storage.slice(slash + 1)}.${storage.slice(0, slash)}`)
    if (definition?.metadata.deletionTimestamp) this.queue.add(definition.metadata.name)
  }

  private async work(name: string): Promise<void> {
    const definition = this.context.store.get(definitions, '', name)
    if (!definition) return this.retryConflicts()
    if (definition.metadata.deletionTimestamp) return this.finish(definition)
    const status = this.accepted(definition)
    if (!sameJson(status, definition['status']))
      this.context.store.update(definitions, definition, { ...definition, status })
    const current = this.context.store.get(definitions, '', name)
    if (current && isTrue(current, 'Established')) this.serve(current)
  }

  /** Names that another definition held may be free now. */
  private retryConflicts(): void {
    for (const object of this.context.store.walk(definitions))
      if (!isTrue(object, 'NamesAccepted')) this.queue.add(object.metadata.name)
  }

  private accepted(definition: KubeObject): JsonObject {
    const status = objectOf(definition['status'])
    const names = objectOf(objectOf(definition['spec'])['names'])
    const problem = this.conflict(definition)
    const named = problem ?? {
      type: 'NamesAccepted',
      status: 'True',
      reason: 'NoConflicts',
      message: 'no conflicts found',
    }
    const established = {
      type: 'Established',
      status: 'True',
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    }
    const refused = {
      type: 'Established',
      status: 'False',
      reason: 'NotAccepted',
      message: 'not all names are accepted',
    }
    const was = isTrue(definition, 'Established')
    const conditions = [named, problem && !was ? refused : established]
    return {
      ...status,
      conditions: this.merged(listOf(status['conditions']).map(objectOf), conditions),
      acceptedNames: problem ? (status['acceptedNames'] ?? { plural: '', kind: '' }) : names,
    }
  }

  private merged(before: JsonObject[], wanted: JsonObject[]): JsonObject[] {
    const now = timestamp(this.context.clock.now())
    const fresh = wanted.map((condition) => {
      const old = before.find(({ type }) => type === condition['type'])
      const since = old && old['status'] === condition['status'] ? (old['lastTransitionTime'] ?? now) : now
      return {
        lastTransitionTime: since,
        message: condition['message']!,
        reason: condition['reason']!,
        status: condition['status']!,
        type: condition['type']!,
      }
    })
    const kept = before.filter(({ type }) => !wanted.some((condition) => condition['type'] === type))
    return [...kept, ...fresh]
  }

  /** The condition that says which name another definition of the group has already. */
  private conflict(definition: KubeObject): JsonObject | undefined {
    const spec = objectOf(definition['spec'])
    const names = objectOf(spec['names'])
    for (const other of this.context.store.walk(definitions)) {
      if (other.metadata.uid === definition.metadata.uid) continue
      if (objectOf(other['spec'])['group'] !== spec['group']) continue
      const taken = objectOf(objectOf(other['status'])['acceptedNames'])
      const resources = [taken['plural'], taken['singular'], ...listOf(taken['shortNames'])].map(textOf)
      const kinds = [taken['kind'], taken['listKind']].map(textOf)
      // Each is checked, and the last that is taken is the one that is told.
      const clash =
        clashOf('ListKind', names['listKind'], kinds) ??
        clashOf('Kind', names['kind'], kinds) ??
        listOf(names['shortNames'])
          .map((name) => clashOf('ShortNames', name, resources))
          .find(Boolean) ??
        clashOf('Singular', names['singular'], resources) ??
        clashOf('Plural', names['plural'], resources)
      if (clash) return clash
    }
    return undefined
  }

  private serve(definition: KubeObject): void {
    const wanted = definitionResources(definition)
    const { registry } = this.context
    for (const resource of registry.all()) {
      const isOurs = resource.custom?.definitionUid === definition.metadata.uid
      if (isOurs && !wanted.some(({ version }) => version === resource.version)) registry.remove(resource)
    }
    for (const resource of wanted) registry.add(resource)
  }

  private withdraw(definition: KubeObject): void {
    for (const resource of this.context.registry.all())
      if (resource.custom?.definitionUid === definition.metadata.uid) {
        this.context.hub.endWhere((spec) => spec.resource === resource.storage)
        this.context.registry.remove(resource)
      }
  }

  private async finish(definition: KubeObject): Promise<void> {
    const spec = objectOf(definition['spec'])
    const storage = `${textOf(spec['group'])}/${textOf(objectOf(spec['names'])['plural'])}`
    const resource = resourceOfStorage(this.context, storage)
    if (resource) for (const object of [...this.context.store.walk(storage)]) await this.delete(resource, object)
    const current = this.context.store.get(definitions, '', definition.metadata.name)
    if (!current || this.context.store.count(storage) > 0) return
    removeFinalizer(this.context, definitions, current, cleanupFinalizer)
  }

  private async delete(resource: Parameters<typeof systemCall>[1], object: KubeObject): Promise<void> {
    if (object.metadata.deletionTimestamp) return
    const call = systemCall(this.context, resource, object.metadata.namespace ?? '', object.metadata.name)
    try {
      await deleteObject(call, object.metadata.name, deleteOptions(new URLSearchParams(), {}))
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.status.code !== 404) throw error
    }
  }
}

export const isTrue = (object: KubeObject, type: string): boolean =>
  listOf(objectOf(object['status'])['conditions'])
    .map(objectOf)
    .some((condition) => condition['type'] === type && condition['status'] === 'True')

function clashOf(what: string, name: unknown, taken: readonly string[]): JsonObject | undefined {
  const text = textOf(name)
  if (text === '' || !taken.includes(text)) return undefined
  return {
    type: 'NamesAccepted',
    status: 'False',
    reason: `${what}Conflict`,
    message: `${JSON.stringify(text)} is already in use`,
  }
}
