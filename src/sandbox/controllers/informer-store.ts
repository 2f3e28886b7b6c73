import { type KubeObject, keyOf } from '../api-server/kube-object.ts'

/** Under which values an object is found in an index. */
export type IndexFunction<T> = (object: T) => readonly string[]

export interface Change<T> {
  readonly key: string
  /** Undefined when the object is new. */
  readonly before: T | undefined
  /** Undefined when the object is gone. */
  readonly after: T | undefined
}

/** Objects by key and by indexes. Objects are those of the server: shared and frozen. */
export class InformerStore<T extends KubeObject> {
  private readonly objects = new Map<string, T>()
  private readonly indexes = new Map<string, { of: IndexFunction<T>; values: Map<string, Set<string>> }>()

  get size(): number {
    return this.objects.size
  }

  get(key: string): T | undefined {
    return this.objects.get(key)
  }

  values(): Iterable<T> {
    return this.objects.values()
  }

  keys(): string[] {
    return [...this.objects.keys()]
  }

  addIndex(name: string, of: IndexFunction<T>): void {
    if (this.indexes.has(name)) return
    const index = { of, values: new Map<string, Set<string>>() }
    this.indexes.set(name, index)
    for (const [key, object] of this.objects) link(index.values, key, of(object))
  }

  /** @throws {RangeError} for an index that nobody added */
  find(name: string, value: string): T[] {
    const index = this.indexes.get(name)
    if (!index) throw new RangeError(`There is no index ${name}`)
    return [...(index.values.get(value) ?? [])].map((key) => this.objects.get(key)!)
  }

  set(object: T): Change<T> {
    const key = keyOf(object)
    const before = this.objects.get(key)
    this.objects.set(key, object)
    for (const { of, values } of this.indexes.values()) {
      if (before) unlink(values, key, of(before))
      link(values, key, of(object))
    }
    return { key, before, after: object }
  }

  remove(key: string): Change<T> | undefined {
    const before = this.objects.get(key)
    if (!before) return undefined
    this.objects.delete(key)
    for (const { of, values } of this.indexes.values()) unlink(values, key, of(before))
    return { key, before, after: undefined }
  }
}

function link(values: Map<string, Set<string>>, key: string, found: readonly string[]): void {
  for (const value of found) {
    const keys = values.get(value)
    if (keys) keys.add(key)
    else values.set(value, new Set([key]))
  }
}

function unlink(values: Map<string, Set<string>>, key: string, found: readonly string[]): void {
  for (const value of found) {
    const keys = values.get(value)
    keys?.delete(key)
    if (keys?.size === 0) values.delete(value)
  }
}
