import type { JsonObject } from '../schema/json.ts'
import type { WatchRecord } from './watch-record.ts'

/** How many objects' lines are kept: watchers read an event soon after another, not much later. */
const keptObjects = 512

/** The lines of watch events, each made once however many watchers it goes to. */
export class EventLines {
  private readonly kept = new Map<object, Map<string, Uint8Array>>()
  /** How many lines were made; a test sees by it that they are shared. */
  made = 0

  /**
   * The line of an event in a form. `form` names all that the line depends on besides the event; what gives another
   * object gives another form.
   */
  line(record: WatchRecord, form: string, represent: () => JsonObject): Uint8Array {
    const key = `${record.type} ${form}`
    const lines = this.linesOf(record.object)
    const found = lines.get(key)
    if (found) return found
    const object = record.type === 'ERROR' ? record.object : represent()
    const line = Buffer.from(`${JSON.stringify({ type: record.type, object })}\n`)
    this.made++
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
