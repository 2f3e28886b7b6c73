import type { JsonObject } from '../schema/json.ts'
import type { WatchRecord } from './watcher.ts'

/**
 * Maximum objects whose lines are kept. A small number suffices, because all watchers read an event at nearly the same
 * time.
 */
const keptObjects = 512

/** The lines of watch events. Each line is created once, for any number of watchers. */
export class EventLines {
  private readonly kept = new Map<object, Map<string, Uint8Array>>()

  /** The line of an event in a form. `form` names all inputs of the line except the event. */
  line({ type, object }: WatchRecord, form: string, represent: () => JsonObject): Uint8Array {
    const key = `${type} ${form}`
    const lines = this.linesOf(object)
    const found = lines.get(key)
    if (found) return found
    const line = Buffer.from(`${JSON.stringify({ type, object: represent() })}\n`)
    lines.set(key, line)
    return line
  }

  private linesOf(object: object): Map<string, Uint8Array> {
    const found = this.kept.get(object)
    if (found) return found
    const lines = new Map<string, Uint8Array>()
    this.kept.set(object, lines)
    if (this.kept.size > keptObjects) this.kept.delete(this.kept.keys().next().value!)
    return lines
  }
}
