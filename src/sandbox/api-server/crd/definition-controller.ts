import { timestamp } from '../context.ts'
import { removeFinalizer } from '../controllers/finalizers.ts'
import { StoreController } from '../controllers/store-controller.ts'
import { cleanupFinalizer, definitions, deleteBySystem } from '../handlers/delete-object.ts'
import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, objectOf, sameJson, textOf } from '../schema/json.ts'
import type { StoreEvent } from '../store/history.ts'
import { definitionResource } from './definition-resource.ts'

const specOf = (definition: KubeObject): JsonObject => objectOf(definition['spec'])
const namesOf = (definition: KubeObject): JsonObject => objectOf(specOf(definition)['names'])
const storageOf = (definition: KubeObject): string =>
  `${textOf(specOf(definition)['group'])}/${textOf(namesOf(definition)['plural'])}`

/** Accepts definitions, serves their resources, and removes them with all their objects. */
export class DefinitionController extends StoreController {
  /** Serves the definitions in a store that was filled before. */
  scan(): void {
    for (const object of this.context.store.walk(definitions)) this.add(object.metadata.name)
  }

  protected observe(storage: string, { type, object }: StoreEvent): void {
    if (storage === definitions) {
      if (type === 'DELETED') this.withdraw(object)
      this.add(object.metadata.name)
      return
    }
    // The deletion of the last object completes the definition's deletion.
    if (type !== 'DELETED') return
    const [group, plural] = storage.split('/')
    const definition = this.context.store.get(definitions, '', `${plural}.${group}`)
    if (definition?.metadata.deletionTimestamp) this.add(definition.metadata.name)
  }

  protected async work(name: string): Promise<void> {
    const { store } = this.context
    const definition = store.get(definitions, '', name)
    if (!definition) return
    if (definition.metadata.deletionTimestamp) return this.finish(definition)
    const status = this.accepted(definition)
    if (!sameJson(status, definition['status'])) store.update(definitions, definition, { ...definition, status })
    this.context.registry.add(definitionResource(definition))
  }

  private accepted(definition: KubeObject): JsonObject {
    const status = objectOf(definition['status'])
    if (isEstablished(definition)) return { ...status, acceptedNames: namesOf(definition) }
    const lastTransitionTime = timestamp(this.context.clock.now())
    const conditions = [
      ['NamesAccepted', 'NoConflicts', 'no conflicts found'],
      ['Established', 'InitialNamesAccepted', 'the initial names have been accepted'],
    ].map(([type = '', reason = '', message = '']) => ({ lastTransitionTime, message, reason, status: 'True', type }))
    return { ...status, conditions, acceptedNames: namesOf(definition) }
  }

  private withdraw({ metadata }: KubeObject): void {
    const { registry, hub } = this.context
    for (const resource of registry.all())
      if (resource.custom?.definitionUid === metadata.uid) {
        hub.endWhere((spec) => spec.resource === resource.storage)
        registry.remove(resource)
      }
  }

  private async finish(definition: KubeObject): Promise<void> {
    const { store, registry } = this.context
    const storage = storageOf(definition)
    const resource = registry.ofStorage(storage)
    if (resource)
      for (const object of [...store.walk(storage)])
        if (!object.metadata.deletionTimestamp) await deleteBySystem(this.context, resource, object)
    const current = store.get(definitions, '', definition.metadata.name)
    if (current && store.count(storage) === 0) removeFinalizer(this.context, definitions, current, cleanupFinalizer)
  }
}

const isEstablished = (definition: KubeObject): boolean =>
  listOf(objectOf(definition['status'])['conditions'])
    .map(objectOf)
    .some(({ type, status }) => type === 'Established' && status === 'True')
