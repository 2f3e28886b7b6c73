/** A shape: the names of the fields of one kind of message, in order. It includes `type`, which is always present. */
export interface Shape {
  readonly number: number
  readonly type: string
  readonly fields: readonly string[]
}

/** Maximum number of shapes of a link, and of one type. Messages with further shapes are sent whole. */
const SHAPES = 1_024
const SHAPES_OF_TYPE = 8

const isPrimitive = (value: unknown): boolean =>
  (typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'symbol'

/**
 * Most messages are plain objects of primitive values. The packer finds the shape of such a message, so that only its
 * values are sent. On each side, cloning a small object costs four times as much as cloning its values in a long array,
 * and more than all other work for a message (`bench/actors`).
 */
export class Packer {
  private readonly shapes = new Map<string, Shape[]>()
  private readonly known: Shape[] = []

  /** The shape of a message, created at the first use; undefined if the message must be cloned whole. */
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

  /** The shape with a number. */
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
    // Refuse a field with this name: it would set the prototype of the rebuilt message.
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

/** Rebuilds a message from its values, which start at `from`. */
export function unpack({ type, fields }: Shape, values: readonly unknown[], from: number): object {
  const message: Record<string, unknown> = { type }
  for (let i = 0; i < fields.length; i++) message[fields[i]!] = values[from + i]
  return message
}
