import type { JsonObject } from '../schema/json.ts'
import type { WatchRecord } from './watcher.ts'

/** Maximum objects with kept lines: watchers read an event shortly after one another. */
const keptObjects = 512

/** The lines of watch events, each created once for any number of watchers. */
export class EventLines {
  private readonly kept = new Map<object, Map<string, Uint8Array>>()

  /** The line of an event in a form. `form` names everything else that the line depends on. */
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
