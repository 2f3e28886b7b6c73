/** How the values of an option are parsed, and which values the chart's schema permits. */
export interface ValueType<Value> {
  /** Name of the value in help texts, such as `<file>`; an option may name a unit instead. */
  readonly placeholder: string
  /** JSON schema of the chart's value. */
  readonly schema: Readonly<Record<string, unknown>>
  /** The permitted texts, if only few texts are permitted. */
  readonly choices?: readonly string[]
  /** The flag accepts several words. */
  readonly isVariadic?: true
  /** @throws {InvalidArgumentError} with a sentence that describes a valid text */
  read(text: string, before?: Value): Value
}

/**
 * The chart's value of an option: the path of a value; or as in upstream's chart, `enabled` and `args`, where the flags
 * in `args` apply if `enabled` is true; or `from`, a value from which a template derives the flag.
 */
export type ChartValue = string | { readonly enabled: string; readonly args: string } | { readonly from: string }

/** The properties that every option has, for any type. */
export interface Row<Value> {
  /** What the option sets, in one line. */
  readonly help: string
  /** The value that applies if the flag is absent. */
  readonly default?: Value
  /** A description of the behaviour without the flag, if the default is not a constant. */
  readonly without?: string
  /** Unit of a number, or another name of the value; the help shows it as `<unit>`. */
  readonly unit?: string
  readonly mandatory?: true
  /** A letter for the short flag. */
  readonly short?: string
  /** Environment variable that sets the option if the flag does not. */
  readonly env?: string
  /** Whether upstream has this flag. If so, the flag keeps upstream's spelling, which is the key in the table. */
  readonly upstream?: true
  /** The flag's former name, without dashes. It still works, with a warning. */
  readonly formerly?: string
  readonly value?: ChartValue
  /** Path of a switch of the chart; if it is off, the chart leaves the flag out. */
  readonly onlyWith?: string
  /** A description of the chart's value, if it sets something else than the flag. */
  readonly valueHelp?: string
  /** Further sentences, for the comments of values.yaml and the reference page. */
  readonly note?: string
}

export interface Option<Value> extends Row<Value> {
  /** The type of the value; undefined for a switch. */
  readonly type: ValueType<Value> | undefined
}

/** The options of a role, by the name that the program uses. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>

type ValueOf<One> = One extends { type: ValueType<infer Value> } ? Value : boolean

type AlwaysSet<One> = One extends { default: unknown } | { mandatory: true } ? true : false

/** The parsed options of a table. */
export type OptionsOf<Table> = {
  [Key in keyof Table as AlwaysSet<Table[Key]> extends true ? Key : never]: ValueOf<Table[Key]>
} & {
  [Key in keyof Table as AlwaysSet<Table[Key]> extends true ? never : Key]?: ValueOf<Table[Key]>
}

/** The long flag of an option, without dashes. If a switch is on by default, its flag starts with `no-`. */
export function flagOf(key: string, { type, upstream, default: fallback }: Option<unknown>): string {
  const name = upstream ? key : key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return type === undefined && fallback === true ? `no-${name}` : name
}

/** The present flag of each former flag of a table, without dashes. */
export const renamedFlags = (table: OptionTable): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(table).flatMap(([key, option]) =>
      option.formerly === undefined ? [] : [[option.formerly, flagOf(key, option)] as const],
    ),
  )

/** The name of an option's value in help texts; undefined for a switch. */
export const unitOf = ({ type, unit }: Option<unknown>): string | undefined => type && (unit ?? type.placeholder)

/**
 * A description of the behaviour without the flag; undefined if the reader expects it: a switch is off, or nothing
 * applies.
 */
export function defaultText({ type, default: fallback, without }: Option<unknown>): string | undefined {
  if (without !== undefined) return without
  if (type === undefined || fallback === undefined) return undefined
  if (Array.isArray(fallback)) return fallback.join(',') || 'none'
  return fallback === '' ? 'empty' : `${fallback}`
}
