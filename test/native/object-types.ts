import { run } from '../../deploy/build-bpf.ts'

/** The description of a type by `bpftool btf dump`. */
interface BtfType {
  id: number
  kind: string
  name: string
  size?: number
  type_id?: number
  nr_elems?: number
  members?: { name: string; type_id: number; bits_offset: number }[]
  vars?: { type_id: number }[]
}

/** Offset and size of each field, in bytes. */
export interface StructType {
  size: number
  fields: Record<string, [offset: number, size: number]>
}

export interface MapType {
  entries: number
  key: number
  /** Size of a value in bytes; for a map of maps, the size of an inner map's value. */
  value: number
}

/** The types that the compiler wrote into an object of BPF programs. */
export class ObjectTypes {
  readonly #types: Map<number, BtfType>

  constructor(object: string) {
    const { types } = JSON.parse(run('bpftool', ['btf', 'dump', 'file', object, '-j'])) as { types: BtfType[] }
    this.#types = new Map(types.map((type) => [type.id, type]))
  }

  /** Structs whose name starts with this prefix. */
  structs(prefix: string): Map<string, StructType> {
    const own = [...this.#types.values()].filter(({ kind, name }) => kind === 'STRUCT' && name.startsWith(prefix))
    return new Map(own.map((type) => [type.name, this.#structOf(type)]))
  }

  maps(): Map<string, MapType> {
    const section = [...this.#types.values()].find(({ kind, name }) => kind === 'DATASEC' && name === '.maps')
    const variables = (section?.vars ?? []).map(({ type_id }) => this.#type(type_id))
    return new Map(variables.map((variable) => [variable.name, this.#mapOf(this.#type(variable.type_id))]))
  }

  #type(id: number | undefined): BtfType {
    const type = this.#types.get(id!)
    if (type === undefined) throw new Error(`the object has no type ${id}`)
    return type
  }

  #structOf({ size, members }: BtfType): StructType {
    const fields = members!.map(({ name, type_id, bits_offset }) => [name, [bits_offset / 8, this.#sizeOf(type_id)]])
    return { size: size!, fields: Object.fromEntries(fields) }
  }

  #sizeOf(id: number): number {
    const { kind, size, type_id, nr_elems } = this.#type(id)
    if (kind === 'PTR') return 8
    if (size !== undefined) return size
    return (kind === 'ARRAY' ? nr_elems! : 1) * this.#sizeOf(type_id!)
  }

  /**
   * Decodes a map definition of bpf_helpers.h: a number is the length of an array, a type is the target of a pointer.
   */
  #mapOf({ members }: BtfType): MapType {
    const at = (name: string): BtfType | undefined => {
      const member = members!.find((one) => one.name === name)
      return member && this.#type(member.type_id)
    }
    const bytes = (name: string): number => {
      const [number, type] = [at(`${name}_size`), at(name)]
      if (number !== undefined) return this.#type(number.type_id).nr_elems!
      return type === undefined ? 0 : this.#sizeOf(type.type_id!)
    }
    const inner = at('values')
    const entries = at('max_entries')
    return {
      entries: entries === undefined ? 0 : this.#type(entries.type_id).nr_elems!,
      key: bytes('key'),
      value: inner === undefined ? bytes('value') : this.#mapOf(this.#type(this.#type(inner.type_id).type_id)).value,
    }
  }
}
