/** How the values of an option are read, and what the chart's schema permits in their place. */
export interface ValueType<Value> {
  /** Name of the value in help texts, such as `<file>`; an option may name a unit instead. */
  readonly placeholder: string
  /** JSON schema of the chart's value. */
  readonly schema: Readonly<Record<string, unknown>>
  /** The permitted texts, if there are few. */
  readonly choices?: readonly string[]
  /** The flag takes several words. */
  readonly isVariadic?: true
  /** @throws {InvalidArgumentError} with a sentence that says what the text must be */
  read(text: string, before?: Value): Value
}

/**
 * The chart's value of an option, in one of these forms:
 * - a path: the value itself;
 * - `enabled` and `args`, as in upstream's chart: `args` has the flags that apply if `enabled` is true;
 * - `from`: a template derives the flag from this value, with code of its own.
 */
export type ChartValue = string | { readonly enabled: string; readonly args: string } | { readonly from: string }

/** The facts that every option has, whatever its type. */
export interface Row<Value> {
  /** What the option sets, in one line. */
  readonly help: string
  /** The value without the flag. */
  readonly default?: Value
  /** What applies without the flag, in words, where no constant says it. */
  readonly without?: string
  /** Unit of a number, or another name of the value; the help shows it as `<unit>`. */
  readonly unit?: string
  readonly mandatory?: true
  /** A letter for the short flag. */
  readonly short?: string
  /** Environment variable that sets the option if the flag does not. */
  readonly env?: string
  /** Upstream has this flag, so it keeps upstream's spelling, which is the key in the table. */
  readonly upstream?: true
  /** The flag's former name, without dashes. It still works, with a warning. */
  readonly formerly?: string
  readonly value?: ChartValue
  /** What the chart's value sets, if this is not what the flag sets. */
  readonly valueHelp?: string
  /** Further sentences, for the comments of values.yaml and the reference page. */
  readonly note?: string
}

export interface Option<Value> extends Row<Value> {
  /** Undefined for a switch. */
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

/** The long flag of an option, without dashes: `no-` precedes a switch that is on by default. */
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

/** What applies without the flag, for readers; undefined if this is plain: a switch is off, or nothing applies. */
export function defaultText({ type, default: fallback, without }: Option<unknown>): string | undefined {
  if (without !== undefined) return without
  if (type === undefined || fallback === undefined) return undefined
  if (Array.isArray(fallback)) return fallback.join(',') || 'none'
  return fallback === '' ? 'empty' : `${fallback}`
}
