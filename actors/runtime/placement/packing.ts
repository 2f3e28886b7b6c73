/** The fields of a kind of message, in order; `type`, which is always there, is part of the shape. */
export interface Shape {
  readonly number: number
  readonly type: string
  readonly fields: readonly string[]
}

/** So many shapes a link knows, and so many of one type: messages of further ones are sent as they are. */
const SHAPES = 1_024
const SHAPES_OF_TYPE = 8

const isPrimitive = (value: unknown): boolean =>
  (typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'symbol'

/**
 * Finds the shape of messages that are plain objects of primitive values, as most are, so that only their values have to
 * be sent. Cloning a small object costs four times as much at either end as its values in a long array, and more than
 * all else that happens to a message (`bench/actors`).
 */
export class Packer {
  private readonly shapes = new Map<string, Shape[]>()
  private readonly known: Shape[] = []

  /** The shape of a message, made with the first message of it; undefined if it has to be cloned as it is. */
  shapeOf(message: unknown): Shape | undefined {
    if (typeof message !== 'object' || message === null) return undefined
    if (Object.getPrototypeOf(message) !== Object.prototype) return undefined
    const { type } = message as { type?: unknown }
    if (typeof type !== 'string') return undefined
    const shapes = this.shapes.get(type)
    if (shapes !== undefined) {
      for (const shape of shapes) if (fits(message, shape)) return shape
    }
    return this.add(message, type, shapes ?? [])
  }

  /** The shape of a number. */
  shape(number: number): Shape {
    return this.known[number]!
  }

  clear(): void {
    this.shapes.clear()
    this.known.length = 0
  }

  private add(message: object, type: string, shapes: Shape[]): Shape | undefined {
    if (this.known.length === SHAPES || shapes.length === SHAPES_OF_TYPE) return undefined
    const [first, ...fields] = Object.keys(message)
    // As a field this name would set the prototype of what is put together over there.
    if (first !== 'type' || fields.includes('__proto__')) return undefined
    const shape = { number: this.known.length, type, fields }
    if (!fits(message, shape)) return undefined
    this.known.push(shape)
    this.shapes.set(type, [...shapes, shape])
    return shape
  }
}

function fits(message: object, { fields }: Shape): boolean {
  let at = -1
  for (const field in message) {
    if (at === -1 ? field !== 'type' : field !== fields[at]) return false
    if (!isPrimitive(message[field as never])) return false
    at++
  }
  return at === fields.length
}

/** Puts a message together from its values, which start at `from`. */
export function unpack({ type, fields }: Shape, values: readonly unknown[], from: number): object {
  const message: Record<string, unknown> = { type }
  for (let i = 0; i < fields.length; i++) message[fields[i]!] = values[from + i]
  return message
}
